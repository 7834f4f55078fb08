#include "form.h"

#include "hex.h"
#include "mem.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BOUNDARY_MAX = 70 };

void form_free(struct form *form)
{
    free(form->memory);
    *form = (struct form){0};
}

const char *form_value(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->n; i++)
        if (strcmp(form->field[i].name, name) == 0)
            return form->field[i].value;
    return NULL;
}

/* Takes a field whose name and value lie, NUL-terminated, in the form's memory. */
static const char *add(struct form *form, const char *name, size_t name_len, const char *value,
                       size_t value_len)
{
    if (form->n == FORM_FIELDS_MAX)
        return "has too many fields";
    if (name_len < 1 || name_len > FORM_NAME_MAX)
        return "has a field whose name is empty or too long";
    if (!utf8_valid(name, name_len) || !utf8_valid(value, value_len))
        return "is not UTF-8, or contains NUL";
    if (form_value(form, name))
        return "has a field twice";
    form->field[form->n++] = (struct form_field){name, value};
    return NULL;
}

static int refuse(struct form *form, const char *why, const char **ret_why)
{
    form_free(form);
    *ret_why = why;
    return -1;
}

/* --- application/x-www-form-urlencoded --- */

/* Decodes in place and ends with a NUL, for which the caller has room. -1: a broken escape. */
static long decode(char *s, size_t n)
{
    size_t o = 0;
    for (size_t i = 0; i < n; i++, o++) {
        if (s[i] == '%') {
            int hi = i + 2 < n ? hex_digit(s[i + 1]) : -1,
                lo = i + 2 < n ? hex_digit(s[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return -1;
            s[o] = (char)(hi << 4 | lo);
            i += 2;
        } else {
            s[o] = s[i] == '+' ? ' ' : s[i];
        }
    }
    s[o] = '\0';
    return (long)o;
}

static const char *take_pair(struct form *form, char *s, size_t n)
{
    char *equals = memchr(s, '=', n);
    size_t name_len = equals ? (size_t)(equals - s) : n;
    char *value = equals ? equals + 1 : s + n;
    long name_n = decode(s, name_len);
    long value_n = equals ? decode(value, n - name_len - 1) : 0;
    if (name_n < 0 || value_n < 0)
        return "has a broken %-escape";
    return add(form, s, (size_t)name_n, equals ? value : "", (size_t)value_n);
}

int form_urlencoded(const char *body, size_t len, struct form *ret, const char **ret_why)
{
    *ret = (struct form){.memory = mem_new(1, len + 1)};
    memcpy(ret->memory, body, len);
    for (char *s = ret->memory, *end = s + len; s < end;) {
        char *amp = memchr(s, '&', (size_t)(end - s));
        size_t n = (size_t)((amp ? amp : end) - s);
        const char *why = n ? take_pair(ret, s, n) : NULL;
        if (why)
            return refuse(ret, why, ret_why);
        s += n + 1;
    }
    return 0;
}

/* --- multipart/form-data --- */

/* Value of a parameter of a header, as boundary=x or name="x"; copied without its quotes. False:
 * not there, or not well-formed. */
static bool parameter(const char *s, size_t n, const char *name, char *to, size_t size)
{
    size_t len = strlen(name);
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"')
            quoted = !quoted;
        if (quoted || s[i] != ';')
            continue;
        size_t at = i + 1, o = 0;
        while (at < n && (s[at] == ' ' || s[at] == '\t'))
            at++;
        if (n - at <= len || strncasecmp(s + at, name, len) != 0 || s[at + len] != '=')
            continue;
        at += len + 1;
        bool in_quotes = at < n && s[at] == '"';
        for (at += in_quotes; at < n && s[at] != (in_quotes ? '"' : ';'); at++) {
            if (o + 1 >= size || (!in_quotes && (s[at] == ' ' || s[at] == '\t')))
                return false;
            to[o++] = s[at];
        }
        to[o] = '\0';
        return !in_quotes || at < n;
    }
    return false;
}

static char *find(char *s, const char *end, const char *needle, size_t n)
{
    return n && s < end ? memmem(s, (size_t)(end - s), needle, n) : NULL;
}

static const char *part_name(const char *line, size_t n, char *name)
{
    static const char wanted[] = "Content-Disposition:";
    char file[256];
    if (n < sizeof wanted - 1 || strncasecmp(line, wanted, sizeof wanted - 1) != 0)
        return NULL;
    if (parameter(line, n, "filename", file, sizeof file) ||
        parameter(line, n, "filename*", file, sizeof file))
        return "has a file, which is not accepted";
    if (!parameter(line, n, "name", name, FORM_NAME_MAX + 1))
        return "has a part without a name, or with one too long";
    return NULL;
}

/* One part, headers and value, between two boundaries. The name goes over its own headers, which
 * are longer. */
static const char *take_part(struct form *form, char *s, char *end)
{
    char name[FORM_NAME_MAX + 1] = "", *at = s;
    for (;;) {
        char *eol = find(at, end, "\r\n", 2);
        if (!eol)
            return "has a part without an end of its headers";
        if (eol == at)
            break;
        const char *why = part_name(at, (size_t)(eol - at), name);
        if (why)
            return why;
        at = eol + 2;
    }
    size_t n = strlen(name);
    if (n == 0)
        return "has a part without a name";
    memcpy(s, name, n + 1);
    *end = '\0';
    return add(form, s, n, at + 2, (size_t)(end - at - 2));
}

int form_multipart(const char *body, size_t len, const char *content_type, struct form *ret,
                   const char **ret_why)
{
    char mark[BOUNDARY_MAX + 8] = "\r\n--";
    *ret = (struct form){0};
    if (!parameter(content_type, strlen(content_type), "boundary", mark + 4, BOUNDARY_MAX + 1) ||
        !mark[4])
        return refuse(ret, "has no boundary in Content-Type", ret_why);
    size_t n = strlen(mark);
    *ret = (struct form){.memory = mem_new(1, len + 1)};
    char *s = ret->memory, *end = s + len;
    memcpy(s, body, len);
    if (len < n - 2 || memcmp(s, mark + 2, n - 2) != 0)
        return refuse(ret, "does not begin with its boundary", ret_why);
    for (s += n - 2;;) {
        if (end - s >= 2 && memcmp(s, "--", 2) == 0)
            return 0;
        if (end - s < 2 || memcmp(s, "\r\n", 2) != 0)
            return refuse(ret, "has a boundary with something behind it", ret_why);
        char *next = find(s, end, mark, n);
        if (!next)
            return refuse(ret, "has no closing boundary", ret_why);
        const char *why = take_part(ret, s + 2, next);
        if (why)
            return refuse(ret, why, ret_why);
        s = next + n;
    }
}
