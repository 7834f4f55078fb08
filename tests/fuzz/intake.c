/*
 * What intake reads from strangers, byte by byte: the head of a request, both encodings of forms,
 * JSON. For libFuzzer (make fuzz), and for the replay of its corpus in the unit tests.
 *
 * The first byte says which reader; what a reader lets through must keep its promise, or abort.
 */
#include "accept.h"
#include "form.h"
#include "gate.h"
#include "media.h"
#include "utf8.h"
#include "validate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(x) ((x) ? (void)0 : abort())

/* An own copy without a byte to spare, so that a read beyond it is seen. */
static char *exact(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    return copy;
}

/* --- the head --- */

/* What libmicrohttpd makes of a line: NULs for its end and for its separators. False: it would not
 * call the gate at all. */
static bool cut_line(char *line, size_t n, bool first)
{
    char *blank = memchr(line, ' ', n), *colon = memchr(line, ':', n);
    if (!first)
        return colon ? (*colon = '\0', true) : false;
    if (!blank)
        return false;
    *blank = '\0';
    char *last = memrchr(line, ' ', n);
    if (last)
        *last = '\0';
    return true;
}

/* Cuts the head as libmicrohttpd does. Its size, up to and with the empty line; 0: no head. */
static size_t cut_head(char *head, size_t size)
{
    for (size_t start = 0; start < size;) {
        char *lf = memchr(head + start, '\n', size - start);
        if (!lf)
            return 0;
        size_t end = (size_t)(lf - head), n = end - start;
        *lf = '\0';
        if (n && lf[-1] == '\r') {
            lf[-1] = '\0';
            n--;
        }
        if (start && (n == 0 || !head[start]))
            return end + 1;
        if (n == 0 || !cut_line(head + start, n, start == 0))
            return 0;
        start = end + 1;
    }
    return 0;
}

/* Nothing but the printable, tabs and what stands for the separators is in a head let through, and
 * the headers squad reads are within it. */
static void check_head(const struct gate *g, const char *head, size_t size)
{
    const char *const values[] = {g->host,          g->content_length,
                                  g->authorization, g->idempotency_key,
                                  g->request_id,    g->traceparent};
    PROMISE(size >= 4 && memcmp(head + size - 4, "\0\0\0\0", 4) == 0);
    for (size_t i = 0; i < size; i++)
        PROMISE(!head[i] || head[i] == '\t' || ((unsigned char)head[i] >= ' ' && head[i] != 0x7f));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        PROMISE(!values[i] || (values[i] > head && values[i] < head + size));
    PROMISE(g->host && g->host[0] && !g->transfer_encoding);
    PROMISE(!g->content_length || strtoull(g->content_length, NULL, 10) == g->length);
}

static void fuzz_head(const uint8_t *data, size_t size, bool cut)
{
    char *head = exact(data, size);
    struct gate g = {0};
    const char *detail;
    if (cut)
        size = cut_head(head, size);
    char *target = size ? memchr(head, '\0', size) : NULL;
    /* Libmicrohttpd has terminated target and version before it calls anyone. */
    char *version = target ? memchr(target + 1, '\0', size - (size_t)(target + 1 - head)) : NULL;
    if (version && memchr(version + 1, '\0', size - (size_t)(version + 1 - head))) {
        gate_target(&g, target + 1);
        gate_head(&g, head, size);
        if (gate_check(&g, head, version + 1, &detail) == PROBLEM_NONE)
            check_head(&g, head, size);
        if (g.request_id)
            request_id_valid(g.request_id);
        if (g.traceparent)
            traceparent_valid(g.traceparent);
        if (g.accept)
            accept_weight(g.accept, "text/html");
        prefer_wait_s(g.prefer);
        media_of(g.content_type);
    }
    free(head);
}

/* --- forms --- */

static void check_form(const struct form *form)
{
    PROMISE(form->n <= FORM_FIELDS_MAX);
    for (size_t i = 0; i < form->n; i++) {
        const struct form_field *f = &form->field[i];
        PROMISE(f->name[0] && utf8_valid(f->name, strlen(f->name)));
        PROMISE(utf8_valid(f->value, strlen(f->value)));
        PROMISE(form_value(form, f->name) == f->value);
    }
}

/* Written again, a form reads the same. */
static void check_again(const struct form *form)
{
    static const char hex[] = "0123456789ABCDEF";
    struct text t = {0};
    struct form again;
    const char *why;
    for (size_t i = 0; i < form->n; i++)
        for (int value = 0; value < 2; value++) {
            text_put(&t, value ? "=" : "&", i || value ? 1 : 0);
            for (const char *s = value ? form->field[i].value : form->field[i].name; *s; s++) {
                unsigned char c = (unsigned char)*s;
                text_put(&t, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
            }
        }
    PROMISE(form_urlencoded(t.data ? t.data : "", t.len, &again, &why) == 0 && again.n == form->n);
    for (size_t i = 0; i < form->n; i++)
        PROMISE(strcmp(again.field[i].name, form->field[i].name) == 0 &&
                strcmp(again.field[i].value, form->field[i].value) == 0);
    form_free(&again);
    text_free(&t);
}

static void fuzz_urlencoded(const uint8_t *data, size_t size)
{
    char *body = exact(data, size);
    struct form form;
    const char *why = NULL;
    if (form_urlencoded(body, size, &form, &why) == 0) {
        check_form(&form);
        check_again(&form);
        form_free(&form);
    } else {
        PROMISE(why && !form.memory);
    }
    free(body);
}

/* The first line is the header Content-Type. */
static void fuzz_multipart(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    if (!line || memchr(data, '\0', (size_t)(line - data)))
        return;
    size_t head_len = (size_t)(line - data), body_len = size - head_len - 1;
    char *head = exact(data, head_len + 1), *body = exact(line + 1, body_len);
    struct form form;
    const char *why = NULL;
    head[head_len] = '\0';
    if (form_multipart(body, body_len, head, &form, &why) == 0) {
        check_form(&form);
        check_again(&form);
        form_free(&form);
    } else {
        PROMISE(why && !form.memory);
    }
    free(head);
    free(body);
}

/* --- JSON --- */

static void check_text(const char *s, size_t max_chars, bool required)
{
    size_t n = 0;
    PROMISE(s || !required);
    if (!s)
        return;
    PROMISE(utf8_valid(s, strlen(s)));
    for (const char *c = s; *c; c++)
        n += ((unsigned char)*c & 0xc0) != 0x80;
    PROMISE(n >= 1 && n <= max_chars);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What the quick reader takes, jansson takes, and says the same. */
static void check_scan(const char *body, size_t size)
{
    static struct violations v;
    struct ticket_fields f, g;
    if (!ticket_scan(body, size, "web", &f))
        return;
    v = (struct violations){0};
    json_t *root = violations_read(body, size, &v);
    PROMISE(root && ticket_validate_json(root, "web", &g, &v) == 0);
    PROMISE(same(f.type, g.type) && same(f.area, g.area) && same(f.problem, g.problem) &&
            same(f.source, g.source) && same(f.contract, g.contract));
    PROMISE(same(f.customer_ref, g.customer_ref) && same(f.customer_name, g.customer_name) &&
            same(f.customer_phone, g.customer_phone) && same(f.customer_email, g.customer_email));
    ticket_fields_free(&f);
    ticket_fields_free(&g);
}

static void fuzz_json(const uint8_t *data, size_t size)
{
    static struct violations v;
    char *body = exact(data, size);
    struct ticket_fields f;
    check_scan(body, size);
    if (ticket_validate(body, size, "web", &f, &v) == 0) {
        check_text(f.type, TICKET_TYPE_MAX, true);
        check_text(f.area, TICKET_AREA_MAX, true);
        check_text(f.problem, TICKET_PROBLEM_MAX, true);
        check_text(f.source, TICKET_SOURCE_MAX, true);
        check_text(f.contract, TICKET_CONTRACT_MAX, false);
        check_text(f.customer_ref, TICKET_CUSTOMER_REF_MAX, false);
        check_text(f.customer_name, TICKET_CUSTOMER_NAME_MAX, false);
        check_text(f.customer_phone, TICKET_CUSTOMER_PHONE_MAX, false);
        check_text(f.customer_email, TICKET_CUSTOMER_EMAIL_MAX, false);
        ticket_fields_free(&f);
    } else {
        PROMISE(v.n > 0 && v.n <= VIOLATIONS_MAX);
        for (size_t i = 0; i < v.n; i++)
            PROMISE(utf8_valid(v.list[i].pointer, strlen(v.list[i].pointer)));
    }
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    switch (data[0]) {
    case 'h':
        fuzz_head(data + 1, size - 1, true);
        break;
    case 'H':
        fuzz_head(data + 1, size - 1, false);
        break;
    case 'f':
        fuzz_urlencoded(data + 1, size - 1);
        break;
    case 'm':
        fuzz_multipart(data + 1, size - 1);
        break;
    case 'j':
        fuzz_json(data + 1, size - 1);
        break;
    default:
        break;
    }
    return 0;
}
