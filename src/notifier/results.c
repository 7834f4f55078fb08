#include "results.h"

#include "crash.h"
#include "log.h"
#include "mem.h"
#include "ticket.h"

#include <stdlib.h>
#include <string.h>

enum { WRITE_MAX = 256 };

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

/* One statement for n results that are all final or all not. */
static int write_some(struct pg *pg, const struct result *items, size_t n, const char *actor,
                      struct err *reterr)
{
    struct pg_array id, attempt, extra, status, error;
    struct pg_params params = {0};
    bool final = items->final;
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
    pg_array_param(final ? &extra : &attempt, &params);
    pg_array_param(&status, &params);
    pg_array_param(&error, &params);
    if (!final)
        pg_array_param(&extra, &params);
    pg_param_text(&params, actor);
    CRASH_POINT("notifier.mark.before");
    int failed = pg_run(pg, final ? "finish" : "retry", &params, NULL, reterr);
    CRASH_POINT("notifier.mark.after");
    pg_array_free(&id);
    pg_array_free(&attempt);
    pg_array_free(&extra);
    pg_array_free(&status);
    pg_array_free(&error);
    return failed;
}

/* As write_some; halves what the database refuses. */
static int write_bisecting(struct pg *pg, const struct result *items, size_t n, const char *actor,
                           struct err *reterr)
{
    char id[UUID_TEXT_LEN + 1];
    if (write_some(pg, items, n, actor, reterr) == 0)
        return 0;
    if (reterr->kind != ERR_REJECT)
        return -1;
    if (n > 1)
        return write_bisecting(pg, items, n / 2, actor, reterr) ||
                       write_bisecting(pg, items + n / 2, n - n / 2, actor, reterr)
                   ? -1
                   : 0;
    uuid_format(items->notice, id);
    LOG(ERROR, "the database refuses the result of a notice; it will be sent again",
        F_STR("notice", id), F_STR("sqlstate", reterr->sqlstate), F_STR("text", reterr->text));
    return 0;
}

static int by_kind(const void *a, const void *b)
{
    const struct result *x = a, *y = b;
    return x->final != y->final ? x->final - y->final : memcmp(x->notice, y->notice, 16);
}

int results_write(struct results *r, struct pg *pg, const char *actor, struct err *reterr)
{
    if (r->n)
        qsort(r->items, r->n, sizeof *r->items, by_kind);
    while (r->n) {
        size_t n = 1;
        while (n < r->n && n < WRITE_MAX && r->items[n].final == r->items[0].final)
            n++;
        if (write_bisecting(pg, r->items, n, actor, reterr))
            return -1;
        r->n -= n;
        memmove(r->items, r->items + n, r->n * sizeof *r->items);
    }
    return 0;
}
