#include "part.h"

#include "crash.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_uuid(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* Which events nobody has acted on; a job brought by none but old ones is left alone. */
int part_take_events(struct part *part, struct err *reterr)
{
    struct batch *b = part->batch;
    struct job *first = part_job(part, 0), *last = part_job(part, part->n - 1);
    uint32_t end = last->event + last->events;
    if (first->event == end)
        return 0;
    struct pg_array ids;
    pg_array_init(&ids, PG_UUID);
    for (uint32_t i = first->event; i < end; i++)
        pg_array_bytes(&ids, b->events[i].id, 16);
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_array_param(&ids, &params);
    CRASH_POINT("assigner.inbox.before");
    int failed = pg_run(part->placer->pg, "inbox_put", &params, &res, reterr);
    CRASH_POINT("assigner.inbox.after");
    pg_array_free(&ids);
    if (failed)
        return -1;
    size_t n = (size_t)PQntuples(res);
    uint8_t(*taken)[16] = mem_new(n, sizeof *taken);
    for (size_t i = 0; i < n; i++)
        pg_get_uuid(res, (int)i, 0, taken[i]);
    qsort(taken, n, sizeof *taken, compare_uuid);
    for (uint32_t i = first->event; i < end; i++)
        b->events[i].fresh = bsearch(b->events[i].id, taken, n, sizeof *taken, compare_uuid);
    free(taken);
    return 0;
}

static bool is_wanted(const struct part *part, const struct job *j)
{
    if (j->swept)
        return true;
    for (uint32_t i = 0; i < j->events; i++)
        if (part->batch->events[j->event + i].fresh)
            return true;
    return false;
}

static void read_excluded(struct job *j, const char *list)
{
    size_t cap = 0;
    free(j->excluded);
    j->excluded = NULL;
    j->n_excluded = 0;
    while (list && *list) {
        char *end;
        j->excluded = mem_room(j->excluded, j->n_excluded, &cap, sizeof *j->excluded);
        j->excluded[j->n_excluded++] = (int32_t)strtol(list, &end, 10);
        list = *end ? end + 1 : end;
    }
}

static int64_t get_us(const PGresult *res, int row, int col, int64_t when_null)
{
    return PQgetisnull(res, row, col) ? when_null : pg_get_int8(res, row, col);
}

static void read_ticket(struct part *part, const PGresult *res, int row)
{
    uint8_t id[16];
    pg_get_uuid(res, row, 0, id);
    struct job *j = batch_find(part->batch, id);
    if (!j)
        return;
    const char *state = pg_get_text(res, row, 5);
    j->found = true;
    j->type = NULL;
    j->priority = 0;
    if (pg_get_text(res, row, 4)) {
        j->priority = (int)pg_get_int8(res, row, 4);
        j->type = roster_type(part->placer->roster, PQgetvalue(res, row, 1));
        part->types_stale |= !j->type;
    }
    snprintf(j->area, sizeof j->area, "%s", PQgetvalue(res, row, 2));
    j->created_us = pg_get_int8(res, row, 3);
    j->open = !j->locked &&
              state_may_change(STATE_TICKET, state ? state : "received", "assigned") &&
              (j->type || !state || strcmp(state, "review") != 0);
    j->news = !state || strcmp(state, "parked") != 0 || pg_get_bool(res, row, 6);
    j->waited = state && strcmp(state, "parked") == 0 && !pg_get_bool(res, row, 6);
    read_excluded(j, pg_get_text(res, row, 7));
    j->excluded_us = get_us(res, row, 8, INT64_MAX);
    part->now_us = pg_get_int8(res, row, 9);
    j->routable_us = pg_get_int8(res, row, 10);
    j->due_us = pg_get_int8(res, row, 11);
    j->sticky = (int32_t)get_us(res, row, 12, 0);
}

/* Somebody has held rows for long: what is not free is left out for some seconds. */
void placer_hurry(struct placer *p)
{
    uint64_t now = now_ms();
    if (now >= p->hurry_until_ms)
        LOG(WARN, "a session keeps tickets or experts locked; the others go on");
    p->hurry_until_ms = now + PART_HURRY_MS;
}

static int lock_tickets(struct part *part, const struct pg_params *ids, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    if (!part->hurried)
        return pg_run(part->placer->pg, "tickets_lock", ids, NULL, reterr);
    if (pg_run(part->placer->pg, "tickets_lock_free", ids, &res, reterr))
        return -1;
    for (int row = 0; row < PQntuples(res); row++) {
        uint8_t id[16];
        pg_get_uuid(res, row, 0, id);
        struct job *j = batch_find(part->batch, id);
        if (j)
            j->locked = true;
    }
    if (PQntuples(res))
        placer_hurry(part->placer);
    return 0;
}

int part_read_tickets(struct part *part, struct err *reterr)
{
    struct placer *p = part->placer;
    struct pg_array ids;
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_array_init(&ids, PG_UUID);
    for (size_t i = 0; i < part->n; i++) {
        struct job *j = part_job(part, i);
        j->found = j->open = j->locked = false;
        if (is_wanted(part, j))
            pg_array_bytes(&ids, j->ticket, 16);
        else
            j->found = true; /* decided before */
    }
    pg_array_param(&ids, &params);
    int failed = lock_tickets(part, &params, reterr);
    if (!failed)
        failed = pg_run(p->pg, "tickets_load", &params, &res, reterr);
    pg_array_free(&ids);
    for (int row = 0; !failed && row < PQntuples(res); row++)
        read_ticket(part, res, row);
    return failed;
}
