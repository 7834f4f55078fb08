#include "assigner.h"

#include "consumer.h"
#include "crash.h"
#include "log.h"
#include "place.h"
#include "roster_db.h"
#include "shifts.h"
#include "sql.h"
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLOSE_TIMEOUT_MS = 3000,
    RETRY_MS = 250,
    STATEMENT_TIMEOUT_MS = 30000,
    ROUNDS_MAX = 5, /* for tickets whose expert was taken by somebody else meanwhile */
    IDLE_AFTER_MS = 5000,
    IDLE_REFRESH_MS = 500,
    REFRESH_MAX_MS = 2000,
    REFRESH_SHARE = 20, /* comparing the roster takes at most one part of so many of the time */
    POKED_MAX = 1000,   /* experts looked at by number; more are found by comparing */
    TYPES_MS = 2000,
    RELOAD_MS = 60000,    /* the whole roster: finds experts who were removed */
    RESWEEP_MS = 3600000, /* all tickets ever, page by page */
    DUE_MS = 250,         /* offers not answered, and what else the clock brings */
    TELL_MS = 1000,
};

struct assigner {
    const struct assigner_conf *conf;
    struct loop *loop;
    struct pg *pg;
    struct consumer *consumer;
    struct roster roster;
    char *snapshot; /* of the roster */
    struct batch batch;
    struct sweep sweep;
    struct placer placer;
    struct shifts shifts;
    struct ids off; /* experts whose offers may have to be taken back */
    char actor[96];
    struct ids poked; /* experts who have changed, as an event says */
    bool busy;        /* the last cycle had something to do */
    bool away;        /* said that PostgreSQL is away */
    uint64_t worked_ms, refreshed_ms, reloaded_ms, types_ms, swept_ms, resweep_ms;
    uint64_t due_ms, told_ms, refresh_took_ms;
};

const struct pg_stmt assigner_stmts[] = {
    {"types", sql_types, 0, false},
    {"times", sql_times, 0, false},
    {"places", sql_places, 0, false},
    {"shifts_extend", sql_shifts_extend, 2, false},
    {"roster_page", sql_roster_page, 2, false},
    {"roster_some", sql_roster_some, 1, false},
    {"roster_changes", sql_roster_changes, 1, false},
    {"roster_look", sql_roster_look, 1, false},
    {"inbox_put", sql_inbox_put, 1, false},
    {"tickets_lock", sql_tickets_lock, 1, false},
    {"tickets_lock_free", sql_tickets_lock_free, 1, false},
    {"tickets_load", sql_tickets_load, 1, false},
    {"experts_lock", sql_experts_lock, 1, false},
    {"experts_check", sql_experts_check, 1, false},
    {"experts_check_free", sql_experts_check_free, 1, false},
    {"experts_read", sql_experts_read, 1, false},
    {"decide", sql_decide, 11, false},
    {"waiting_for", sql_waiting_for, 2, false},
    {"waiting_first", sql_waiting_first, 1, false},
    {"waiting_due", sql_waiting_due, 1, false},
    {"waiting_tell", sql_waiting_tell, 2, false},
    {"offers_expire", sql_offers_expire, 2, false},
    {"offers_rescind", sql_offers_rescind, 2, false},
    {"waiting_page", sql_waiting_page, 2, false},
    {"review_known", sql_review_known, 1, false},
    {"missing", sql_missing, 3, false},
};
const size_t assigner_stmts_count = sizeof assigner_stmts / sizeof *assigner_stmts;

/* A new session: what the roster knew may be long past. */
static void disconnect_database(struct assigner *a)
{
    pg_close(a->pg);
    a->pg = NULL;
}

/* What fails while the session lives (somebody keeps a table or rows locked) is tried at its next
 * time, and holds nothing else up. */
static int unless_alive(struct assigner *a, const struct err *err, struct err *reterr)
{
    if (err->kind == ERR_FATAL || !pg_alive(a->pg)) {
        *reterr = *err;
        return -1;
    }
    log_err(LOG_WARN, "what is due waits", err);
    return 0;
}

static int connect_database(struct assigner *a, struct err *reterr)
{
    struct pg_options o = {.conninfo = a->conf->common.db,
                           .program = "assigner",
                           .stmts = assigner_stmts,
                           .n_stmts = assigner_stmts_count,
                           .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                           .lock_timeout_ms = PLACE_LOCK_TIMEOUT_MS,
                           .setup_sql = PG_STEADY_PLANS,
                           .loop = a->loop,
                           .shutdown_ms = a->conf->common.shutdown_ms};
    if (pg_open(&a->pg, &o, reterr))
        return -1;
    a->placer.pg = a->sweep.pg = a->pg;
    CRASH_POINT("assigner.roster.before");
    /* Before the roster is read, so that nobody seems off shift who is not. */
    struct err err = {0};
    if ((shifts_extend_all(&a->shifts, a->pg, &err) && unless_alive(a, &err, reterr)) ||
        roster_load(a->pg, &a->roster, &a->snapshot, &a->off, reterr)) {
        pg_close(a->pg);
        a->pg = NULL;
        return -1;
    }
    CRASH_POINT("assigner.roster.after");
    a->refreshed_ms = a->reloaded_ms = a->types_ms = now_ms();
    a->sweep.waiting_all = true;
    memset(a->sweep.waiting_behind, 0, sizeof a->sweep.waiting_behind);
    LOG(INFO, "assigner has its roster", F_INT("experts", a->roster.n),
        F_INT("types", a->roster.type_names.n));
    a->away = false;
    return 0;
}

static bool is_type(const char *type, size_t size, const char *name)
{
    return size == strlen(name) && memcmp(type, name, size) == 0;
}

/* The key of an event about an expert is his number. */
static void poke(struct assigner *a, const rd_kafka_message_t *m)
{
    int32_t id = 0;
    for (size_t i = 0; i < m->key_len; i++) {
        int digit = ((const char *)m->key)[i] - '0';
        if (digit < 0 || digit > 9 || id > (INT32_MAX - digit) / 10)
            return;
        id = id * 10 + digit;
    }
    ids_add(&a->poked, id);
}

/* What a message asks for: a decision about its ticket, a look at the experts, or nothing. */
static void take_message(struct assigner *a, const rd_kafka_message_t *m)
{
    size_t type_size = 0, id_size = 0, trace_size = 0;
    uint8_t ticket[16], event[16];
    const char *type = kafka_header(m, "ce_type", &type_size);
    const char *id = kafka_header(m, "ce_id", &id_size);
    const char *trace = kafka_header(m, "traceparent", &trace_size);
    if (!type)
        type_size = 0;
    if (is_type(type, type_size, "squad.expert.freed.v1") ||
        is_type(type, type_size, "squad.expert.changed.v1")) {
        poke(a, m);
    } else if (is_type(type, type_size, "squad.ticket.created.v1") ||
               is_type(type, type_size, "squad.ticket.requeued.v1")) {
        if (id && uuid_parse(id, id_size, event) && m->key &&
            uuid_parse(m->key, m->key_len, ticket))
            batch_event(&a->batch, ticket, event, trace, trace_size);
        else
            LOG(WARN, "an event without a valid key and ce_id is passed over",
                F_STR("topic", rd_kafka_topic_name(m->rkt)), F_INT("partition", m->partition),
                F_INT("offset", m->offset));
    }
}

static int collect(struct assigner *a, struct err *reterr)
{
    while (a->batch.n < (size_t)a->conf->batch_max) {
        rd_kafka_message_t *m;
        if (consumer_next(a->consumer, &m, reterr))
            return -1;
        if (!m)
            return 0;
        take_message(a, m);
        rd_kafka_message_destroy(m);
    }
    return 0;
}

static int refresh(struct assigner *a, struct err *reterr)
{
    uint64_t now = now_ms();
    bool idle = now - a->worked_ms > IDLE_AFTER_MS;
    uint64_t every = (uint64_t)a->conf->refresh_ms;
    if (idle && every < IDLE_REFRESH_MS)
        every = IDLE_REFRESH_MS;
    if (now - a->types_ms >= TYPES_MS) {
        a->types_ms = now;
        if (roster_load_types(a->pg, &a->roster, reterr))
            return -1;
    }
    if (now - a->reloaded_ms >= RELOAD_MS) {
        a->reloaded_ms = a->refreshed_ms = now;
        a->poked.n = 0;
        return roster_load(a->pg, &a->roster, &a->snapshot, &a->off, reterr);
    }
    if (every < a->refresh_took_ms * REFRESH_SHARE)
        every = a->refresh_took_ms * REFRESH_SHARE;
    if (every > REFRESH_MAX_MS && (uint64_t)a->conf->refresh_ms < REFRESH_MAX_MS)
        every =
            REFRESH_MAX_MS; /* one slow look, as on a frozen machine, says nothing of the next */
    if (a->poked.n <= POKED_MAX && now - a->refreshed_ms < every) {
        int failed = a->poked.n ? roster_look(a->pg, &a->roster, &a->poked, &a->off, reterr) : 0;
        a->poked.n = failed ? a->poked.n : 0;
        return failed;
    }
    if (roster_refresh(a->pg, &a->roster, &a->snapshot, &a->off, reterr))
        return -1;
    a->refreshed_ms = now_ms();
    a->refresh_took_ms = a->refreshed_ms - now;
    a->poked.n = 0;
    return 0;
}

/* What the clock alone brings: shifts that begin, offers that time out, people to be told. */
static int pass_time(struct assigner *a, struct err *reterr)
{
    uint64_t now = now_ms();
    int64_t told = 0;
    int tired = 0;
    struct err err = {0};
    if (roster_pass_time(a->pg, &a->roster, roster_now_us(&a->roster), &a->off, reterr))
        return -1;
    if (a->off.n && sweep_off(&a->sweep, &a->off, &a->batch, &err) && unless_alive(a, &err, reterr))
        return -1;
    if (now - a->due_ms >= DUE_MS) {
        a->due_ms = now;
        if (sweep_due(&a->sweep, &a->batch, &tired, &err) && unless_alive(a, &err, reterr))
            return -1;
    }
    if (now - a->told_ms >= TELL_MS) {
        a->told_ms = now;
        if (sweep_tell(&a->sweep, &told, &err) && unless_alive(a, &err, reterr))
            return -1;
    }
    if (now >= a->shifts.due_ms && shifts_extend(&a->shifts, a->pg, &err) &&
        unless_alive(a, &err, reterr))
        return -1;
    if (tired)
        LOG(INFO, "experts are on break: too many offers in a row timed out",
            F_INT("experts", tired));
    if (told)
        LOG(INFO, "tickets wait too long: manager or customer told", F_INT("told", told));
    return 0;
}

static int sweep(struct assigner *a, struct err *reterr)
{
    uint64_t now = now_ms();
    long min_age_ms = a->conf->common.drain ? 0 : a->conf->sweep_age_ms;
    bool due = now - a->swept_ms >= (uint64_t)a->conf->sweep_ms;
    if (now - a->resweep_ms >= RESWEEP_MS) {
        a->resweep_ms = now;
        memset(a->sweep.missing_behind, 0, sizeof a->sweep.missing_behind);
    }
    if (due)
        a->swept_ms = now;
    if (a->roster.types_changed) {
        a->roster.types_changed = false;
        sweep_all_waiting(&a->sweep);
    }
    CRASH_POINT("assigner.sweep.before");
    place_later(&a->placer, now, &a->batch);
    if (sweep_woken(&a->sweep, &a->roster, &a->batch, reterr))
        return -1;
    if ((due || a->sweep.waiting_all) && sweep_waiting(&a->sweep, &a->batch, reterr))
        return -1;
    if (due && sweep_review(&a->sweep, &a->batch, reterr))
        return -1;
    if ((due || a->sweep.missing_more) && sweep_missing(&a->sweep, min_age_ms, &a->batch, reterr))
        return -1;
    return 0;
}

/* The tickets of the batch that want another try, and nothing else. */
static void keep_again(struct batch *batch)
{
    struct batch again = {0};
    for (size_t i = 0; i < batch->n; i++)
        if (batch->jobs[i].verdict == VERDICT_AGAIN)
            batch_swept(&again, batch->jobs[i].ticket, batch->jobs[i].traceparent)->first =
                batch->jobs[i].first;
    batch_free(batch);
    *batch = again;
}

/* Tickets whose expert somebody else took meanwhile go once more, on a fresh roster. */
static int place_all(struct assigner *a, struct err *reterr)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        uint64_t again = a->placer.again;
        if (place(&a->placer, &a->batch, reterr))
            return -1;
        if (a->placer.again == again)
            break;
        keep_again(&a->batch);
        if (roster_refresh(a->pg, &a->roster, &a->snapshot, &a->off, reterr))
            return -1;
    }
    batch_clear(&a->batch);
    return 0;
}

/* One turn: what came, what changed, what waits; then decide. */
static int cycle(struct assigner *a, struct err *reterr)
{
    uint64_t before = a->placer.reserved;
    if (!a->batch.n &&
        (collect(a, reterr) || refresh(a, reterr) || pass_time(a, reterr) || sweep(a, reterr)))
        return -1;
    a->busy = a->batch.n > 0;
    if (place_all(a, reterr))
        return -1;
    if (a->placer.reserved != before) {
        a->worked_ms = now_ms();
        sweep_again(&a->sweep, &a->roster);
    }
    a->busy |= a->sweep.waiting_all || a->sweep.missing_more || a->roster.n_woken ||
               now_ms() >= a->shifts.due_ms;
    consumer_settle(a->consumer);
    consumer_tick(a->consumer);
    return 0;
}

/* Returns -1 when it is fatal. Only PostgreSQL gives other errors; Kafka may be away: then the
 * sweep does the work. */
static int in_trouble(struct assigner *a, const struct err *err)
{
    if (err->kind == ERR_FATAL)
        return -1;
    if (!a->away)
        log_err(LOG_WARN, "assigner waits for PostgreSQL", err);
    a->away = true;
    if (!pg_alive(a->pg))
        disconnect_database(a);
    loop_once(a->loop, RETRY_MS);
    return 0;
}

static bool drained(const struct assigner *a)
{
    return consumer_at_end(a->consumer) && !a->busy && a->swept_ms && !a->placer.locked.n &&
           !a->placer.held.n;
}

static int wait_ms(const struct assigner *a)
{
    bool idle = now_ms() - a->worked_ms > IDLE_AFTER_MS;
    if (a->busy)
        return 0;
    if (a->conf->common.drain)
        return 10;
    return idle && a->conf->refresh_ms < IDLE_REFRESH_MS ? IDLE_REFRESH_MS
                                                         : (int)a->conf->refresh_ms;
}

static void on_wakeup(void *ctx, uint32_t events)
{
    (void)ctx;
    (void)events;
}

static int run(struct assigner *a, struct err *reterr)
{
    while (!loop_stopping(a->loop)) {
        struct err err = {0};
        int failed = a->pg ? 0 : connect_database(a, &err);
        if (!failed)
            failed = cycle(a, &err);
        if (failed && in_trouble(a, &err)) {
            *reterr = err;
            return -1;
        }
        if (!failed && a->conf->common.drain && drained(a))
            return 0;
        loop_once(a->loop, failed ? 0 : wait_ms(a));
    }
    return 0;
}

int assigner_run(const struct assigner_conf *conf, struct loop *loop, struct err *reterr)
{
    static const char *const topics[] = {"tickets", "experts", NULL};
    struct assigner a = {.conf = conf, .loop = loop, .resweep_ms = now_ms(), .worked_ms = now_ms()};
    snprintf(a.actor, sizeof a.actor, "assigner/%s", conf->common.instance);
    a.consumer =
        consumer_new(&(struct consumer_options){.common = &conf->common,
                                                .name = "assigner",
                                                .suffixes = topics,
                                                .wake_fd = loop_wakeup(loop, on_wakeup, NULL)});
    a.sweep.actor = a.actor;
    a.placer = (struct placer){.roster = &a.roster,
                               .actor = a.actor,
                               .no_advisory_locks = conf->no_advisory_locks,
                               .off = &a.off};
    int failed = run(&a, reterr);
    consumer_close(a.consumer, CLOSE_TIMEOUT_MS);
    disconnect_database(&a);
    LOG(INFO, "tickets decided", F_INT("reserved", a.placer.reserved),
        F_INT("parked", a.placer.parked), F_INT("review", a.placer.review),
        F_INT("again", a.placer.again), F_INT("refused", a.placer.refused));
    placer_free(&a.placer);
    roster_free(&a.roster);
    batch_free(&a.batch);
    free(a.snapshot);
    free(a.off.items);
    free(a.poked.items);
    return failed;
}
