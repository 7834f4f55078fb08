/*
 * watch.h - who waits for a change: the primitive below long polls.
 *
 * While someone waits, one statement a tick asks for the versions of all keys
 * waited for, and who has another one is woken. It compares what is with what
 * the waiter knows, so no change can be missed, and costs writers nothing.
 */
#pragma once

#include "loop.h"
#include "pg.h"
#include "session.h"

#include <stdbool.h>
#include <stdint.h>

enum { WATCH_KEY_MAX = 64, WATCH_VERSION_MAX = 64 };

/* Embedded in its owner's struct, which must live until wake was called. */
struct watcher {
    /* $1 text[]: keys. Answers (n integer, version text) for each key, n its place from 1, in text
     * format. Prepared on the session. */
    const struct pg_stmt *stmt;
    char key[WATCH_KEY_MAX], version[WATCH_VERSION_MAX]; /* the version that is known */
    uint64_t deadline_ms;
    void (*wake)(struct watcher *w); /* once: changed, or the deadline, or watch_wake_all */
    /* the module's own */
    struct watcher *next, **prev;
    struct watcher **slot; /* its place in the statement under way */
};

struct watch;

/* Uses the session (borrowed), which must outlive it. */
struct watch *watch_new(struct loop *loop, struct session *session); /* owned */
void watch_free(struct watch *w);

/* False: too many wait already, answer now. */
bool watch_add(struct watch *w, struct watcher *watcher);

void watch_wake_all(struct watch *w); /* before the end of the program */
/* How many wait. */
long watch_count(const struct watch *w);
