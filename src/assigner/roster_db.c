#include "roster_db.h"

#include "loop.h"
#include "mem.h"
#include "roster_types.h"

#include <stdlib.h>
#include <string.h>

static void keep_snapshot(char **snapshot, const PGresult *res)
{
    if (!snapshot || !PQntuples(res))
        return;
    free(*snapshot);
    *snapshot = mem_text(PQgetvalue(res, 0, 0));
}

/* Column col of the first row: when the statement began. What its answer took makes ours later. */
static void keep_clock(struct roster *roster, const PGresult *res, int col)
{
    if (PQntuples(res))
        roster->clock_us = pg_get_int8(res, 0, col) - wall_us();
}

int64_t roster_now_us(const struct roster *roster)
{
    return wall_us() + roster->clock_us;
}

void ids_add(struct ids *ids, int32_t id)
{
    ids->items = mem_room(ids->items, ids->n, &ids->cap, sizeof *ids->items);
    ids->items[ids->n++] = id;
}

static struct point get_point(const PGresult *res, int row, int col)
{
    if (PQgetisnull(res, row, col))
        return point_unknown;
    return (struct point){strtof(PQgetvalue(res, row, col), NULL),
                          strtof(PQgetvalue(res, row, col + 1), NULL)};
}

static struct span get_span(const PGresult *res, int row, int col)
{
    if (PQgetisnull(res, row, col))
        return span_never;
    return (struct span){pg_get_int8(res, row, col), pg_get_int8(res, row, col + 1)};
}

/* What changes most: the load. */
static void apply_load(struct roster *roster, struct expert *e, int32_t load, int32_t capacity,
                       int64_t idle_since_us)
{
    int32_t before = expert_free(e);
    if (load == e->load && capacity == e->capacity && idle_since_us == e->idle_since_us)
        return;
    roster_better(roster, e);
    e->load = load;
    e->capacity = capacity;
    e->idle_since_us = idle_since_us;
    if (expert_free(e) > before)
        roster_wake(roster, e, true);
}

static void apply_position(struct roster *roster, struct expert *e, struct point position,
                           int64_t at_us)
{
    if (!point_known(position) || (at_us == e->position_us && point_known(e->position)))
        return;
    e->position = position;
    e->position_us = at_us;
    roster_better(roster, e);
    if (expert_free(e))
        roster_wake(roster, e, true);
}

static void note_off(struct ids *off, const struct expert *e, int64_t now_us)
{
    bool absent = e->absence.from_us <= now_us && e->absence.to_us > now_us;
    if (off && (!e->active || !e->available || absent))
        ids_add(off, e->id);
}

/* A row of roster_page or roster_some: columns of squad.roster behind the snapshot. */
static void apply_expert(struct roster *roster, const PGresult *res, int row, struct ids *off)
{
    struct expert facts = {.id = (int32_t)pg_get_int8(res, row, 1),
                           .version = (int32_t)pg_get_int8(res, row, 2),
                           .active = pg_get_bool(res, row, 3),
                           .load = (int32_t)pg_get_int8(res, row, 4),
                           .capacity = (int32_t)pg_get_int8(res, row, 5),
                           .idle_since_us = pg_get_int8(res, row, 6),
                           .available = pg_get_bool(res, row, 9),
                           .shift =
                               pg_get_bool(res, row, 10) ? span_always : get_span(res, row, 11),
                           .absence = get_span(res, row, 13),
                           .home = get_point(res, row, 15),
                           .position = get_point(res, row, 17)};
    if (!PQgetisnull(res, row, 19))
        facts.position_us = pg_get_int8(res, row, 19);
    struct expert *e = roster_find(roster, facts.id);
    if (e && e->version == facts.version) {
        roster_set_times(roster, e, facts.shift, facts.absence);
        apply_load(roster, e, facts.load, facts.capacity, facts.idle_since_us);
        apply_position(roster, e, facts.position, facts.position_us);
    } else {
        e = roster_put(roster, &facts, PQgetvalue(res, row, 7), PQgetvalue(res, row, 8));
        if (expert_free(e))
            roster_wake(roster, e, true);
    }
    note_off(off, e, roster_now_us(roster));
}

/* Who is not among the rows, sorted by id as the roster is, has left; from behind one number up to
 * another. */
static void remove_others(struct roster *roster, const PGresult *res, int32_t behind, int32_t to)
{
    int rows = PQntuples(res), row = 0;
    size_t i = 0;
    while (i < roster->n && roster->experts[roster->by_id[i]].id <= behind)
        i++;
    while (i < roster->n) {
        int32_t id = roster->experts[roster->by_id[i]].id;
        if (id > to)
            break;
        while (row < rows && !PQgetisnull(res, row, 1) && pg_get_int8(res, row, 1) < id)
            row++;
        if (row < rows && !PQgetisnull(res, row, 1) && pg_get_int8(res, row, 1) == id)
            i++;
        else
            roster_remove(roster, id);
    }
}

static uint64_t digest_of(uint64_t digest, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++)
        for (int col = 0; col < PQnfields(res); col++)
            for (const char *c = PQgetvalue(res, row, col);; c++) {
                digest = (digest ^ (uint8_t)*c) * 1099511628211U;
                if (!*c)
                    break;
            }
    return digest;
}

enum { US_PER_S = 1000000, PAGE_EXPERTS = 1000 };

static void apply_types(struct roster *roster, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++) {
        const char *type = PQgetvalue(res, row, 0), *skill = pg_get_text(res, row, 5);
        struct ticket_type *t = roster_add_type(roster, type, (int)pg_get_int8(res, row, 1));
        t->duration_us = pg_get_int8(res, row, 2) * US_PER_S;
        t->offers_max = (int)pg_get_int8(res, row, 3);
        roster_set_objectives(t, PQgetvalue(res, row, 4));
        if (skill)
            roster_add_need(roster, type, skill, (int)pg_get_int8(res, row, 6),
                            (int)pg_get_int8(res, row, 7));
    }
}

static void apply_times(struct roster *roster, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++) {
        int64_t priority = pg_get_int8(res, row, 0);
        for (int i = 1; i <= IMPORTANCES; i++)
            roster->relax_us[priority][i] = pg_get_int8(res, row, i) * US_PER_S;
        roster->position_max_age_us = pg_get_int8(res, row, 4) * US_PER_S;
    }
}

int roster_load_types(struct pg *pg, struct roster *roster, struct err *reterr)
{
    _cleanup_result_ PGresult *types = NULL, *times = NULL, *places = NULL;
    if (pg_run(pg, "types", NULL, &types, reterr) || pg_run(pg, "times", NULL, &times, reterr) ||
        pg_run(pg, "places", NULL, &places, reterr))
        return -1;
    uint64_t digest = 14695981039346656037U; /* FNV-1a over all values */
    digest = digest_of(digest_of(digest_of(digest, types), times), places);
    if (digest == roster->types_digest)
        return 0;
    roster_clear_types(roster);
    roster->types_changed = true;
    roster->types_digest = digest;
    apply_types(roster, types);
    apply_times(roster, times);
    for (int row = 0; row < PQntuples(places); row++)
        roster_add_place(roster, PQgetvalue(places, row, 0), get_point(places, row, 1));
    return 0;
}

/* The page behind *behind, which is moved on. INT32_MAX: it was the last. */
static int load_page(struct pg *pg, struct roster *roster, int32_t *behind, char **snapshot,
                     struct ids *off, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_int4(&params, *behind);
    pg_param_int4(&params, PAGE_EXPERTS);
    if (pg_run(pg, "roster_page", &params, &res, reterr))
        return -1;
    keep_clock(roster, res, 20);
    int rows = PQntuples(res);
    int32_t to = rows == PAGE_EXPERTS ? (int32_t)pg_get_int8(res, rows - 1, 1) : INT32_MAX;
    for (int row = 0; row < rows; row++)
        if (!PQgetisnull(res, row, 1))
            apply_expert(roster, res, row, off);
    remove_others(roster, res, *behind, to);
    keep_snapshot(snapshot, res);
    *behind = to;
    return 0;
}

/* The snapshot is the first page's: what changes meanwhile is read again by the next refresh. It
 * counts when all pages have been read: behind a page that failed nothing is known of its time. */
int roster_load(struct pg *pg, struct roster *roster, char **snapshot, struct ids *off,
                struct err *reterr)
{
    int32_t behind = 0;
    char *first = NULL;
    int failed = roster_load_types(pg, roster, reterr) ||
                         load_page(pg, roster, &behind, snapshot ? &first : NULL, off, reterr)
                     ? -1
                     : 0;
    while (!failed && behind != INT32_MAX)
        failed = load_page(pg, roster, &behind, NULL, off, reterr);
    if (!failed && snapshot) {
        free(*snapshot);
        *snapshot = first;
        first = NULL;
    }
    free(first);
    return failed;
}

static int load_some(struct pg *pg, struct roster *roster, struct pg_array *ids, struct ids *off,
                     struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_array_param(ids, &params);
    if (pg_run(pg, "roster_some", &params, &res, reterr))
        return -1;
    for (int row = 0; row < PQntuples(res); row++)
        apply_expert(roster, res, row, off);
    return 0;
}

/* Rows of roster_changes or roster_look; who is of another version is read whole. */
static int apply_changes(struct pg *pg, struct roster *roster, const PGresult *res, struct ids *off,
                         struct err *reterr)
{
    struct pg_array changed;
    pg_array_init(&changed, PG_INT4);
    for (int row = 0; row < PQntuples(res); row++) {
        if (PQgetisnull(res, row, 1))
            continue;
        struct expert *e = roster_find(roster, (int32_t)pg_get_int8(res, row, 1));
        if (e && e->version == pg_get_int8(res, row, 2)) {
            apply_load(roster, e, (int32_t)pg_get_int8(res, row, 3),
                       (int32_t)pg_get_int8(res, row, 4), pg_get_int8(res, row, 5));
            if (!PQgetisnull(res, row, 6))
                apply_position(roster, e, get_point(res, row, 6), pg_get_int8(res, row, 8));
        } else {
            pg_array_int4(&changed, (int32_t)pg_get_int8(res, row, 1));
        }
    }
    int failed = changed.n ? load_some(pg, roster, &changed, off, reterr) : 0;
    pg_array_free(&changed);
    return failed;
}

int roster_refresh(struct pg *pg, struct roster *roster, char **snapshot, struct ids *off,
                   struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_text(&params, *snapshot);
    if (pg_run(pg, "roster_changes", &params, &res, reterr))
        return -1;
    keep_clock(roster, res, 9);
    if (apply_changes(pg, roster, res, off, reterr))
        return -1;
    keep_snapshot(snapshot, res);
    return 0;
}

int roster_look(struct pg *pg, struct roster *roster, const struct ids *ids, struct ids *off,
                struct err *reterr)
{
    struct pg_params params = {0};
    struct pg_array array;
    _cleanup_result_ PGresult *res = NULL;
    pg_array_init(&array, PG_INT4);
    for (size_t i = 0; i < ids->n; i++)
        pg_array_int4(&array, ids->items[i]);
    pg_array_param(&array, &params);
    int failed = pg_run(pg, "roster_look", &params, &res, reterr);
    pg_array_free(&array);
    return failed ? failed : apply_changes(pg, roster, res, off, reterr);
}

int roster_pass_time(struct pg *pg, struct roster *roster, int64_t now_us, struct ids *off,
                     struct err *reterr)
{
    struct pg_array array;
    int32_t *ids;
    size_t n = roster_tick(roster, now_us, &ids);
    if (!n)
        return 0;
    pg_array_init(&array, PG_INT4);
    for (size_t i = 0; i < n; i++)
        pg_array_int4(&array, ids[i]);
    free(ids);
    int failed = load_some(pg, roster, &array, off, reterr);
    pg_array_free(&array);
    return failed;
}
