#include "roster_db.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

static void keep_snapshot(char **snapshot, const PGresult *res)
{
    if (!snapshot || !PQntuples(res))
        return;
    free(*snapshot);
    *snapshot = mem_text(PQgetvalue(res, 0, 0));
}

/* What changes most: the load. */
static void apply_load(struct expert *e, int32_t load, int32_t capacity, int64_t idle_since_us)
{
    int32_t before = expert_free(e);
    e->load = load;
    e->capacity = capacity;
    e->idle_since_us = idle_since_us;
    e->woken |= expert_free(e) > before;
}

/* A row of roster_all or roster_some. */
static void apply_expert(struct roster *roster, const PGresult *res, int row)
{
    struct expert facts = {.id = (int32_t)pg_get_int8(res, row, 1),
                           .version = (int32_t)pg_get_int8(res, row, 2),
                           .active = pg_get_bool(res, row, 3),
                           .load = (int32_t)pg_get_int8(res, row, 4),
                           .capacity = (int32_t)pg_get_int8(res, row, 5),
                           .idle_since_us = pg_get_int8(res, row, 6)};
    struct expert *e = roster_find(roster, facts.id);
    if (e && e->version == facts.version) {
        apply_load(e, facts.load, facts.capacity, facts.idle_since_us);
        return;
    }
    e = roster_put(roster, &facts, PQgetvalue(res, row, 7), PQgetvalue(res, row, 8));
    e->woken |= expert_free(e) > 0;
}

/* Who is not among the rows, sorted by id as the roster is, has left. */
static void remove_others(struct roster *roster, const PGresult *res)
{
    int rows = PQntuples(res);
    for (size_t i = 0; i < roster->n;) {
        int low = 0, high = rows;
        int32_t id = roster->experts[i].id;
        while (low < high) {
            int mid = low + (high - low) / 2;
            if (pg_get_int8(res, mid, 1) < id)
                low = mid + 1;
            else
                high = mid;
        }
        if (low < rows && !PQgetisnull(res, low, 1) && pg_get_int8(res, low, 1) == id)
            i++;
        else
            roster_remove(roster, id);
    }
}

int roster_load_types(struct pg *pg, struct roster *roster, bool *ret_changed, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    if (pg_run(pg, "types", NULL, &res, reterr))
        return -1;
    uint64_t digest = 14695981039346656037U; /* FNV-1a over all values */
    for (int row = 0; row < PQntuples(res); row++)
        for (int col = 0; col < PQnfields(res); col++)
            for (const char *c = PQgetvalue(res, row, col);; c++) {
                digest = (digest ^ (uint8_t)*c) * 1099511628211U;
                if (!*c)
                    break;
            }
    *ret_changed = digest != roster->types_digest;
    if (!*ret_changed)
        return 0;
    roster_clear_types(roster);
    roster->types_digest = digest;
    for (int row = 0; row < PQntuples(res); row++) {
        const char *type = PQgetvalue(res, row, 0), *skill = pg_get_text(res, row, 2);
        roster_add_type(roster, type, (int)pg_get_int8(res, row, 1));
        if (skill)
            roster_add_need(roster, type, skill, (int)pg_get_int8(res, row, 3));
    }
    return 0;
}

int roster_load(struct pg *pg, struct roster *roster, char **snapshot, struct err *reterr)
{
    bool changed;
    _cleanup_result_ PGresult *res = NULL;
    if (roster_load_types(pg, roster, &changed, reterr) ||
        pg_run(pg, "roster_all", NULL, &res, reterr))
        return -1;
    for (int row = 0; row < PQntuples(res); row++)
        if (!PQgetisnull(res, row, 1))
            apply_expert(roster, res, row);
    remove_others(roster, res);
    keep_snapshot(snapshot, res);
    return 0;
}

static int load_some(struct pg *pg, struct roster *roster, struct pg_array *ids, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_array_param(ids, &params);
    if (pg_run(pg, "roster_some", &params, &res, reterr))
        return -1;
    for (int row = 0; row < PQntuples(res); row++)
        apply_expert(roster, res, row);
    return 0;
}

int roster_refresh(struct pg *pg, struct roster *roster, char **snapshot, struct err *reterr)
{
    struct pg_params params = {0};
    struct pg_array changed;
    _cleanup_result_ PGresult *res = NULL;
    pg_param_text(&params, *snapshot);
    if (pg_run(pg, "roster_changes", &params, &res, reterr))
        return -1;
    pg_array_init(&changed, PG_INT4);
    for (int row = 0; row < PQntuples(res); row++) {
        if (PQgetisnull(res, row, 1))
            continue;
        struct expert *e = roster_find(roster, (int32_t)pg_get_int8(res, row, 1));
        if (e && e->version == pg_get_int8(res, row, 2))
            apply_load(e, (int32_t)pg_get_int8(res, row, 3), (int32_t)pg_get_int8(res, row, 4),
                       pg_get_int8(res, row, 5));
        else
            pg_array_int4(&changed, (int32_t)pg_get_int8(res, row, 1));
    }
    int failed = changed.n ? load_some(pg, roster, &changed, reterr) : 0;
    pg_array_free(&changed);
    if (!failed)
        keep_snapshot(snapshot, res);
    return failed;
}
