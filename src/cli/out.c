#include "out.h"

#include "loop.h"

#include <inttypes.h>
#include <pthread.h>
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

/* What the command is at. A thread shows it, because the command itself may wait for minutes within
 * one statement. */
static struct {
    pthread_mutex_t lock;
    char text[160];    /* empty: nothing, or shown already */
    uint64_t first_ms; /* the command is at it since; 0: at nothing */
    bool shown;        /* a line is on the terminal */
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the lock held. */
static void show_progress(void)
{
    if (!progress.text[0] || now_ms() - progress.first_ms < PROGRESS_AFTER_MS)
        return;
    fprintf(stderr, "\r\033[K%s", progress.text);
    fflush(stderr);
    progress.text[0] = '\0';
    progress.shown = true;
}

static void *show_progress_often(void *unused)
{
    (void)unused;
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = PROGRESS_EVERY_MS * 1000000L}, NULL);
        pthread_mutex_lock(&progress.lock);
        show_progress();
        pthread_mutex_unlock(&progress.lock);
    }
    return NULL;
}

/* Whether there is a terminal, and so the thread. Without the thread there is no progress. */
static bool progress_wanted(void)
{
    static int wanted = -1;
    pthread_t thread;
    if (wanted < 0)
        wanted = isatty(STDERR_FILENO) &&
                 pthread_create(&thread, NULL, show_progress_often, NULL) == 0 &&
                 pthread_detach(thread) == 0;
    return wanted;
}

void out_progress(const char *fmt, ...)
{
    if (!progress_wanted())
        return;
    va_list ap;
    va_start(ap, fmt);
    pthread_mutex_lock(&progress.lock);
    if (!progress.first_ms)
        progress.first_ms = now_ms();
    vsnprintf(progress.text, sizeof progress.text, fmt, ap);
    pthread_mutex_unlock(&progress.lock);
    va_end(ap);
}

void out_progress_end(void)
{
    pthread_mutex_lock(&progress.lock);
    if (progress.shown)
        fprintf(stderr, "\r\033[K");
    progress.text[0] = '\0';
    progress.first_ms = 0;
    progress.shown = false;
    pthread_mutex_unlock(&progress.lock);
}

void out_json(json_t *json)
{
    json_dumpf(json, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
    putchar('\n');
    json_decref(json);
}
