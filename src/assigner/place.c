#include "part.h"

#include "crash.h"
#include "log.h"
#include "loop.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum { GIVEN_UP_MS = 30000 };

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
        part->order[i] = part_job(part, i);
    plan(part->placer->roster, part->order, part->n, held_only, part->now_us);
    for (size_t i = 0; i < part->n && !held_only; i++)
        for (int k = 0; k < part_job(part, i)->n_experts; k++)
            part->touched[part->n_touched++] = part_job(part, i)->experts[k];
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
        p->locked_until_ms = now_ms() + PART_LOCKED_MS;
    for (size_t i = 0; i < n; i++)
        if (roster_find(p->roster, ids[i])->locked)
            ids_add(&p->locked, ids[i]);
    placer_hurry(p);
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
        const struct job *j = part_job(part, i);
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
    if (part_read_tickets(part, reterr))
        return -1;
    if (!part->types_stale)
        return 0;
    return roster_load_types(part->placer->pg, part->placer->roster, reterr) ||
                   part_read_tickets(part, reterr)
               ? -1
               : 0;
}

static int place_tx(struct pg *pg, void *ctx, struct err *reterr)
{
    struct part *part = ctx;
    (void)pg;
    release(part);
    if (part_take_events(part, reterr) || read_all(part, reterr))
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
    if (failed && pg_err_locked(reterr))
        placer_hurry(part->placer);
    return failed;
}

static bool all_reserved(const struct part *part)
{
    int planned = 0;
    for (size_t i = 0; i < part->n; i++)
        planned += part_job(part, i)->verdict == VERDICT_RESERVE;
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
        p->again += part_job(part, i)->verdict == VERDICT_AGAIN;
    for (size_t i = 0; i < part->n; i++)
        if (part_job(part, i)->locked)
            later_add(&p->held, part_job(part, i)->ticket, part_job(part, i)->traceparent,
                      now_ms() + PART_LOCKED_MS);
}

static void say_missing(const struct part *part)
{
    char id[UUID_TEXT_LEN + 1];
    for (size_t i = 0; i < part->n; i++) {
        if (part_job(part, i)->found)
            continue;
        uuid_format(part_job(part, i)->ticket, id);
        LOG(WARN, "an event names a ticket that is not there", F_STR("ticket", id));
    }
}

static void give_up(struct part *part, const struct err *err)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(part_job(part, 0)->ticket, id);
    part->placer->refused++;
    later_add(&part->placer->given_up, part_job(part, 0)->ticket, part_job(part, 0)->traceparent,
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
