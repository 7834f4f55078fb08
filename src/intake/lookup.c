#include "lookup.h"

#include "crash.h"
#include "log.h"
#include "mem.h"
#include "route.h"
#include "secrets.h"
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IN_FLIGHT_MAX = 64,
    TICK_MS = 100,
    STATEMENTS_MAX = 64,
    LOCK_TIMEOUT_MS = 500, /* everything behind it in the session waits as long */
    SHORT_TIMEOUT_MS = 50, /* instead, when one has passed, */
    SHORT_FOR_MS = 10000,  /* for so long: who holds a row is asked for it again and again */
};

static const struct pg_stmt lock_timeout_stmt = {"lock_timeout", sql_lock_timeout, 1, false};

/* Not in struct lookup: a thread that still connects when the program stops reads it. */
static struct pg_stmt statements[STATEMENTS_MAX];
static size_t n_statements;

struct lookup {
    struct lookup_options o;
    struct session *session;
    struct clients *clients;
    struct secrets *secrets;
    struct watch *watch;
    struct lookup_item *first, **last; /* waiting */
    long waiting;
    int in_flight;
    struct loop_timer deadline_timer;
    bool is_short, setting; /* the lock time-out; its statement is under way */
    struct session_job lock_job;
    struct loop_timer patience_timer;
};

static void queue_push(struct lookup *l, struct lookup_item *item)
{
    item->next = NULL;
    *l->last = item;
    l->last = &item->next;
    l->waiting++;
}

static struct lookup_item *queue_pop(struct lookup *l)
{
    struct lookup_item *item = l->first;
    l->first = item->next;
    if (!l->first)
        l->last = &l->first;
    l->waiting--;
    return item;
}

static void finish(struct lookup_item *item, const PGresult *res, const struct err *err)
{
    void (*release)(struct lookup_item *) = item->release;
    if (!item->answered) {
        item->answered = true;
        item->answer(item, res, err);
    }
    release(item);
}

static void on_lock_timeout_set(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct lookup *l = (struct lookup *)((char *)job - offsetof(struct lookup, lock_job));
    (void)res;
    (void)err; /* as it was: no harm */
    l->setting = false;
}

static void set_lock_timeout(struct lookup *l, bool is_short)
{
    struct pg_params p = {0};
    char text[16];
    if (l->setting || l->is_short == is_short)
        return;
    snprintf(text, sizeof text, "%d", is_short ? SHORT_TIMEOUT_MS : LOCK_TIMEOUT_MS);
    pg_param_text(&p, text);
    l->setting = true;
    l->is_short = is_short;
    if (!session_send(l->session, &l->lock_job, &lock_timeout_stmt, &p))
        l->setting = false;
}

static void on_patience(void *ctx)
{
    set_lock_timeout(ctx, false);
}

static void on_locked(struct lookup *l)
{
    set_lock_timeout(l, true);
    loop_timer_set(l->o.loop, &l->patience_timer, now_ms() + SHORT_FOR_MS);
}

static void send_waiting(struct lookup *l);

static void wait_again(struct lookup *l, struct lookup_item *item)
{
    queue_push(l, item);
    if (!l->deadline_timer.at_ms)
        loop_timer_set(l->o.loop, &l->deadline_timer, now_ms() + TICK_MS);
}

static void on_done(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct lookup_item *item =
        (struct lookup_item *)((char *)job - offsetof(struct lookup_item, job));
    struct lookup *l = item->lookup;
    CRASH_POINT("intake.lookup.after");
    l->in_flight--;
    /* Who holds a row may do so for hours, and each try keeps the others waiting. */
    bool locked = !res && pg_err_locked(err);
    bool again = !res && err->kind == ERR_RETRY && !(err->unknown && item->once) && !locked;
    if (locked)
        on_locked(l);
    if (again && !item->answered && item->deadline_ms > now_ms())
        wait_again(l, item);
    else
        finish(item, res, err);
    if (res)
        send_waiting(l);
}

static void send_waiting(struct lookup *l)
{
    while (l->first && l->in_flight < IN_FLIGHT_MAX && session_up(l->session)) {
        struct lookup_item *item = queue_pop(l);
        if (item->answered) {
            item->release(item);
            continue;
        }
        struct pg_params p = {0};
        for (int i = 0; i < item->n_params; i++)
            pg_param_text(&p, item->param[i]);
        l->in_flight++;
        CRASH_POINT("intake.lookup.before");
        session_send(l->session, &item->job, item->stmt, &p);
    }
}

/* Also what sends again after a statement was refused for the moment (a deadlock). */
static void on_deadline(void *ctx)
{
    struct lookup *l = ctx;
    uint64_t now = now_ms();
    for (struct lookup_item *item = l->first; item; item = item->next)
        if (!item->answered && item->deadline_ms <= now) {
            item->answered = true;
            item->answer(item, NULL, NULL);
        }
    while (l->first && l->first->answered) {
        struct lookup_item *item = queue_pop(l);
        item->release(item);
    }
    send_waiting(l);
    if (l->first)
        loop_timer_set(l->o.loop, &l->deadline_timer, now + TICK_MS);
}

bool lookup_add(struct lookup *l, struct lookup_item *item)
{
    if (l->waiting >= l->o.queue_max || session_down(l->session))
        return false;
    item->job.done = on_done;
    item->lookup = l;
    item->answered = false;
    queue_push(l, item);
    send_waiting(l);
    if (l->first && !l->deadline_timer.at_ms)
        loop_timer_set(l->o.loop, &l->deadline_timer, now_ms() + 1);
    return true;
}

static void on_up(void *ctx)
{
    struct lookup *l = ctx;
    l->is_short = false;
    secrets_on_up(l->secrets); /* first: whoever is let in may need them */
    clients_on_up(l->clients);
    send_waiting(l);
}

static void on_fatal(void *ctx, const struct err *err)
{
    struct lookup *l = ctx;
    l->o.on_fatal(l->o.ctx, err);
}

static void add_statement(const struct pg_stmt *stmt)
{
    for (size_t i = 0; i < n_statements; i++)
        if (strcmp(statements[i].name, stmt->name) == 0)
            return; /* shared by two resources */
    if (n_statements == STATEMENTS_MAX)
        abort();
    statements[n_statements++] = *stmt;
}

static void add_statements(const struct resource *const *resources)
{
    add_statement(&secrets_stmt);
    add_statement(&clients_stmt);
    add_statement(&lock_timeout_stmt);
    for (const struct resource *const *r = resources; *r; r++)
        for (size_t i = 0; i < (*r)->n_stmts; i++)
            add_statement((*r)->stmts[i]);
}

struct lookup *lookup_new(const struct lookup_options *options)
{
    struct lookup *l = mem_new(1, sizeof *l);
    l->o = *options;
    l->last = &l->first;
    l->deadline_timer = (struct loop_timer){.fn = on_deadline, .ctx = l};
    l->patience_timer = (struct loop_timer){.fn = on_patience, .ctx = l};
    l->lock_job.done = on_lock_timeout_set;
    add_statements(l->o.resources);
    l->session = session_new(&(struct session_options){
        .loop = l->o.loop,
        .name = "lookup",
        .pg = {.conninfo = l->o.db,
               .program = "intake",
               .stmts = statements,
               .n_stmts = n_statements,
               .statement_timeout_ms = (int)l->o.request_timeout_ms,
               .lock_timeout_ms = LOCK_TIMEOUT_MS,
               .setup_sql = "SET plan_cache_mode = force_generic_plan;" PG_STEADY_PLANS},
        .job_timeout_ms = l->o.request_timeout_ms + 1000, /* the server's own time-out is first */
        .on_up = on_up,
        .on_fatal = on_fatal,
        .ctx = l,
    });
    l->secrets = secrets_new(l->o.loop, l->session, l->o.seal);
    l->clients = clients_new(l->o.loop, l->session);
    l->watch = watch_new(l->o.loop, l->session);
    return l;
}

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    watch_free(l->watch);
    clients_free(l->clients);
    secrets_free(l->secrets);
    loop_timer_set(l->o.loop, &l->deadline_timer, 0);
    loop_timer_set(l->o.loop, &l->patience_timer, 0);
    session_free(l->session);
    free(l);
}

struct clients *lookup_clients(struct lookup *l)
{
    return l->clients;
}

struct watch *lookup_watch(struct lookup *l)
{
    return l->watch;
}

bool lookup_up(const struct lookup *l)
{
    return session_up(l->session);
}

long lookup_waiting(const struct lookup *l)
{
    return l->waiting;
}
