#include "watch.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 100, WATCHERS_MAX = 10000, ASK_MAX = 1000 };

struct watch {
    struct loop *loop;
    struct session *session;
    struct loop_timer timer;
    struct watcher *first, **last; /* in order of asking */
    long n;
    /* the statement under way */
    struct session_job job;
    struct pg_array keys;
    struct watcher *asked[ASK_MAX];
    size_t n_asked;
    bool busy;
};

static void append(struct watch *w, struct watcher *x)
{
    x->next = NULL;
    x->prev = w->last;
    *w->last = x;
    w->last = &x->next;
    w->n++;
}

static void take_out(struct watch *w, struct watcher *x)
{
    *x->prev = x->next;
    if (x->next)
        x->next->prev = x->prev;
    else
        w->last = x->prev;
    w->n--;
}

static void wake(struct watch *w, struct watcher *x)
{
    take_out(w, x);
    if (x->slot)
        *x->slot = NULL;
    x->wake(x);
}

static void on_versions(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct watch *w = (struct watch *)((char *)job - offsetof(struct watch, job));
    size_t n = w->n_asked;
    (void)err; /* asked again at the next tick */
    w->busy = false;
    w->n_asked = 0;
    for (size_t i = 0; i < n; i++)
        if (w->asked[i])
            w->asked[i]->slot = NULL;
    for (int row = 0; res && row < PQntuples(res); row++) {
        long place = strtol(PQgetvalue(res, row, 0), NULL, 10);
        struct watcher *x = place >= 1 && (size_t)place <= n ? w->asked[place - 1] : NULL;
        if (x && strcmp(PQgetvalue(res, row, 1), x->version) != 0)
            wake(w, x);
    }
}

/* Those of the first one's kind; they go to the end, so that all have their turn. */
static void ask(struct watch *w)
{
    const struct pg_stmt *stmt = w->first->stmt;
    struct pg_params p = {0};
    pg_array_reset(&w->keys);
    w->n_asked = 0;
    long left = w->n;
    for (struct watcher *x = w->first, *next; left-- > 0 && w->n_asked < ASK_MAX; x = next) {
        next = x->next;
        if (x->stmt != stmt)
            continue;
        pg_array_text(&w->keys, x->key);
        x->slot = &w->asked[w->n_asked];
        w->asked[w->n_asked++] = x;
        take_out(w, x);
        append(w, x);
    }
    pg_array_param(&w->keys, &p);
    w->busy = true;
    if (session_send(w->session, &w->job, stmt, &p))
        return;
    w->busy = false;
    for (size_t i = 0; i < w->n_asked; i++)
        w->asked[i]->slot = NULL;
    w->n_asked = 0;
}

static void on_tick(void *ctx)
{
    struct watch *w = ctx;
    uint64_t now = now_ms();
    for (struct watcher *x = w->first, *next; x; x = next) {
        next = x->next;
        if (x->deadline_ms <= now)
            wake(w, x);
    }
    if (w->first && !w->busy)
        ask(w);
    if (w->first)
        loop_timer_set(w->loop, &w->timer, now + TICK_MS);
}

struct watch *watch_new(struct loop *loop, struct session *session)
{
    struct watch *w = mem_new(1, sizeof *w);
    w->loop = loop;
    w->session = session;
    w->last = &w->first;
    w->timer = (struct loop_timer){.fn = on_tick, .ctx = w};
    w->job.done = on_versions;
    pg_array_init(&w->keys, PG_TEXT);
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    loop_timer_set(w->loop, &w->timer, 0);
    pg_array_free(&w->keys);
    free(w);
}

bool watch_add(struct watch *w, struct watcher *x)
{
    if (w->n >= WATCHERS_MAX)
        return false;
    x->slot = NULL;
    append(w, x);
    if (!w->timer.at_ms)
        loop_timer_set(w->loop, &w->timer, now_ms() + TICK_MS);
    return true;
}

void watch_wake_all(struct watch *w)
{
    while (w->first)
        wake(w, w->first);
}

long watch_count(const struct watch *w)
{
    return w->n;
}
