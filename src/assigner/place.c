#include "place.h"

#include "crash.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HURRY_MS = 10000, /* longer than LOCKED_MS: who is tried again is not waited for */
    LOCKED_MS = 1000,
    GIVEN_UP_MS = 30000,
};

/* A part of a batch, in one transaction. */
struct part {
    struct placer *placer;
    struct batch *batch;
    size_t from, n;          /* jobs */
    struct job **order;      /* owned: n of them, in the order of their turn */
    struct expert **touched; /* owned: experts chosen before the locks */
    size_t n_touched;
    int64_t now_us;   /* by the database's clock */
    bool types_stale; /* the database knows a type that the roster does not */
    bool surprised;   /* an expert is not as the roster believed */
    bool hurried;     /* waits for no lock */
    int reserved, parked, review;
};

static struct job *job_of(const struct part *part, size_t i)
{
    return &part->batch->jobs[part->from + i];
}

static int compare_uuid(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

/* Which events nobody has acted on; a job brought by none but old ones is left alone. */
static int take_events(struct part *part, struct err *reterr)
{
    struct batch *b = part->batch;
    struct job *first = job_of(part, 0), *last = job_of(part, part->n - 1);
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
static void hurry(struct placer *p)
{
    uint64_t now = now_ms();
    if (now >= p->hurry_until_ms)
        LOG(WARN, "a session keeps tickets or experts locked; the others go on");
    p->hurry_until_ms = now + HURRY_MS;
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
        hurry(part->placer);
    return 0;
}

static int read_tickets(struct part *part, struct err *reterr)
{
    struct placer *p = part->placer;
    struct pg_array ids;
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_array_init(&ids, PG_UUID);
    for (size_t i = 0; i < part->n; i++) {
        struct job *j = job_of(part, i);
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

/* What was planned is not taken. */
static void unplan(struct part *part)
{
    for (size_t i = 0; i < part->n_touched; i++) {
        if (part->touched[i]->taken)
            roster_better(part->placer->roster, part->touched[i]);
        part->touched[i]->taken = 0;
    }
}

static void release(struct part *part)
{
    unplan(part);
    for (size_t i = 0; i < part->n_touched; i++)
        part->touched[i]->held = false;
    part->n_touched = 0;
}

/* Plans from the beginning, in the order of turns. */
static void replan(struct part *part, bool held_only)
{
    unplan(part);
    for (size_t i = 0; i < part->n; i++)
        part->order[i] = job_of(part, i);
    plan(part->placer->roster, part->order, part->n, held_only, part->now_us);
    for (size_t i = 0; i < part->n && !held_only; i++)
        for (int k = 0; k < job_of(part, i)->n_experts; k++)
            part->touched[part->n_touched++] = job_of(part, i)->experts[k];
}

static int compare_int(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The chosen experts, sorted, each once. */
static size_t chosen_experts(const struct part *part, int32_t *ret_ids)
{
    size_t n = part->n_touched, kept = 0;
    for (size_t i = 0; i < n; i++)
        ret_ids[i] = part->touched[i]->id;
    if (n)
        qsort(ret_ids, n, sizeof *ret_ids, compare_int);
    for (size_t i = 0; i < n; i++)
        if (!kept || ret_ids[kept - 1] != ret_ids[i])
            ret_ids[kept++] = ret_ids[i];
    return kept;
}

/* What the roster believed against what is. More room than believed is left to the refresh, which
 * wakes the oldest waiting ticket first. */
static void check_expert(struct part *part, const PGresult *res, int row)
{
    struct expert *e = roster_find(part->placer->roster, (int32_t)pg_get_int8(res, row, 0));
    if (!e || e->version != pg_get_int8(res, row, 1)) {
        part->surprised = true;
        return;
    }
    int32_t load = (int32_t)pg_get_int8(res, row, 2);
    int32_t capacity = (int32_t)pg_get_int8(res, row, 3);
    part->surprised |= load > e->load || capacity != e->capacity;
    if (capacity != e->capacity)
        roster_better(part->placer->roster, e);
    if (load > e->load)
        e->load = load;
    e->capacity = capacity;
    e->held = true;
}

/* Who was asked for and is not among the rows is held by somebody else. */
static void leave_locked(struct part *part, const PGresult *res, const int32_t *ids, size_t n)
{
    struct placer *p = part->placer;
    for (size_t i = 0; i < n; i++)
        roster_find(p->roster, ids[i])->locked = true;
    for (int row = 0; row < PQntuples(res); row++)
        roster_find(p->roster, (int32_t)pg_get_int8(res, row, 0))->locked = false;
    if (!p->locked.n)
        p->locked_until_ms = now_ms() + LOCKED_MS;
    for (size_t i = 0; i < n; i++)
        if (roster_find(p->roster, ids[i])->locked)
            ids_add(&p->locked, ids[i]);
    hurry(p);
}

static int lock_experts(struct part *part, const struct pg_params *ids, PGresult **ret_rows,
                        struct err *reterr)
{
    const struct placer *p = part->placer;
    if (part->hurried) /* row locks alone, which can be left out one by one */
        return pg_run(p->pg, "experts_check_free", ids, ret_rows, reterr);
    if (p->no_advisory_locks)
        return pg_run(p->pg, "experts_read", ids, ret_rows, reterr);
    return pg_run(p->pg, "experts_lock", ids, NULL, reterr) ||
                   pg_run(p->pg, "experts_check", ids, ret_rows, reterr)
               ? -1
               : 0;
}

static int hold_experts(struct part *part, struct err *reterr)
{
    int32_t *ids = mem_new(part->n_touched, sizeof *ids);
    size_t n = chosen_experts(part, ids);
    struct pg_array array;
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_array_init(&array, PG_INT4);
    for (size_t i = 0; i < n; i++)
        pg_array_int4(&array, ids[i]);
    pg_array_param(&array, &params);
    if (n)
        CRASH_POINT("assigner.lock.before");
    int failed = n ? lock_experts(part, &params, &res, reterr) : 0;
    if (n)
        CRASH_POINT("assigner.lock.after");
    pg_array_free(&array);
    part->surprised = n && !failed && (size_t)PQntuples(res) < n;
    if (part->surprised && part->hurried)
        leave_locked(part, res, ids, n);
    free(ids);
    for (int row = 0; n && !failed && row < PQntuples(res); row++)
        check_expert(part, res, row);
    return failed;
}

enum { COLUMNS = 10 };
static const enum pg_oid columns[COLUMNS] = {PG_UUID, PG_TEXT, PG_INT4, PG_INT4, PG_INT4,
                                             PG_INT4, PG_TEXT, PG_BOOL, PG_TEXT, PG_INT8};
static const char *const state_of[] = {[VERDICT_RESERVE] = "assigned",
                                       [VERDICT_PARK] = "parked",
                                       [VERDICT_REVIEW] = "review",
                                       [VERDICT_AGAIN] = "parked",
                                       [VERDICT_YIELD] = "parked"};

/* place: which of the offers made at once, from 1. */
static void add_row(struct pg_array *a, const struct job *j, int place)
{
    const struct expert *e = j->n_experts ? j->experts[place - 1] : NULL;
    pg_array_bytes(a++, j->ticket, 16);
    pg_array_text(a++, state_of[j->verdict]);
    if (e) {
        pg_array_int4(a++, e->id);
        pg_array_int4(a++, e->version);
    } else {
        pg_array_null(a++);
        pg_array_null(a++);
    }
    pg_array_int4(a++, place);
    pg_array_int4(a++, j->n_experts ? j->n_experts : 1);
    pg_array_text(a++, j->verdict == VERDICT_AGAIN || j->verdict == VERDICT_YIELD
                           ? "{\"contended\":true}"
                           : j->json);
    pg_array_bool(a++, j->news && j->verdict == VERDICT_PARK);
    pg_array_text(a++, *j->traceparent ? j->traceparent : NULL);
    if (j->retry_us == INT64_MAX)
        pg_array_null(a);
    else
        pg_array_int8(a, j->retry_us);
}

static void count_written(struct part *part, const PGresult *res)
{
    part->reserved = part->parked = part->review = 0;
    for (int row = 0; row < PQntuples(res); row++) {
        const char *state = PQgetvalue(res, row, 0);
        int n = (int)pg_get_int8(res, row, 1);
        *(*state == 'a' ? &part->reserved : *state == 'p' ? &part->parked : &part->review) = n;
    }
}

static int write_decisions(struct part *part, struct err *reterr)
{
    struct pg_array arrays[COLUMNS];
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    size_t n = 0;
    for (int i = 0; i < COLUMNS; i++)
        pg_array_init(&arrays[i], columns[i]);
    for (size_t i = 0; i < part->n; i++) {
        const struct job *j = job_of(part, i);
        if (j->verdict == VERDICT_NONE)
            continue;
        for (int place = 1; place == 1 || place <= j->n_experts; place++)
            add_row(arrays, j, place);
        n++;
    }
    for (int i = 0; i < COLUMNS; i++)
        pg_array_param(&arrays[i], &params);
    pg_param_text(&params, part->placer->actor);
    CRASH_POINT("assigner.decide.before");
    int failed = n ? pg_run(part->placer->pg, "decide", &params, &res, reterr) : 0;
    CRASH_POINT("assigner.decide.after");
    for (int i = 0; i < COLUMNS; i++)
        pg_array_free(&arrays[i]);
    if (!failed)
        count_written(part, res);
    return failed;
}

/* Reads again when a type has been added since the roster was made. */
static int read_all(struct part *part, struct err *reterr)
{
    part->types_stale = false;
    if (read_tickets(part, reterr))
        return -1;
    if (!part->types_stale)
        return 0;
    return roster_load_types(part->placer->pg, part->placer->roster, reterr) ||
                   read_tickets(part, reterr)
               ? -1
               : 0;
}

static int place_tx(struct pg *pg, void *ctx, struct err *reterr)
{
    struct part *part = ctx;
    (void)pg;
    release(part);
    if (take_events(part, reterr) || read_all(part, reterr))
        return -1;
    replan(part, false);
    if (hold_experts(part, reterr))
        return -1;
    if (part->surprised)
        replan(part, true);
    int failed = write_decisions(part, reterr);
    CRASH_POINT("assigner.commit.before");
    return failed;
}

static int place_or_hurry(struct pg *pg, void *ctx, struct err *reterr)
{
    struct part *part = ctx;
    part->hurried = now_ms() < part->placer->hurry_until_ms;
    int failed = place_tx(pg, part, reterr);
    if (failed && strcmp(reterr->sqlstate, "55P03") == 0) /* lock_not_available */
        hurry(part->placer);
    return failed;
}

static bool all_reserved(const struct part *part)
{
    int planned = 0;
    for (size_t i = 0; i < part->n; i++)
        planned += job_of(part, i)->verdict == VERDICT_RESERVE;
    return part->reserved == planned;
}

/* What was planned has become load. When a ticket was called off or given away meanwhile, nobody
 * knows here whose slot is free: the rows that were written are read by the next refresh. */
static void settle(struct part *part)
{
    struct placer *p = part->placer;
    if (!all_reserved(part))
        unplan(part);
    for (size_t i = 0; i < part->n_touched; i++) {
        part->touched[i]->load += part->touched[i]->taken;
        part->touched[i]->taken = 0; /* an expert may be in the list more than once */
    }
    p->reserved += (uint64_t)part->reserved;
    p->parked += (uint64_t)part->parked;
    p->review += (uint64_t)part->review;
    for (size_t i = 0; i < part->n; i++)
        p->again += job_of(part, i)->verdict == VERDICT_AGAIN;
    for (size_t i = 0; i < part->n; i++)
        if (job_of(part, i)->locked)
            later_add(&p->held, job_of(part, i)->ticket, job_of(part, i)->traceparent,
                      now_ms() + LOCKED_MS);
}

static void say_missing(const struct part *part)
{
    char id[UUID_TEXT_LEN + 1];
    for (size_t i = 0; i < part->n; i++) {
        if (job_of(part, i)->found)
            continue;
        uuid_format(job_of(part, i)->ticket, id);
        LOG(WARN, "an event names a ticket that is not there", F_STR("ticket", id));
    }
}

static void give_up(struct part *part, const struct err *err)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(job_of(part, 0)->ticket, id);
    part->placer->refused++;
    later_add(&part->placer->given_up, job_of(part, 0)->ticket, job_of(part, 0)->traceparent,
              now_ms() + GIVEN_UP_MS);
    LOG(ERROR, "the database refuses what was decided; it is tried again later",
        F_STR("ticket", id), F_STR("sqlstate", err->sqlstate), F_STR("constraint", err->constraint),
        F_STR("text", err->text));
}

/* Once, and once more on a fresh roster when the database refuses: something has changed between
 * the choice and the writing. */
static int try_part(struct part *part, struct err *reterr)
{
    struct placer *p = part->placer;
    for (int try = 0;; try++) {
        struct err err = {0};
        int failed = pg_tx(p->pg, "place tickets", place_or_hurry, part, &err);
        CRASH_POINT("assigner.commit.after");
        if (!failed)
            settle(part);
        release(part);
        if (!failed)
            return 0;
        if (err.kind != ERR_REJECT || try == 1) {
            *reterr = err;
            return -1;
        }
        if (roster_load(p->pg, p->roster, NULL, p->off, reterr))
            return -1;
    }
}

static int place_part(struct placer *placer, struct batch *batch, size_t from, size_t n,
                      struct err *reterr)
{
    struct part part = {.placer = placer, .batch = batch, .from = from, .n = n};
    part.order = mem_new(n, sizeof(struct job *));
    part.touched = mem_new(n * OFFERS_MAX, sizeof(struct expert *));
    int failed = try_part(&part, reterr);
    free(part.order);
    free(part.touched);
    if (!failed) {
        say_missing(&part);
        return 0;
    }
    if (reterr->kind != ERR_REJECT)
        return -1;
    if (n > 1)
        return place_part(placer, batch, from, n / 2, reterr) ||
                       place_part(placer, batch, from + n / 2, n - n / 2, reterr)
                   ? -1
                   : 0;
    give_up(&part, reterr);
    return 0;
}

int place(struct placer *placer, struct batch *batch, struct err *reterr)
{
    batch_fold(batch);
    return batch->n ? place_part(placer, batch, 0, batch->n, reterr) : 0;
}

void place_later(struct placer *p, uint64_t now, struct batch *batch)
{
    later_take(&p->held, now, batch);
    later_take(&p->given_up, now, batch);
    if (!p->locked.n || now < p->locked_until_ms)
        return;
    for (size_t i = 0; i < p->locked.n; i++) {
        struct expert *e = roster_find(p->roster, p->locked.items[i]);
        if (!e)
            continue;
        e->locked = false;
        roster_wake(p->roster, e, true);
    }
    p->locked.n = 0;
}

void placer_free(struct placer *p)
{
    later_free(&p->held);
    later_free(&p->given_up);
    free(p->locked.items);
    p->locked = (struct ids){0};
}
