#include "log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

static const char *program = "squad";
static enum log_level least = LOG_INFO;
static bool pretty;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(const char *name, enum log_level min_level, enum log_format format)
{
    program = name;
    least = min_level;
    pretty = format == LOG_PRETTY || (format == LOG_AUTO && isatty(STDERR_FILENO));
}

bool log_enabled(enum log_level level)
{
    return level >= least;
}

struct line {
    char *buf;
    size_t len, size;
};

static void put(struct line *l, const char *s, size_t n)
{
    size_t room = l->size - 1 - l->len;
    if (n > room)
        n = room;
    memcpy(l->buf + l->len, s, n);
    l->len += n;
    l->buf[l->len] = '\0';
}

static void puts_(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

static bool needs_quotes(const char *s)
{
    if (!*s)
        return true;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
            return true;
    return false;
}

static void put_value(struct line *l, const char *s)
{
    if (!s)
        s = "";
    if (!needs_quotes(s)) {
        puts_(l, s);
        return;
    }
    puts_(l, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        char esc[8];
        if (c == '"' || c == '\\')
            snprintf(esc, sizeof esc, "\\%c", c);
        else if (c == '\n')
            snprintf(esc, sizeof esc, "\\n");
        else if (c < ' ' || c == 0x7f)
            snprintf(esc, sizeof esc, "\\x%02x", c);
        else
            snprintf(esc, sizeof esc, "%c", c);
        puts_(l, esc);
    }
    puts_(l, "\"");
}

static void put_fields(struct line *l, const struct log_field *f, size_t n, const char *key_on,
                       const char *key_off)
{
    for (size_t i = 0; i < n; i++) {
        char num[40];
        puts_(l, " ");
        puts_(l, key_on);
        puts_(l, f[i].key);
        puts_(l, "=");
        puts_(l, key_off);
        switch (f[i].type) {
        case LOG_F_STR:
            put_value(l, f[i].str);
            break;
        case LOG_F_INT:
            snprintf(num, sizeof num, "%lld", (long long)f[i].num);
            puts_(l, num);
            break;
        case LOG_F_DOUBLE:
            snprintf(num, sizeof num, "%.3f", f[i].dbl);
            puts_(l, num);
            break;
        }
    }
}

static void put_time(struct line *l, bool local)
{
    struct timespec ts;
    struct tm tm;
    char t[64];
    clock_gettime(CLOCK_REALTIME, &ts);
    if (local)
        localtime_r(&ts.tv_sec, &tm);
    else
        gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(t, sizeof t, local ? "%H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(t + n, sizeof t - n, local ? ".%03ld" : ".%03ldZ", ts.tv_nsec / 1000000);
    puts_(l, t);
}

size_t log_format_line(char *buf, size_t size, enum log_level level, const char *event,
                       const struct log_field *fields, size_t n_fields)
{
    struct line l = {.buf = buf, .size = size};
    puts_(&l, "time=");
    put_time(&l, false);
    puts_(&l, " level=");
    puts_(&l, level_names[level]);
    puts_(&l, " program=");
    put_value(&l, program);
    puts_(&l, " msg=");
    put_value(&l, event);
    put_fields(&l, fields, n_fields, "", "");
    return l.len;
}

static size_t format_pretty(char *buf, size_t size, enum log_level level, const char *event,
                            const struct log_field *fields, size_t n_fields)
{
    static const char *const colour[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};
    struct line l = {.buf = buf, .size = size};
    char head[128];
    put_time(&l, true);
    snprintf(head, sizeof head, " %s%-5s\033[0m %-14s ", colour[level], level_names[level],
             program);
    puts_(&l, head);
    puts_(&l, event);
    put_fields(&l, fields, n_fields, "\033[2m", "\033[0m");
    return l.len;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t n_fields)
{
    if (!log_enabled(level))
        return;
    char buf[LINE_MAX_BYTES];
    size_t n = pretty ? format_pretty(buf, sizeof buf - 1, level, event, fields, n_fields)
                      : log_format_line(buf, sizeof buf - 1, level, event, fields, n_fields);
    buf[n++] = '\n';
    /* A log that can not be written must not stop the program. */
    if (write(STDERR_FILENO, buf, n) < 0)
        return;
}

void log_err(enum log_level level, const char *event, const struct err *err)
{
    struct log_field f[5] = {F_STR("error", err->text), F_STR("kind", err_kind_name(err->kind))};
    size_t n = 2;
    if (err->sqlstate[0])
        f[n++] = F_STR("sqlstate", err->sqlstate);
    if (err->code)
        f[n++] = F_INT("code", err->code);
    if (err->hint[0])
        f[n++] = F_STR("hint", err->hint);
    log_write(level, event, f, n);
}
