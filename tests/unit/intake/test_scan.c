#include "scan.h"
#include "validate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many random documents the quick reader is held against jansson on; make check-scan: millions.
 */
enum { DOCUMENTS = 200000 };

static struct {
    char bytes[4096];
    size_t len;
} doc;

static void put(const char *s)
{
    size_t n = strlen(s);
    if (doc.len + n < sizeof doc.bytes) {
        memcpy(doc.bytes + doc.len, s, n);
        doc.len += n;
    }
}

static const char *any(const char *const *list, size_t n)
{
    return list[(size_t)rand() % n];
}
#define ANY(...)                                                                                   \
    any((const char *const[]){__VA_ARGS__},                                                        \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void put_blanks(void)
{
    if (rand() % 8 == 0)
        put(rand() % 40 ? ANY(" ", "\n", "\t", "\r\n", "  ") : ANY("\f", "\xc2\xa0", "\v", "x"));
}

/* Mostly what the member wants; else anything at all. */
static void put_text(const char *name)
{
    put("\"");
    if (rand() % 10)
        put(strcmp(name, "phone") == 0   ? ANY("+34 600", "1", "(0)1/2.3-4")
            : strcmp(name, "email") == 0 ? ANY("a@b.es", "\xc3\xb1@b", "\\u00f1@b", "o'n@b")
                                         : ANY("tv", "No picture", "a\\u00e9\\/", "\xe2\x82\xac",
                                               "\\\"x\\\"", "\\u20AC", "\xf0\x9f\x94\xa7", "{[,:"));
    else
        for (int n = rand() % 4; n >= 0; n--)
            put(ANY("tv", "\\n", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\r", "\\t", "\\u00e9",
                    "\\u20AC", "\\u0000", "\\u001f", "\\ud83d\\udd27", "\\ud83d", "\\udd27x",
                    "\\uD83D\\u0041", "\\u12", "\\x", "\xc3\xb1", "\xe2\x82\xac",
                    "\xf0\x9f\x94\xa7", "\xed\xa0\x80", "\xc0\x80", "\xff", "\xf4\x90\x80\x80", " ",
                    "\x7f", "\x01", "\t", "{", ",", ":", "'", "y"));
    put("\"");
}

static void put_value(const char *name)
{
    put_blanks();
    if (rand() % 25)
        put_text(name);
    else
        put(ANY("null", "true", "1", "-0.5e3", "[]", "{}", "nul", "\"", "", "[\"a\"]",
                "{\"ref\":\"x\"}"));
    put_blanks();
}

static void put_member(const char *name)
{
    put_blanks();
    put("\"");
    put(rand() % 40 ? name : ANY("typ\\u0065", "Type", "type ", "", "customer", "area", "x"));
    put("\"");
    put_blanks();
    put(rand() % 100 ? ":" : ANY("::", "=", ""));
}

static void put_members(const char *const *names, size_t n, size_t most)
{
    size_t count = (size_t)rand() % (most + 1), start = (size_t)rand();
    for (size_t i = 0; i < count; i++) {
        if (i)
            put(rand() % 100 ? "," : ANY("", ",,", ";"));
        const char *name = names[rand() % 20 ? (start + i) % n : (size_t)rand() % n];
        put_member(name);
        put_value(name);
    }
}

static void make_document(void)
{
    static const char *const outer[] = {"source", "contract", "x"};
    static const char *const inner[] = {"ref", "name", "phone", "email"};
    doc.len = 0;
    put_blanks();
    put("{\"type\":");
    put_value("type");
    put(",\"area\":");
    put(rand() % 8 ? "\"28013\"" : "\" sw1a \"");
    put(",\"problem\":");
    put_value("problem");
    if (rand() % 2) {
        put(",");
        put_members(outer, 2 + (rand() % 30 == 0), 2);
    }
    if (rand() % 2) {
        put(",\"customer\":");
        put(rand() % 20 ? "{" : "null");
        put_members(inner, 4, 4);
        put("}");
    }
    put(rand() % 50 ? "}" : ANY("", "}}", "},", "} x"));
    put_blanks();
}

static void mutate(void)
{
    for (int n = rand() % 4 - 1; n > 0 && doc.len > 2; n--) {
        size_t at = (size_t)rand() % (doc.len - 1);
        switch (rand() % 3) {
        case 0:
            doc.bytes[at] = (char)(rand() % 256);
            break;
        case 1:
            memmove(doc.bytes + at, doc.bytes + at + 1, doc.len - at - 1);
            doc.len--;
            break;
        default:
            doc.bytes[at] = doc.bytes[(size_t)rand() % doc.len];
            break;
        }
    }
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_fields(const struct ticket_fields *a, const struct ticket_fields *b)
{
    return same(a->source, b->source) && same(a->type, b->type) && same(a->problem, b->problem) &&
           same(a->contract, b->contract) && same(a->customer_ref, b->customer_ref) &&
           same(a->customer_name, b->customer_name) && same(a->customer_phone, b->customer_phone) &&
           same(a->customer_email, b->customer_email) && same(a->area, b->area);
}

Test(scan, takes_nothing_that_jansson_does_not_take_and_nothing_else_from_it, .timeout = 3600)
{
    static struct violations v;
    const char *wanted = getenv("SQUAD_SCAN_DOCUMENTS"), *given = getenv("SQUAD_TEST_SEED");
    long n = wanted ? atol(wanted) : DOCUMENTS, right = 0, quick = 0;
    unsigned seed = given ? (unsigned)atol(given) : 1;
    srand(seed);
    for (long i = 0; i < n; i++) {
        struct ticket_fields f, g;
        make_document();
        mutate();
        v = (struct violations){0};
        json_t *root = violations_read(doc.bytes, doc.len, &v);
        bool is_right = root && ticket_validate_json(root, "web", &g, &v) == 0;
        bool is_quick = ticket_scan(doc.bytes, doc.len, "web", &f);
        cr_assert(!is_quick || is_right, "seed %u, document %ld: %.*s", seed, i, (int)doc.len,
                  doc.bytes);
        cr_assert(!is_quick || same_fields(&f, &g), "seed %u, document %ld: %.*s", seed, i,
                  (int)doc.len, doc.bytes);
        if (is_quick)
            ticket_fields_free(&f);
        if (is_right)
            ticket_fields_free(&g);
        right += is_right;
        quick += is_quick;
    }
    /* Else the documents prove nothing. */
    cr_assert(right > n / 50 && right < n, "%ld of %ld are right", right, n);
    cr_assert(quick > right * 3 / 4, "%ld of %ld right ones are read quickly", quick, right);
    fprintf(stderr, "%ld documents, %ld right, %ld of them read quickly\n", n, right, quick);
}

static bool scanned(const char *body)
{
    struct ticket_fields f;
    if (!ticket_scan(body, strlen(body), "web", &f))
        return false;
    ticket_fields_free(&f);
    return true;
}

Test(scan, reads_what_clients_send_and_leaves_the_rest)
{
#define T "\"type\":\"tv\",\"area\":\"1\",\"problem\":\"x\""
    static const char *const quick[] = {
        "{" T "}",
        " { \"problem\" : \"a\\n\\u00e9\\\"\" ,\n\"type\":\"tv\",\t\"area\":\"1\" }\r\n",
        "{" T ",\"customer\":{}}",
        "{" T ",\"customer\":null,\"source\":null}",
        "{" T ",\"customer\":{\"name\":\"Ana\",\"phone\":null}}",
    };
    static const char *const left[] = {
        "",
        "{}",
        "[]",
        "{" T "} {",
        "{" T ",}",
        "{" T ",\"x\":\"y\"}",
        "{" T ",\"type\":\"tv\"}",
        "{" T ",\"customer\":{\"name\":\"a\",\"name\":\"b\"}}",
        "{" T ",\"customer\":{},\"customer\":{}}",
        "{" T ",\"source\":7}",
        "{" T ",\"source\":\"\\ud83d\\udd27\"}",
        "{" T ",\"source\":\"\\u0000\"}",
        "{" T ",\"source\":\"\xff\"}",
        "{" T ",\"source\":\"\"}",
        "{\"type\":\"tv\",\"area\":\"1\"}",
        "{\"type\":\"tv\",\"problem\":\"x\"}",
    };
    for (size_t i = 0; i < sizeof quick / sizeof *quick; i++)
        cr_expect(scanned(quick[i]), "%s", quick[i]);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        cr_expect_not(scanned(left[i]), "%s", left[i]);
}
