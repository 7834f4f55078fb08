#include "store.h"

#include "crash.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "rows.h"
#include "session.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

enum {
    RETRY_DELAY_MS = 20,
    COLLISIONS_MAX = 5,
    WINNER_STATEMENTS = 2,
    RUNNING_BUCKETS = 4096,
    CAREFUL_MS = 1000
};

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
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
    "SET enable_nestloop = off; SET jit = off";

/* The winners of one kind that a statement is out for. */
struct winners {
    struct session_job job;
    struct store *store;
    size_t n;
    struct store_item *item[BATCH_MAX];
};

struct store {
    struct store_options o;
    struct session *session;
    struct rows *rows;
    uint64_t arrivals;
    /* waiting, in order of arrival */
    struct store_item *first, **last;
    long waiting;
    struct loop_timer deadline_timer, retry_timer;
    /* the batch under way: leaders, each with its followers */
    struct batch_item *leader[BATCH_MAX];
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
    struct store_item *running[RUNNING_BUCKETS]; /* not answered yet, by key */
};

/* --- keys under way --- */

static struct store_item **running_bucket(struct store *s, const struct store_item *item)
{
    uint16_t bits;
    memcpy(&bits, item->batch.key_hash, sizeof bits);
    return &s->running[bits % RUNNING_BUCKETS];
}

static bool running(struct store *s, const struct store_item *item)
{
    for (const struct store_item *x = *running_bucket(s, item); x; x = x->running_next)
        if (x->batch.client_id == item->batch.client_id &&
            memcmp(x->batch.key_hash, item->batch.key_hash, KEY_HASH_BYTES) == 0)
            return true;
    return false;
}

static void running_add(struct store *s, struct store_item *item)
{
    struct store_item **bucket = running_bucket(s, item);
    item->running_next = *bucket;
    *bucket = item;
}

static void running_remove(struct store *s, struct store_item *item)
{
    struct store_item **at = running_bucket(s, item);
    while (*at != item)
        at = &(*at)->running_next;
    *at = item->running_next;
}

static void answer(struct store *s, struct store_item *item, const struct store_ticket *ticket)
{
    if (item->answered)
        return;
    item->answered = true;
    running_remove(s, item);
    s->o.metrics->tickets[ticket->outcome]++;
    item->answer(item, ticket);
}

static void answer_outcome(struct store *s, struct store_item *item, enum store_outcome outcome)
{
    answer(s, item, &(struct store_ticket){.outcome = outcome});
}

static void queue_push(struct store *s, struct store_item *item)
{
    item->next = NULL;
    *s->last = item;
    s->last = &item->next;
    s->waiting++;
}

static struct store_item *queue_pop(struct store *s)
{
    struct store_item *item = s->first;
    s->first = item->next;
    if (!s->first)
        s->last = &s->first;
    s->waiting--;
    return item;
}

enum store_refusal store_add(struct store *s, struct store_item *item)
{
    if (s->waiting >= s->o.queue_max)
        return STORE_FULL;
    if (session_down(s->session))
        return STORE_DOWN;
    if (!item->folds && running(s, item))
        return STORE_RUNNING;
    running_add(s, item);
    item->answered = false;
    item->collisions = 0;
    item->batch.arrival = ++s->arrivals;
    uuid7_make(item->id);
    ticket_ref_make(item->id, item->ref);
    queue_push(s, item);
    if (!s->deadline_timer.at_ms)
        loop_timer_set(s->o.loop, &s->deadline_timer, item->deadline_ms);
    return STORE_TAKEN;
}

/* Each of the batch's items that has not been answered goes back to wait, or is let go. */
static void requeue_or_release(struct store *s, struct batch_item *b)
{
    while (b) {
        struct batch_item *next = b->same;
        struct store_item *item = store_item_of(b);
        if (item->answered)
            item->release(item);
        else
            queue_push(s, item);
        b = next;
    }
}

static void batch_done(struct store *s)
{
    for (size_t i = 0; i < s->n_leaders; i++)
        requeue_or_release(s, s->leader[i]);
    s->n_leaders = 0;
    s->error_logged = false;
}

/* The leader's ticket is known: it answers the leader and all who came after it. */
static void resolve(struct store *s, struct store_item *leader, const struct store_ticket *ticket,
                    const uint8_t body_hash[BODY_HASH_BYTES])
{
    for (struct batch_item *b = &leader->batch; b; b = b->same) {
        struct store_ticket t = *ticket;
        if (b != &leader->batch || memcmp(t.id, leader->id, sizeof t.id) != 0)
            t.outcome = batch_same_request(b, body_hash) ? STORE_REPLAYED : STORE_OTHER_BODY;
        answer(s, store_item_of(b), &t);
    }
}

static void pause_for(struct store *s, long ms)
{
    s->paused = true;
    loop_timer_set(s->o.loop, &s->retry_timer, now_ms() + (uint64_t)ms);
}

static void log_once(struct store *s, const struct err *err)
{
    if (!s->error_logged && !err->unknown)
        log_err(err->kind == ERR_FATAL ? LOG_ERROR : LOG_WARN, "could not store a batch", err);
    s->error_logged = true;
}

/* --- winners of conflicts --- */

static void collided(struct store *s, struct store_item *item)
{
    if (++item->collisions > COLLISIONS_MAX) {
        answer_outcome(s, item, STORE_UNAVAILABLE);
        return;
    }
    uuid7_make(item->id);
    ticket_ref_make(item->id, item->ref);
}

static void take_winner(struct store *s, struct winners *w, const PGresult *res, int row)
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
    resolve(s, item, &t, (const uint8_t *)PQgetvalue(res, row, 3));
}

static void on_winners(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct winners *w = (struct winners *)((char *)job - offsetof(struct winners, job));
    struct store *s = w->store;
    CRASH_POINT("intake.winners.after");
    if (err)
        log_once(s, err);
    else
        for (int row = 0; row < PQntuples(res); row++)
            take_winner(s, w, res, row);
    /* Who has no answer yet is inserted again. */
    w->n = 0;
    if (--s->winners_out > 0)
        return;
    s->busy = false;
    batch_done(s);
    if (err && session_up(s->session))
        pause_for(s, RETRY_DELAY_MS);
}

static void send_winners(struct store *s)
{
    s->busy = true;
    CRASH_POINT("intake.winners.before");
    s->winners_out = (s->winners[0].n > 0) + (s->winners[1].n > 0);
    for (int i = 0; i < WINNER_STATEMENTS; i++) {
        struct winners *w = &s->winners[i];
        if (w->n == 0)
            continue;
        struct pg_params p = {0};
        if (i == 0)
            rows_keys(s->rows, w->item, w->n, &p);
        else
            rows_calls(s->rows, w->item, w->n, &p);
        if (!session_send(s->session, &w->job, &statements[BY_KEY + i], &p)) {
            struct err err;
            err_set(&err, ERR_RETRY, "the connection is lost");
            err.unknown = true;
            on_winners(&w->job, NULL, &err);
        }
    }
}

/* --- the insert --- */

static void take_created(struct store *s, struct store_item *item, int64_t created_us)
{
    struct store_ticket t = {
        .outcome = STORE_CREATED, .ref = item->ref, .state = "received", .created_us = created_us};
    memcpy(t.id, item->id, sizeof t.id);
    resolve(s, item, &t, item->batch.body_hash);
}

/* The careful insert returns the rows it has stored, in order; the others have lost to a winner. */
static void take_stored(struct store *s, const PGresult *res)
{
    int row = 0, rows = PQntuples(res);
    for (size_t i = s->lo; i < s->hi; i++) {
        struct store_item *item = store_item_of(s->leader[i]);
        if (row < rows && memcmp(PQgetvalue(res, row, 0), item->id, sizeof item->id) == 0) {
            take_created(s, item, rows_get_time(res, row, 1));
            row++;
        } else {
            struct winners *w = &s->winners[item->batch.is_call];
            w->item[w->n++] = item;
        }
    }
}

/* The plain insert has stored all, at one moment. */
static void take_all(struct store *s, const PGresult *res)
{
    int64_t created_us = rows_get_time(res, 0, 0);
    for (size_t i = s->lo; i < s->hi; i++)
        take_created(s, store_item_of(s->leader[i]), created_us);
}

/* One row alone is refused: its reference is taken, another client has posted
 * its call, or its data is bad. */
static void row_failed(struct store *s, struct store_item *item, const struct err *err)
{
    struct winners *calls = &s->winners[1];
    if (strcmp(err->sqlstate, "23505") == 0 && strcmp(err->constraint, "ticket_call") == 0) {
        calls->item[calls->n++] = item;
    } else if (strcmp(err->sqlstate, "23505") == 0) {
        collided(s, item);
    } else {
        log_err(LOG_ERROR, "PostgreSQL refused a ticket that had passed every check", err);
        answer_outcome(s, item, STORE_REFUSED);
    }
}

static void insert_failed(struct store *s, const struct err *err)
{
    if (err->kind != ERR_REJECT) {
        log_once(s, err);
        bisect_again(&s->ranges, s->lo, s->hi);
        if (session_up(s->session))
            pause_for(s, RETRY_DELAY_MS);
    } else if (s->insert == INSERT) {
        s->careful_until_ms = now_ms() + CAREFUL_MS;
        bisect_again(&s->ranges, s->lo, s->hi);
    } else if (!bisect_split(&s->ranges, s->lo, s->hi)) {
        row_failed(s, store_item_of(s->leader[s->lo]), err);
    }
}

static void on_inserted(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct store *s = (struct store *)((char *)job - offsetof(struct store, insert_job));
    s->busy = false;
    CRASH_POINT("intake.insert.after");
    if (err) {
        insert_failed(s, err);
        return;
    }
    metrics_batch(s->o.metrics, s->hi - s->lo, now_us() - s->sent_us);
    if (s->insert == INSERT)
        take_all(s, res);
    else
        take_stored(s, res);
}

/* Leaders that nobody waits for any more need not be tried again. */
static bool forsaken(struct store *s, size_t lo, size_t hi)
{
    for (size_t i = lo; i < hi; i++)
        for (struct batch_item *b = s->leader[i]; b; b = b->same)
            if (!store_item_of(b)->answered)
                return false;
    return true;
}

static void send_insert(struct store *s)
{
    struct pg_params p = {0};
    rows_insert(s->rows, s->leader + s->lo, s->hi - s->lo, &p);
    s->busy = true;
    s->sent_us = now_us();
    s->insert = s->sent_us / 1000 < s->careful_until_ms ? INSERT_CAREFUL : INSERT;
    CRASH_POINT("intake.insert.before");
    if (!session_send(s->session, &s->insert_job, &statements[s->insert], &p)) {
        s->busy = false;
        bisect_again(&s->ranges, s->lo, s->hi);
    }
}

static void batch_start(struct store *s)
{
    size_t n = 0;
    while (s->first && n < (size_t)s->o.batch_max) {
        struct store_item *item = queue_pop(s);
        if (item->answered)
            item->release(item);
        else
            s->leader[n++] = &item->batch;
    }
    s->n_leaders = batch_fold(s->leader, n);
    bisect_start(&s->ranges, s->n_leaders);
}

void store_turn(struct store *s)
{
    while (!s->busy && !s->paused && session_up(s->session)) {
        if (s->n_leaders == 0) {
            if (!s->first)
                return;
            batch_start(s);
        }
        if (bisect_next(&s->ranges, &s->lo, &s->hi)) {
            if (!forsaken(s, s->lo, s->hi))
                send_insert(s);
        } else if (s->winners[0].n + s->winners[1].n > 0) {
            send_winners(s);
        } else {
            batch_done(s);
        }
    }
}

/* --- deadlines --- */

static uint64_t expire(struct store *s, struct store_item *item, uint64_t now, uint64_t next)
{
    if (item->answered)
        return next;
    if (item->deadline_ms <= now) {
        answer_outcome(s, item, STORE_UNAVAILABLE);
        return next;
    }
    return item->deadline_ms < next ? item->deadline_ms : next;
}

static void on_deadline(void *ctx)
{
    struct store *s = ctx;
    uint64_t now = now_ms(), next = UINT64_MAX;
    for (size_t i = 0; i < s->n_leaders; i++)
        for (struct batch_item *b = s->leader[i]; b; b = b->same)
            next = expire(s, store_item_of(b), now, next);
    for (struct store_item *item = s->first; item; item = item->next)
        next = expire(s, item, now, next);
    while (s->first && s->first->answered) {
        struct store_item *item = queue_pop(s);
        item->release(item);
    }
    if (next != UINT64_MAX)
        loop_timer_set(s->o.loop, &s->deadline_timer, next);
}

static void on_retry(void *ctx)
{
    struct store *s = ctx;
    s->paused = false;
}

static void on_up(void *ctx)
{
    struct store *s = ctx;
    s->paused = false;
    loop_timer_set(s->o.loop, &s->retry_timer, 0);
}

static void on_fatal(void *ctx, const struct err *err)
{
    struct store *s = ctx;
    s->o.on_fatal(s->o.ctx, err);
}

struct store *store_new(const struct store_options *options)
{
    struct store *s = mem_new(1, sizeof *s);
    s->o = *options;
    s->last = &s->first;
    s->rows = rows_new();
    s->deadline_timer = (struct loop_timer){.fn = on_deadline, .ctx = s};
    s->retry_timer = (struct loop_timer){.fn = on_retry, .ctx = s};
    s->insert_job.done = on_inserted;
    for (int i = 0; i < WINNER_STATEMENTS; i++) {
        s->winners[i].job.done = on_winners;
        s->winners[i].store = s;
    }
    s->session = session_new(&(struct session_options){
        .loop = s->o.loop,
        .name = "store",
        .pg = {.conninfo = s->o.db,
               .program = "intake",
               .stmts = statements,
               .n_stmts = N_STATEMENTS,
               .statement_timeout_ms = (int)s->o.request_timeout_ms},
        .setup_sql = setup_sql,
        .job_timeout_ms = s->o.request_timeout_ms + 1000,
        .on_up = on_up,
        .on_fatal = on_fatal,
        .ctx = s,
    });
    return s;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    session_free(s->session);
    loop_timer_set(s->o.loop, &s->deadline_timer, 0);
    loop_timer_set(s->o.loop, &s->retry_timer, 0);
    rows_free(s->rows);
    free(s);
}

bool store_up(const struct store *s)
{
    return session_up(s->session);
}

long store_waiting(const struct store *s)
{
    return s->waiting;
}
