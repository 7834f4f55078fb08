#include "scan.h"

#include "hex.h"
#include "utf8.h"

#include <stdint.h>
#include <string.h>

struct scan {
    char *at, *end;
};

static char skip_blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
    return s->at < s->end ? *s->at : '\0';
}

/* c is the next character but blanks; goes behind it. */
static bool take(struct scan *s, char c)
{
    if (skip_blanks(s) != c)
        return false;
    s->at++;
    return true;
}

static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* \uXXXX, except NUL and surrogates, at s->at behind the u. Never longer than it was. */
static char *take_unicode(struct scan *s, char *to)
{
    int c = hex4(s->at, s->end);
    if (c <= 0 || (c >= 0xd800 && c <= 0xdfff))
        return NULL;
    s->at += 4;
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* What stands behind a backslash. Where the text goes on; NULL: not for us. */
static char *take_escape(struct scan *s, char *to)
{
    static const char from[] = "\"\\/bfnrt", made[] = "\"\\/\b\f\n\r\t";
    char c = s->at < s->end ? *s->at++ : '\0';
    if (c == 'u')
        return take_unicode(s, to);
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return NULL;
    *to++ = made[found - from];
    return to;
}

/* A string, decoded in place and NUL-terminated; NULL: not for us. */
static char *take_string(struct scan *s)
{
    if (!take(s, '"'))
        return NULL;
    char *text = s->at, *to = text;
    unsigned char bits = 0;
    while (s->at < s->end && *s->at != '"') {
        unsigned char c = (unsigned char)*s->at++;
        bits |= c;
        if (c == '\\') {
            if (!(to = take_escape(s, to)))
                return NULL;
        } else if (c < ' ') {
            return NULL;
        } else {
            *to++ = (char)c;
        }
    }
    if (s->at == s->end)
        return NULL;
    s->at++;
    *to = '\0';
    return bits < 0x80 || utf8_valid(text, (size_t)(to - text)) ? text : NULL;
}

static bool take_null(struct scan *s)
{
    skip_blanks(s);
    if (s->end - s->at < 4 || memcmp(s->at, "null", 4) != 0)
        return false;
    s->at += 4;
    return true;
}

static struct scan_member *find(struct scan_member *members, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

/* The value of a member that has just been named. */
static bool take_value(struct scan *s, struct scan_member *m)
{
    if (!m || m->seen)
        return false;
    m->seen = true;
    if (skip_blanks(s) != '"')
        return take_null(s);
    m->text = take_string(s);
    return m->text != NULL;
}

static bool take_flat(struct scan *s, struct scan_member *members, size_t n)
{
    if (!take(s, '{'))
        return false;
    if (take(s, '}'))
        return true;
    do {
        const char *name = take_string(s);
        if (!name || !take(s, ':') || !take_value(s, find(members, n, name)))
            return false;
    } while (take(s, ','));
    return take(s, '}');
}

bool scan_texts(char *memory, size_t len, struct scan_member *outer, size_t n_outer,
                const char *inner_name, struct scan_member *inner, size_t n_inner)
{
    struct scan s = {.at = memory, .end = memory + len};
    bool inner_seen = false;
    if (!take(&s, '{'))
        return false;
    do {
        const char *name = take_string(&s);
        if (!name || !take(&s, ':'))
            return false;
        if (strcmp(name, inner_name) == 0) {
            if (inner_seen)
                return false;
            inner_seen = true;
            if (skip_blanks(&s) == '{' ? !take_flat(&s, inner, n_inner) : !take_null(&s))
                return false;
        } else if (!take_value(&s, find(outer, n_outer, name))) {
            return false;
        }
    } while (take(&s, ','));
    return take(&s, '}') && (skip_blanks(&s), s.at == s.end);
}
