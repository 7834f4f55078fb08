#include "text.h"

#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

void text_reset(struct text *t)
{
    t->len = 0;
}

char *text_room(struct text *t, size_t n)
{
    if (t->len + n + 1 > t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        while (cap < t->len + n + 1)
            cap *= 2;
        t->data = mem_resize(t->data, cap, 1);
        t->cap = cap;
    }
    return t->data + t->len;
}

void text_put(struct text *t, const char *data, size_t n)
{
    char *to = text_room(t, n);
    memcpy(to, data, n);
    to[n] = '\0';
    t->len += n;
}

void text_str(struct text *t, const char *s)
{
    text_put(t, s, strlen(s));
}

void text_int(struct text *t, int64_t v)
{
    char s[24];
    int n = snprintf(s, sizeof s, "%lld", (long long)v);
    text_put(t, s, (size_t)n);
}

static size_t escape(unsigned char c, char out[8])
{
    static const char hex[] = "0123456789abcdef";
    out[0] = '\\';
    switch (c) {
    case '"':
    case '\\':
        out[1] = (char)c;
        return 2;
    case '\n':
        out[1] = 'n';
        return 2;
    case '\t':
        out[1] = 't';
        return 2;
    default:
        memcpy(out + 1, "u00", 3);
        out[4] = hex[c >> 4];
        out[5] = hex[c & 15];
        return 6;
    }
}

void text_json(struct text *t, const char *s)
{
    text_put(t, "\"", 1);
    while (*s) {
        size_t n = 0;
        while ((unsigned char)s[n] >= ' ' && s[n] != '"' && s[n] != '\\' && s[n] != 0x7f)
            n++;
        text_put(t, s, n);
        s += n;
        if (*s) {
            char out[8];
            text_put(t, out, escape((unsigned char)*s++, out));
        }
    }
    text_put(t, "\"", 1);
}

static void two_digits(char *to, int v)
{
    to[0] = (char)('0' + v / 10);
    to[1] = (char)('0' + v % 10);
}

void text_time(struct text *t, int64_t epoch_us)
{
    time_t s = (time_t)(epoch_us / 1000000);
    int us = (int)(epoch_us % 1000000);
    struct tm tm;
    char out[] = "0000-00-00T00:00:00.000000Z";
    gmtime_r(&s, &tm);
    two_digits(out, (tm.tm_year + 1900) / 100);
    two_digits(out + 2, (tm.tm_year + 1900) % 100);
    two_digits(out + 5, tm.tm_mon + 1);
    two_digits(out + 8, tm.tm_mday);
    two_digits(out + 11, tm.tm_hour);
    two_digits(out + 14, tm.tm_min);
    two_digits(out + 17, tm.tm_sec);
    two_digits(out + 20, us / 10000);
    two_digits(out + 22, us / 100 % 100);
    two_digits(out + 24, us % 100);
    text_put(t, out, sizeof out - 1);
}
