#include "gate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct header {
    const char *name, *value;
};

/* A request's head as libmicrohttpd leaves it: what a client sends, with NULs for the ends of
 * lines and of their parts. */
struct head {
    char bytes[4096];
    size_t len;
};

static void put(struct head *h, const void *bytes, size_t n)
{
    memcpy(h->bytes + h->len, bytes, n);
    h->len += n;
}

static void request_line(struct head *h, const char *method, const char *target,
                         const char *version)
{
    h->len = 0;
    put(h, method, strlen(method) + 1);
    put(h, target, strlen(target) + 1);
    put(h, version, strlen(version) + 1);
    put(h, "", 1);
}

static void header(struct head *h, const void *name, size_t name_len, const void *value, size_t len)
{
    put(h, name, name_len);
    put(h, "\0 ", 2);
    put(h, value, len);
    put(h, "\0", 2);
}

/* The verdict on the head, whose target is still to be shown to the gate. */
static enum problem judge(struct gate *g, const struct head *h)
{
    const char *detail = NULL;
    *g = (struct gate){0};
    gate_target(g, h->bytes + strlen(h->bytes) + 1);
    gate_head(g, h->bytes, h->len);
    enum problem p =
        gate_check(g, h->bytes, h->bytes + strlen(h->bytes) + g->target_len + 2, &detail);
    cr_assert((p == PROBLEM_NONE) == (detail == NULL), "a refusal says why, and nothing else does");
    return p;
}

/* The verdict on a request with these headers, up to the first without a name. The gate borrows
 * from the last one. */
static enum problem verdict(struct gate *g, const char *method, const char *target,
                            const struct header *headers)
{
    static struct head h;
    request_line(&h, method, target, "HTTP/1.1");
    for (; headers->name; headers++)
        header(&h, headers->name, strlen(headers->name), headers->value, strlen(headers->value));
    put(&h, "\0", 2);
    return judge(g, &h);
}

#define POST(g, ...) verdict(g, "POST", "/v1/tickets", (struct header[]){__VA_ARGS__, {0}})
#define GET(g, ...)  verdict(g, "GET", "/livez", (struct header[]){__VA_ARGS__, {0}})
#define HOST                                                                                       \
    {                                                                                              \
        "Host", "a"                                                                                \
    }

Test(gate, lets_a_plain_request_through_and_knows_its_headers)
{
    struct gate g;
    cr_assert_eq(POST(&g, HOST, {"content-length", "12"}, {"CONTENT-TYPE", "application/json"},
                      {"Authorization", "Bearer x"}, {"idempotency-key", "k"},
                      {"X-Request-Id", "r"}, {"Traceparent", "t"}, {"Accept", "*/*"}),
                 PROBLEM_NONE);
    cr_expect_str_eq(g.host, "a");
    cr_expect_eq(g.length, 12);
    cr_expect_str_eq(g.content_type, "application/json");
    cr_expect_str_eq(g.authorization, "Bearer x");
    cr_expect_str_eq(g.idempotency_key, "k");
    cr_expect_str_eq(g.request_id, "r");
    cr_expect_str_eq(g.traceparent, "t");
}

Test(gate, wants_exactly_one_valid_host)
{
    static const char *const bad[] = {"", "a/b", "a b", "a@b", "a,b", "a\"", "\xc3\xa9", "a#"};
    static const char *const good[] = {"a",         "a:80",      "[::1]:80",
                                       "127.0.0.1", "a-b.c_d~e", "[fe80::1%25eth0]"};
    struct gate g;
    cr_expect_eq(GET(&g, {"Accept", "*/*"}), PROBLEM_BAD_REQUEST);
    cr_expect_eq(GET(&g, HOST, HOST), PROBLEM_BAD_REQUEST);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(GET(&g, {"Host", bad[i]}), PROBLEM_BAD_REQUEST, "%s", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect_eq(GET(&g, {"Host", good[i]}), PROBLEM_NONE, "%s", good[i]);
    char longest[257];
    memset(longest, 'a', 256);
    longest[256] = '\0';
    cr_expect_eq(GET(&g, {"Host", longest}), PROBLEM_BAD_REQUEST);
    longest[255] = '\0';
    cr_expect_eq(GET(&g, {"Host", longest}), PROBLEM_NONE);
}

Test(gate, refuses_every_transfer_encoding)
{
    static const char *const values[] = {"chunked", "identity", "", "gzip, chunked", "xchunked"};
    struct gate g;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        cr_expect_eq(POST(&g, HOST, {"Transfer-Encoding", values[i]}), PROBLEM_LENGTH_REQUIRED);
    cr_expect_eq(POST(&g, HOST, {"Content-Length", "5"}, {"TRANSFER-ENCODING", "chunked"}),
                 PROBLEM_LENGTH_REQUIRED);
}

Test(gate, takes_a_length_of_digits_alone)
{
    static const char *const bad[] = {"",   " ",  "+2", "-2",  "0x2",           "2,2",
                                      "2 ", "2.", "2a", "1e3", "9999999999999", "\xd9\xa1"};
    struct gate g;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(POST(&g, HOST, {"Content-Length", bad[i]}), PROBLEM_BAD_REQUEST, "\"%s\"",
                     bad[i]);
    cr_expect_eq(POST(&g, HOST, {"Content-Length", "2"}, {"Content-Length", "2"}),
                 PROBLEM_BAD_REQUEST);
    cr_expect_eq(POST(&g, HOST, {"Content-Length", "000000000002"}), PROBLEM_NONE);
    cr_expect_eq(g.length, 2);
    cr_expect_eq(POST(&g, HOST, {"Content-Length", "999999999999"}), PROBLEM_NONE);
    cr_expect_eq(g.length, 999999999999);
    cr_expect_eq(POST(&g, HOST), PROBLEM_NONE);
    cr_expect_eq(g.length, 0);
}

Test(gate, takes_no_encoded_body)
{
    struct gate g;
    cr_expect_eq(POST(&g, HOST, {"Content-Encoding", "gzip"}), PROBLEM_MEDIA_TYPE);
    cr_expect_eq(POST(&g, HOST, {"Content-Encoding", "identity, gzip"}), PROBLEM_MEDIA_TYPE);
    cr_expect_eq(POST(&g, HOST, {"Content-Encoding", "Identity"}), PROBLEM_NONE);
}

Test(gate, a_get_has_no_body)
{
    struct gate g;
    cr_expect_eq(GET(&g, HOST, {"Content-Length", "1"}), PROBLEM_BAD_REQUEST);
    cr_expect_eq(GET(&g, HOST, {"Content-Length", "0"}), PROBLEM_NONE);
    cr_expect_eq(
        verdict(&g, "HEAD", "/livez", (struct header[]){HOST, {"Content-Length", "1"}, {0}}),
        PROBLEM_BAD_REQUEST);
}

Test(gate, a_header_that_squad_reads_stands_once)
{
    static const char *const once[] = {"Content-Type",  "Authorization", "Idempotency-Key",
                                       "X-Request-Id",  "traceparent",   "Host",
                                       "Content-Length"};
    struct gate g;
    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        cr_expect_eq(POST(&g, HOST, {once[i], "1"}, {once[i], "1"}), PROBLEM_BAD_REQUEST, "%s",
                     once[i]);
    cr_expect_eq(POST(&g, HOST, {"Accept", "a"}, {"Accept", "b"}), PROBLEM_NONE);
}

Test(gate, every_byte_of_a_name_is_a_token_s)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "!#$%&'*+-.^_`|~";
    for (int c = 0; c < 256; c++) {
        struct gate g;
        struct head h;
        char name[] = {'X', (char)c, 'Y'};
        request_line(&h, "GET", "/", "HTTP/1.1");
        header(&h, "Host", 4, "a", 1);
        header(&h, name, sizeof name, "v", 1);
        put(&h, "\0", 2);
        bool good = c && strchr(token, c);
        cr_expect_eq(judge(&g, &h), good ? PROBLEM_NONE : PROBLEM_BAD_REQUEST, "byte %d", c);
    }
    struct gate g;
    cr_expect_eq(GET(&g, HOST, {"", "x"}), PROBLEM_BAD_REQUEST);
}

Test(gate, a_value_has_no_control_character_but_tab)
{
    for (int c = 0; c < 256; c++) {
        struct gate g;
        struct head h;
        char value[] = {'v', (char)c, 'w'};
        request_line(&h, "GET", "/", "HTTP/1.1");
        header(&h, "Host", 4, "a", 1);
        header(&h, "X", 1, value, sizeof value);
        put(&h, "\0", 2);
        bool good = c == '\t' || (c >= ' ' && c != 0x7f);
        cr_expect_eq(judge(&g, &h), good ? PROBLEM_NONE : PROBLEM_BAD_REQUEST, "byte %d", c);
    }
}

Test(gate, a_target_begins_with_a_slash_and_is_printable_ascii)
{
    static const char *const bad[] = {"",     "*",         "http://a/", "a:443",
                                      "/a b", "/\xc3\xa9", "/\x7f",     "/\n"};
    struct gate g;
    const struct header host[] = {HOST, {0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(verdict(&g, "GET", bad[i], host), PROBLEM_BAD_REQUEST, "\"%s\"", bad[i]);
    char target[TARGET_MAX_BYTES + 2];
    memset(target, '/', sizeof target);
    target[sizeof target - 1] = '\0';
    cr_expect_eq(verdict(&g, "GET", target, host), PROBLEM_TARGET_LONG);
    target[sizeof target - 2] = '\0';
    cr_expect_eq(verdict(&g, "GET", target, host), PROBLEM_NONE);
}

Test(gate, speaks_http_1_1_alone)
{
    static const char *const versions[] = {"HTTP/1.0", "HTTP/1.2", "HTTP/2.0",
                                           "http/1.1", "",         "HTTP/1.10"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct gate g;
        struct head h;
        request_line(&h, "GET", "/", versions[i]);
        header(&h, "Host", 4, "a", 1);
        put(&h, "\0", 2);
        cr_expect_eq(judge(&g, &h), PROBLEM_VERSION, "%s", versions[i]);
    }
}

#define HEAD(h, text) ((h).len = sizeof(text) - 1, memcpy((h).bytes, text, sizeof(text)), &(h))

Test(gate, a_line_ends_with_cr_lf_and_has_no_nul)
{
    struct gate g;
    struct head h;
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0\0")), PROBLEM_NONE);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0\t a\0\0\0\0")), PROBLEM_NONE);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0a\0\0X\0\0\0\0\0")), PROBLEM_NONE);
    /* bare LF: after the request line, a header, the empty line */
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0Host\0 a\0\0\0\0")), PROBLEM_BAD_REQUEST);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0X\0 b\0\0\0\0")),
                 PROBLEM_BAD_REQUEST);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0")), PROBLEM_BAD_REQUEST);
    /* a NUL: in a value, at its end, before the empty line, for the empty line */
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0b\0\0\0\0")),
                 PROBLEM_BAD_REQUEST);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0\0\0")), PROBLEM_BAD_REQUEST);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0x\0\0")),
                 PROBLEM_BAD_REQUEST);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0\0\0\0\0")),
                 PROBLEM_BAD_REQUEST);
    /* folded, a name alone, two blanks before the target */
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0 b\0\0\0\0")),
                 PROBLEM_BAD_REQUEST);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0/\0HTTP/1.1\0\0Host\0 a\0\0X")), PROBLEM_BAD_REQUEST);
    cr_expect_eq(judge(&g, HEAD(h, "GET\0 /\0HTTP/1.1\0\0Host\0 a\0\0\0\0")), PROBLEM_BAD_REQUEST);
}

Test(gate, no_beginning_of_a_head_is_a_head)
{
    static const char whole[] = "POST\0/v1/tickets\0HTTP/1.1\0\0Host\0 a\0\0X\0 b\0\0\0";
    for (size_t n = 0; n < sizeof whole; n++) {
        struct gate g = {0};
        struct head h = {.len = n};
        const char *detail = NULL;
        memcpy(h.bytes, whole, n);
        gate_target(&g, h.bytes + 5);
        gate_head(&g, h.bytes, n);
        cr_expect_eq(gate_check(&g, "POST", "HTTP/1.1", &detail),
                     n == sizeof whole ? PROBLEM_NONE : PROBLEM_BAD_REQUEST, "%zu bytes", n);
    }
}

Test(gate, echoes_request_ids_of_harmless_characters)
{
    char longest[66];
    memset(longest, 'x', 65);
    longest[65] = '\0';
    cr_expect_not(request_id_valid(longest));
    longest[64] = '\0';
    cr_expect(request_id_valid(longest));
    cr_expect(request_id_valid("A.b_c-9"));
    cr_expect_not(request_id_valid(""));
    cr_expect_not(request_id_valid("a b"));
    cr_expect_not(request_id_valid("a\"b"));
    cr_expect_not(request_id_valid("\xc3\xa9"));
}

Test(gate, takes_a_traceparent_of_version_00_with_ids_that_are_not_zero)
{
    cr_expect(traceparent_valid("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    static const char *const bad[] = {
        "",
        "00",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-010",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00-4bf92f3577b34da6a3ce929d0e0e4736+00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-000f067aa0ba902b7-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(traceparent_valid(bad[i]), "%s", bad[i]);
}
