#include "lane.h"

#include "crash.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "rows.h"
#include "session.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_DELAY_MS = 20, COLLISIONS_MAX = 5, WINNER_STATEMENTS = 2, CAREFUL_MS = 1000 };

static const struct pg_stmt statements[] = {
    {"ticket_insert", sql_ticket_insert, ROWS_INSERT_PARAMS, true},
    {"ticket_insert_careful", sql_ticket_insert_careful, ROWS_INSERT_PARAMS, true},
    {"ticket_by_key", sql_ticket_by_key, 2, true},
    {"ticket_by_call", sql_ticket_by_call, 2, true},
};
enum { INSERT, INSERT_CAREFUL, BY_KEY, BY_CALL, N_STATEMENTS };

/* The planner knows nothing of the arrays, and must not take a guess for the
 * life of the session while the table is still empty. */
static const char setup_sql[] =
    "SET plan_cache_mode = force_generic_plan; SET enable_nestloop = off;" PG_STEADY_PLANS;

/* The winners of one kind that a statement is out for. */
struct winners {
    struct session_job job;
    struct lane *lane;
    size_t n;
    struct store_item *item[BATCH_MAX];
};

struct lane {
    struct lane_options o;
    struct session *session;
    struct rows *rows;
    struct loop_timer retry_timer;
    struct batch_item *leader[BATCH_MAX]; /* each with its followers */
    size_t n_leaders;
    struct bisect ranges; /* still to be inserted */
    size_t lo, hi;        /* being inserted */
    uint64_t sent_us;
    bool busy;   /* a statement is out */
    bool paused; /* until the retry timer or a new connection */
    bool error_logged;
    /* Which insert is out; until when the careful one is taken, because the plain one has failed.
     */
    int insert;
    uint64_t careful_until_ms;
    struct session_job insert_job;
    struct winners winners[WINNER_STATEMENTS];
    int winners_out;
};

static void answer_outcome(struct lane *l, struct store_item *item, enum store_outcome outcome)
{
    l->o.answer(l->o.ctx, item, &(struct store_ticket){.outcome = outcome});
}

static void batch_done(struct lane *l)
{
    for (size_t i = 0; i < l->n_leaders; i++)
        for (struct batch_item *b = l->leader[i], *next; b; b = next) {
            next = b->same;
            l->o.back(l->o.ctx, store_item_of(b));
        }
    l->n_leaders = 0;
    l->error_logged = false;
}

/* The leader's ticket is known: it answers the leader and all who came after it. */
static void resolve(struct lane *l, struct store_item *leader, const struct store_ticket *ticket,
                    const uint8_t body_hash[BODY_HASH_BYTES])
{
    for (struct batch_item *b = &leader->batch; b; b = b->same) {
        struct store_ticket t = *ticket;
        if (b != &leader->batch || memcmp(t.id, leader->id, sizeof t.id) != 0)
            t.outcome = batch_same_request(b, body_hash) ? STORE_REPLAYED : STORE_OTHER_BODY;
        l->o.answer(l->o.ctx, store_item_of(b), &t);
    }
}

static void pause_for(struct lane *l, long ms)
{
    l->paused = true;
    loop_timer_set(l->o.store->loop, &l->retry_timer, now_ms() + (uint64_t)ms);
}

static void log_once(struct lane *l, const struct err *err)
{
    if (!l->error_logged && !err->unknown)
        log_err(err->kind == ERR_FATAL ? LOG_ERROR : LOG_WARN, "could not store a batch", err);
    l->error_logged = true;
}

/* --- winners of conflicts --- */

static void collided(struct lane *l, struct store_item *item)
{
    if (++item->collisions > COLLISIONS_MAX) {
        answer_outcome(l, item, STORE_UNAVAILABLE);
        return;
    }
    uuid7_make(item->id);
    ticket_ref_make(item->id, item->ref);
}

static void take_winner(struct lane *l, struct winners *w, const PGresult *res, int row)
{
    int32_t n = rows_get_int4(res, row, 0);
    if (n < 1 || (size_t)n > w->n)
        return;
    struct store_item *item = w->item[n - 1];
    struct store_ticket t = {.outcome = STORE_CREATED,
                             .ref = PQgetvalue(res, row, 2),
                             .created_us = rows_get_time(res, row, 4),
                             .state = PQgetvalue(res, row, 5)};
    memcpy(t.id, PQgetvalue(res, row, 1), sizeof t.id);
    resolve(l, item, &t, (const uint8_t *)PQgetvalue(res, row, 3));
}

static void on_winners(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct winners *w = (struct winners *)((char *)job - offsetof(struct winners, job));
    struct lane *l = w->lane;
    CRASH_POINT("intake.winners.after");
    if (err)
        log_once(l, err);
    else
        for (int row = 0; row < PQntuples(res); row++)
            take_winner(l, w, res, row);
    /* Who has no answer yet is inserted again. */
    w->n = 0;
    if (--l->winners_out > 0)
        return;
    l->busy = false;
    batch_done(l);
    if (err && session_up(l->session))
        pause_for(l, RETRY_DELAY_MS);
}

static void send_winners(struct lane *l)
{
    l->busy = true;
    CRASH_POINT("intake.winners.before");
    l->winners_out = (l->winners[0].n > 0) + (l->winners[1].n > 0);
    for (int i = 0; i < WINNER_STATEMENTS; i++) {
        struct winners *w = &l->winners[i];
        if (w->n == 0)
            continue;
        struct pg_params p = {0};
        if (i == 0)
            rows_keys(l->rows, w->item, w->n, &p);
        else
            rows_calls(l->rows, w->item, w->n, &p);
        if (!session_send(l->session, &w->job, &statements[BY_KEY + i], &p)) {
            struct err err;
            err_set(&err, ERR_RETRY, "the connection is lost");
            err.unknown = true;
            on_winners(&w->job, NULL, &err);
        }
    }
}

/* --- the insert --- */

static void take_created(struct lane *l, struct store_item *item, int64_t created_us)
{
    struct store_ticket t = {
        .outcome = STORE_CREATED, .ref = item->ref, .state = "received", .created_us = created_us};
    memcpy(t.id, item->id, sizeof t.id);
    resolve(l, item, &t, item->batch.body_hash);
}

/* The careful insert returns the rows it has stored, in order; the others have lost to a winner. */
static void take_stored(struct lane *l, const PGresult *res)
{
    int row = 0, rows = PQntuples(res);
    for (size_t i = l->lo; i < l->hi; i++) {
        struct store_item *item = store_item_of(l->leader[i]);
        if (row < rows && memcmp(PQgetvalue(res, row, 0), item->id, sizeof item->id) == 0) {
            take_created(l, item, rows_get_time(res, row, 1));
            row++;
        } else {
            struct winners *w = &l->winners[item->batch.is_call];
            w->item[w->n++] = item;
        }
    }
}

/* The plain insert has stored all, at one moment. */
static void take_all(struct lane *l, const PGresult *res)
{
    int64_t created_us = rows_get_time(res, 0, 0);
    for (size_t i = l->lo; i < l->hi; i++)
        take_created(l, store_item_of(l->leader[i]), created_us);
}

/* One row alone is refused: its reference is taken, another client has posted
 * its call, or its data is bad. */
static void row_failed(struct lane *l, struct store_item *item, const struct err *err)
{
    struct winners *calls = &l->winners[1];
    if (strcmp(err->sqlstate, "23505") == 0 && strcmp(err->constraint, "ticket_call") == 0) {
        calls->item[calls->n++] = item;
    } else if (strcmp(err->sqlstate, "23505") == 0) {
        collided(l, item);
    } else {
        log_err(LOG_ERROR, "PostgreSQL refused a ticket that had passed every check", err);
        answer_outcome(l, item, STORE_REFUSED);
    }
}

static void insert_failed(struct lane *l, const struct err *err)
{
    if (err->kind != ERR_REJECT) {
        log_once(l, err);
        bisect_again(&l->ranges, l->lo, l->hi);
        if (session_up(l->session))
            pause_for(l, RETRY_DELAY_MS);
    } else if (l->insert == INSERT) {
        l->careful_until_ms = now_ms() + CAREFUL_MS;
        bisect_again(&l->ranges, l->lo, l->hi);
    } else if (!bisect_split(&l->ranges, l->lo, l->hi)) {
        row_failed(l, store_item_of(l->leader[l->lo]), err);
    }
}

static void on_inserted(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct lane *l = (struct lane *)((char *)job - offsetof(struct lane, insert_job));
    l->busy = false;
    CRASH_POINT("intake.insert.after");
    if (err) {
        insert_failed(l, err);
        return;
    }
    metrics_batch(l->o.store->metrics, l->hi - l->lo, now_us() - l->sent_us);
    if (l->insert == INSERT)
        take_all(l, res);
    else
        take_stored(l, res);
}

/* Leaders that nobody waits for any more need not be tried again. */
static bool forsaken(struct lane *l, size_t lo, size_t hi)
{
    for (size_t i = lo; i < hi; i++)
        for (struct batch_item *b = l->leader[i]; b; b = b->same)
            if (!store_item_of(b)->answered)
                return false;
    return true;
}

static void send_insert(struct lane *l)
{
    struct pg_params p = {0};
    rows_insert(l->rows, l->leader + l->lo, l->hi - l->lo, &p);
    l->busy = true;
    l->sent_us = now_us();
    l->insert = l->sent_us / 1000 < l->careful_until_ms ? INSERT_CAREFUL : INSERT;
    CRASH_POINT("intake.insert.before");
    if (!session_send(l->session, &l->insert_job, &statements[l->insert], &p)) {
        l->busy = false;
        bisect_again(&l->ranges, l->lo, l->hi);
    }
}

void lane_start(struct lane *l, struct batch_item **items, size_t n)
{
    memcpy(l->leader, items, n * sizeof *items);
    l->n_leaders = batch_fold(l->leader, n);
    bisect_start(&l->ranges, l->n_leaders);
}

void lane_turn(struct lane *l)
{
    while (l->n_leaders > 0 && !l->busy && !l->paused && session_up(l->session)) {
        if (bisect_next(&l->ranges, &l->lo, &l->hi)) {
            if (!forsaken(l, l->lo, l->hi))
                send_insert(l);
        } else if (l->winners[0].n + l->winners[1].n > 0) {
            send_winners(l);
        } else {
            batch_done(l);
        }
    }
}

void lane_each(struct lane *l, void (*visit)(void *ctx, struct store_item *item), void *ctx)
{
    for (size_t i = 0; i < l->n_leaders; i++)
        for (struct batch_item *b = l->leader[i]; b; b = b->same)
            visit(ctx, store_item_of(b));
}

static void on_retry(void *ctx)
{
    struct lane *l = ctx;
    l->paused = false;
}

static void on_up(void *ctx)
{
    struct lane *l = ctx;
    l->paused = false;
    loop_timer_set(l->o.store->loop, &l->retry_timer, 0);
}

static void on_fatal(void *ctx, const struct err *err)
{
    struct lane *l = ctx;
    l->o.store->on_fatal(l->o.store->ctx, err);
}

struct lane *lane_new(const struct lane_options *options)
{
    struct lane *l = mem_new(1, sizeof *l);
    l->o = *options;
    l->rows = rows_new();
    l->retry_timer = (struct loop_timer){.fn = on_retry, .ctx = l};
    l->insert_job.done = on_inserted;
    for (int i = 0; i < WINNER_STATEMENTS; i++) {
        l->winners[i].job.done = on_winners;
        l->winners[i].lane = l;
    }
    l->session = session_new(&(struct session_options){
        .loop = l->o.store->loop,
        .name = l->o.name,
        .pg = {.conninfo = l->o.store->db,
               .program = "intake",
               .stmts = statements,
               .n_stmts = N_STATEMENTS,
               .statement_timeout_ms = (int)l->o.store->request_timeout_ms,
               .setup_sql = setup_sql},
        .job_timeout_ms = l->o.store->request_timeout_ms + 1000,
        .on_up = on_up,
        .on_fatal = on_fatal,
        .ctx = l,
    });
    return l;
}

void lane_free(struct lane *l)
{
    if (!l)
        return;
    session_free(l->session);
    loop_timer_set(l->o.store->loop, &l->retry_timer, 0);
    rows_free(l->rows);
    free(l);
}

bool lane_up(const struct lane *l)
{
    return session_up(l->session);
}

bool lane_down(const struct lane *l)
{
    return session_down(l->session);
}

bool lane_idle(const struct lane *l)
{
    return l->n_leaders == 0 && !l->paused && session_up(l->session);
}

bool lane_busy(const struct lane *l)
{
    return l->busy;
}
