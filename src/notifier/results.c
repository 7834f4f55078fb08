#include "results.h"

#include "crash.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "ticket.h"

#include <stdlib.h>
#include <string.h>

enum {
    WRITE_MAX = 256,
    HOLD_MS = 1000,    /* from one try of what somebody holds to the next */
    PATIENCE_MS = 500, /* at most so long one call looks for those that are held */
};

struct writing {
    struct pg *pg;
    const char *actor;
    uint64_t began_ms;
    bool skip_locked; /* somebody holds rows: no more waiting for them */
};

void results_add(struct results *r, const struct result *result)
{
    r->items = mem_room(r->items, r->n, &r->cap, sizeof *r->items);
    r->items[r->n++] = *result;
}

void results_free(struct results *r)
{
    free(r->items);
    *r = (struct results){0};
}

static void add_status_and_error(struct pg_array *status, struct pg_array *error,
                                 const struct result *r)
{
    if (r->status)
        pg_array_int4(status, r->status);
    else
        pg_array_null(status);
    pg_array_text(error, *r->error ? r->error : NULL);
}

static void hold(struct result *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        items[i].held = true;
}

static void hold_locked(struct result *items, size_t n, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++) {
        uint8_t id[16];
        if (strcmp(PQgetvalue(res, row, 1), "locked") != 0 || pg_get_uuid(res, row, 0, id))
            continue;
        for (size_t i = 0; i < n; i++)
            if (memcmp(items[i].notice, id, sizeof id) == 0)
                hold(&items[i], 1);
    }
}

/* One statement for n results that are all final or all not. */
static int write_some(const struct writing *w, struct result *items, size_t n, struct err *reterr)
{
    struct pg_array id, attempt, extra, status, error;
    struct pg_params params = {0};
    bool final = items->final;
    _cleanup_result_ PGresult *res = NULL;
    pg_array_init(&id, PG_UUID);
    pg_array_init(&attempt, PG_INT4);
    pg_array_init(&extra, final ? PG_BOOL : PG_INT8);
    pg_array_init(&status, PG_INT4);
    pg_array_init(&error, PG_TEXT);
    for (size_t i = 0; i < n; i++) {
        pg_array_bytes(&id, items[i].notice, 16);
        pg_array_int4(&attempt, items[i].attempt);
        if (final)
            pg_array_bool(&extra, items[i].delivered);
        else
            pg_array_int8(&extra, items[i].delay_ms);
        add_status_and_error(&status, &error, &items[i]);
    }
    pg_array_param(&id, &params);
    pg_array_param(&attempt, &params);
    pg_array_param(&status, &params);
    pg_array_param(&error, &params);
    pg_array_param(&extra, &params);
    pg_param_text(&params, w->actor);
    if (final)
        pg_param_text(&params, w->skip_locked ? "t" : "f");
    CRASH_POINT("notifier.mark.before");
    int failed = pg_run(w->pg, final ? "finish" : "retry", &params, &res, reterr);
    CRASH_POINT("notifier.mark.after");
    if (!failed && final && w->skip_locked)
        hold_locked(items, n, res);
    pg_array_free(&id);
    pg_array_free(&attempt);
    pg_array_free(&extra);
    pg_array_free(&status);
    pg_array_free(&error);
    return failed;
}

/* As write_some; the first time that somebody holds a row, again without those. */
static int write_free(struct writing *w, struct result *items, size_t n, struct err *reterr)
{
    if (write_some(w, items, n, reterr) == 0)
        return 0;
    if (w->skip_locked || !pg_err_locked(reterr))
        return -1;
    LOG(WARN, "somebody holds the rows of notices; their results wait",
        F_STR("text", reterr->text));
    w->skip_locked = true;
    return items->final ? write_some(w, items, n, reterr) : -1;
}

/* As write_free; halves what the database refuses, and what waits for a lock that can not be
 * skipped. */
static int write_bisecting(struct writing *w, struct result *items, size_t n, struct err *reterr)
{
    char id[UUID_TEXT_LEN + 1];
    if (write_free(w, items, n, reterr) == 0)
        return 0;
    bool locked = pg_err_locked(reterr);
    if (!locked && reterr->kind != ERR_REJECT)
        return -1;
    if (locked && (n == 1 || now_ms() - w->began_ms >= PATIENCE_MS)) {
        hold(items, n);
        return 0;
    }
    if (n > 1)
        return write_bisecting(w, items, n / 2, reterr) ||
                       write_bisecting(w, items + n / 2, n - n / 2, reterr)
                   ? -1
                   : 0;
    uuid_format(items->notice, id);
    LOG(ERROR, "the database refuses the result of a notice; it will be sent again",
        F_STR("notice", id), F_STR("sqlstate", reterr->sqlstate), F_STR("text", reterr->text));
    return 0;
}

/* Those that were held come last, so that one call's patience is not used up by the same again. */
static int by_kind(const void *a, const void *b)
{
    const struct result *x = a, *y = b;
    if (x->held != y->held)
        return x->held - y->held;
    if (x->final != y->final)
        return x->final - y->final;
    return memcmp(x->notice, y->notice, 16);
}

/* Writes those of r->items[at] to [end], and keeps those of them that are held: *ret_kept. */
static int write_part(struct results *r, struct writing *w, size_t at, size_t end, size_t *ret_kept,
                      struct err *reterr)
{
    struct result *kept = &r->items[at];
    bool were_held[WRITE_MAX];
    for (size_t i = at; i < end; i++) {
        were_held[i - at] = r->items[i].held;
        r->items[i].held = false;
    }
    if (write_bisecting(w, kept, end - at, reterr)) {
        for (size_t i = at; i < end; i++)
            r->items[i].held = r->items[i].held || were_held[i - at];
        return -1;
    }
    for (size_t i = at; i < end; i++)
        if (r->items[i].held)
            *kept++ = r->items[i];
    memmove(kept, &r->items[end], (r->n - end) * sizeof *kept);
    *ret_kept = (size_t)(kept - &r->items[at]);
    r->n -= end - at - *ret_kept;
    return 0;
}

int results_write(struct results *r, struct pg *pg, const char *actor, struct err *reterr)
{
    uint64_t now = now_ms();
    struct writing w = {
        .pg = pg, .actor = actor, .began_ms = now, .skip_locked = results_held(r) > 0};
    bool first = !w.skip_locked, retry = !first && now >= r->retry_ms;
    if (r->n)
        qsort(r->items, r->n, sizeof *r->items, by_kind);
    size_t left = retry ? r->n : r->n - results_held(r), at = 0;
    while (left) {
        size_t n = 1, kept;
        while (n < left && n < WRITE_MAX && r->items[at + n].final == r->items[at].final)
            n++;
        if (write_part(r, &w, at, at + n, &kept, reterr))
            return -1;
        at += kept;
        left -= n;
    }
    if (retry || first)
        r->retry_ms = now_ms() + HOLD_MS;
    return 0;
}

size_t results_held(const struct results *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->items[i].held;
    return n;
}

int results_wait_ms(const struct results *r)
{
    uint64_t now = now_ms();
    if (!r->n)
        return -1;
    return results_held(r) < r->n || now >= r->retry_ms ? 0 : (int)(r->retry_ms - now);
}
