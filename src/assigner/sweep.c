#include "sweep.h"

#include "log.h"
#include "loop.h"

#include <string.h>

enum {
    DUE_MAX = 500,       /* offers or tickets at once */
    WAITING_PAGE = 500,  /* tickets */
    MISSING_PAGE = 5000, /* tickets looked at in one statement */
    MISSING_AGAIN_MS = 60000,
    FREE_MAX = 200, /* tickets for one expert at once */
};

/* Adds column col of every row. first: their turn is before all that wait and are not added. */
static void add(struct batch *batch, const PGresult *res, int col, bool first)
{
    for (int row = 0; row < PQntuples(res); row++) {
        uint8_t id[16];
        if (pg_get_uuid(res, row, col, id) == 0)
            batch_swept(batch, id, NULL)->first = first;
    }
}

static void add_all(struct batch *batch, const PGresult *res, int col)
{
    add(batch, res, col, false);
}

static bool has_row(const PGresult *res, int32_t expert)
{
    for (int row = 0; row < PQntuples(res); row++)
        if (pg_get_int8(res, row, 0) == expert)
            return true;
    return false;
}

/* A page of tickets, by a statement whose only parameter is how many at most. */
static int add_page(struct sweep *s, const char *stmt, int max, bool first, struct batch *batch,
                    int *ret_n, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_int4(&params, max);
    if (pg_run(s->pg, stmt, &params, &res, reterr))
        return -1;
    *ret_n = PQntuples(res);
    add(batch, res, 0, first);
    return 0;
}

/* The next woken experts who have room, round and round; those without lose their mark. */
static size_t pick_woken(struct sweep *s, struct roster *roster, struct expert **ret_woken)
{
    size_t n = 0;
    for (size_t i = 0; i < roster->n && n < WOKEN_MAX; i++) {
        struct expert *e =
            &roster->experts[roster->by_id[(i + (size_t)s->woken_behind) % roster->n]];
        if (!e->woken)
            continue;
        roster_wake(roster, e, false);
        if (expert_free(e) && !e->locked)
            ret_woken[n++] = e;
        if (n == WOKEN_MAX)
            s->woken_behind = (int32_t)((i + (size_t)s->woken_behind + 1) % roster->n);
    }
    return n;
}

static int ask_for(struct sweep *s, struct expert **woken, size_t n, struct batch *batch,
                   struct err *reterr)
{
    struct pg_array ids, free;
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_array_init(&ids, PG_INT4);
    pg_array_init(&free, PG_INT4);
    for (size_t i = 0; i < n; i++) {
        /* As many more as the others may take away from this one. */
        int32_t slots = expert_free(woken[i]) + (int32_t)n - 1;
        pg_array_int4(&ids, woken[i]->id);
        pg_array_int4(&free, slots < FREE_MAX ? slots : FREE_MAX);
    }
    pg_array_param(&ids, &params);
    pg_array_param(&free, &params);
    int failed = pg_run(s->pg, "waiting_for", &params, &res, reterr);
    pg_array_free(&ids);
    pg_array_free(&free);
    if (failed)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (has_row(res, woken[i]->id))
            s->asked[s->n_asked++] = woken[i]->id;
    add_all(batch, res, 1);
    return 0;
}

int sweep_woken(struct sweep *s, struct roster *roster, struct batch *batch, struct err *reterr)
{
    struct expert *woken[WOKEN_MAX];
    s->n_asked = 0;
    if (roster->n_woken > WOKEN_MAX) {
        int n;
        if (add_page(s, "waiting_first", WAITING_PAGE, true, batch, &n, reterr))
            return -1;
        if (n < WAITING_PAGE) { /* all that wait are in the batch */
            for (size_t i = 0; i < roster->n && roster->n_woken; i++)
                roster_wake(roster, &roster->experts[roster->by_id[i]], false);
            return 0;
        }
    }
    if (!roster->n_woken)
        return 0;
    size_t n = pick_woken(s, roster, woken);
    int failed = n ? ask_for(s, woken, n, batch, reterr) : 0;
    for (size_t i = 0; failed && i < n; i++)
        roster_wake(roster, woken[i], true);
    return failed;
}

void sweep_again(struct sweep *s, struct roster *roster)
{
    for (size_t i = 0; i < s->n_asked; i++) {
        struct expert *e = roster_find(roster, s->asked[i]);
        if (e && expert_free(e))
            roster_wake(roster, e, true);
    }
    s->n_asked = 0;
}

int sweep_due(struct sweep *s, struct batch *batch, int *ret_tired, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    int n;
    *ret_tired = 0;
    pg_param_int4(&params, DUE_MAX);
    pg_param_text(&params, s->actor);
    if (pg_run(s->pg, "offers_expire", &params, &res, reterr))
        return -1;
    add_all(batch, res, 0);
    for (int row = 0; row < PQntuples(res); row++)
        *ret_tired += pg_get_bool(res, row, 2);
    return add_page(s, "waiting_due", DUE_MAX, false, batch, &n, reterr);
}

int sweep_off(struct sweep *s, struct ids *off, struct batch *batch, struct err *reterr)
{
    struct pg_array ids;
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_array_init(&ids, PG_INT4);
    for (size_t i = 0; i < off->n; i++)
        pg_array_int4(&ids, off->items[i]);
    pg_array_param(&ids, &params);
    pg_param_text(&params, s->actor);
    int failed = pg_run(s->pg, "offers_rescind", &params, &res, reterr);
    pg_array_free(&ids);
    if (failed)
        return -1;
    add_all(batch, res, 0);
    off->n = 0;
    for (int row = 0; row < PQntuples(res); row++)
        if (!PQgetisnull(res, row, 1))
            ids_add(off, (int32_t)pg_get_int8(res, row, 1));
    return 0;
}

int sweep_tell(struct sweep *s, int64_t *ret_told, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_int4(&params, DUE_MAX);
    pg_param_text(&params, s->actor);
    if (pg_run(s->pg, "waiting_tell", &params, &res, reterr))
        return -1;
    *ret_told = pg_get_int8(res, 0, 0);
    return 0;
}

void sweep_all_waiting(struct sweep *s)
{
    memset(s->waiting_behind, 0, sizeof s->waiting_behind);
    s->waiting_all = true;
}

int sweep_waiting(struct sweep *s, struct batch *batch, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_binary(&params, s->waiting_behind, sizeof s->waiting_behind);
    pg_param_int4(&params, WAITING_PAGE);
    if (pg_run(s->pg, "waiting_page", &params, &res, reterr))
        return -1;
    int n = PQntuples(res);
    memset(s->waiting_behind, 0, sizeof s->waiting_behind);
    if (n == WAITING_PAGE)
        pg_get_uuid(res, n - 1, 0, s->waiting_behind);
    else
        s->waiting_all = false;
    add_all(batch, res, 0);
    return 0;
}

int sweep_review(struct sweep *s, struct batch *batch, struct err *reterr)
{
    int n;
    return add_page(s, "review_known", WAITING_PAGE, false, batch, &n, reterr);
}

/* The least UUID version 7 of a time. */
static void uuid_of_time(int64_t unix_ms, uint8_t ret[16])
{
    memset(ret, 0, 16);
    for (int i = 0; i < 6; i++)
        ret[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
}

int sweep_missing(struct sweep *s, long min_age_ms, struct batch *batch, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    size_t had = batch->n;
    pg_param_binary(&params, s->missing_behind, sizeof s->missing_behind);
    pg_param_int8(&params, min_age_ms);
    pg_param_int4(&params, MISSING_PAGE);
    if (pg_run(s->pg, "missing", &params, &res, reterr))
        return -1;
    s->missing_more = pg_get_int8(res, 0, 0) == MISSING_PAGE;
    if (s->missing_more)
        pg_get_uuid(res, 0, 1, s->missing_behind);
    else
        uuid_of_time(pg_get_int8(res, 0, 3) - min_age_ms - MISSING_AGAIN_MS, s->missing_behind);
    add_all(batch, res, 2);
    if (batch->n > had && min_age_ms)
        LOG(WARN, "tickets that no event has brought", F_INT("tickets", batch->n - had));
    return 0;
}
