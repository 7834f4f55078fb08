#include "out.h"

#include "loop.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_AFTER_MS = 2000, PROGRESS_EVERY_MS = 100 };

const char *out_style(enum out_style style)
{
    static const char *const codes[] = {"\033[0m",  "\033[1m",  "\033[2m",
                                        "\033[31m", "\033[32m", "\033[33m"};
    static int colour = -1;
    if (colour < 0) {
        const char *term = getenv("TERM");
        colour =
            isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
    }
    return colour ? codes[style] : "";
}

const char *out_time(char buf[OUT_TEXT_MAX], int64_t us)
{
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    char day[24];
    localtime_r(&s, &tm);
    strftime(day, sizeof day, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(buf, OUT_TEXT_MAX, "%s.%03d", day, (int)(us / 1000 % 1000));
    return buf;
}

const char *out_rfc3339(char buf[OUT_TEXT_MAX], int64_t us)
{
    time_t s = (time_t)(us / 1000000);
    struct tm tm;
    char day[24];
    gmtime_r(&s, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf, OUT_TEXT_MAX, "%s.%06dZ", day, (int)(us % 1000000));
    return buf;
}

const char *out_span(char buf[OUT_TEXT_MAX], int64_t us)
{
    int64_t s = us / 1000000;
    if (us < 0)
        snprintf(buf, OUT_TEXT_MAX, "-%.1f s", (double)-us / 1e6);
    else if (us < 1000)
        snprintf(buf, OUT_TEXT_MAX, "%" PRId64 " us", us);
    else if (us < 1000000)
        snprintf(buf, OUT_TEXT_MAX, "%.1f ms", (double)us / 1e3);
    else if (s < 60)
        snprintf(buf, OUT_TEXT_MAX, "%.1f s", (double)us / 1e6);
    else if (s < 3600)
        snprintf(buf, OUT_TEXT_MAX, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buf, OUT_TEXT_MAX, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
    else
        snprintf(buf, OUT_TEXT_MAX, "%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
    return buf;
}

const char *out_count(char buf[OUT_TEXT_MAX], int64_t n, const char *noun)
{
    snprintf(buf, OUT_TEXT_MAX, "%" PRId64 " %s%s", n, noun, n == 1 ? "" : "s");
    return buf;
}

static bool progress_shown;

void out_progress(const char *fmt, ...)
{
    static uint64_t first_ms, last_ms;
    static int terminal = -1;
    uint64_t now = now_ms();
    if (terminal < 0)
        terminal = isatty(STDERR_FILENO);
    if (!first_ms)
        first_ms = now;
    if (!terminal || now - first_ms < PROGRESS_AFTER_MS || now - last_ms < PROGRESS_EVERY_MS)
        return;
    last_ms = now;
    char text[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
    progress_shown = true;
}

void out_progress_end(void)
{
    if (progress_shown)
        fprintf(stderr, "\r\033[K");
    progress_shown = false;
}

void out_json(json_t *json)
{
    json_dumpf(json, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
    putchar('\n');
    json_decref(json);
}
