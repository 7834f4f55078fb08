#include "session.h"

#include "crash.h"
#include "log.h"
#include "mem.h"
#include "pg_attempt.h"

#include <stdlib.h>
#include <sys/epoll.h>

enum { BACKOFF_MIN_MS = 20, BACKOFF_MAX_MS = 1000 };

struct session {
    struct session_options o;
    struct pg *pg; /* NULL while not connected */
    struct loop_source *source;
    bool wants_write;
    bool was_up, down;
    uint64_t answered_ms; /* the last answer */
    struct pg_attempt *attempt;
    int wake_fd;
    long backoff_ms;
    struct loop_timer retry_timer, stuck_timer;
    struct session_job *first, **last;
};

static void connect_start(void *ctx)
{
    struct session *s = ctx;
    s->attempt = pg_attempt_new(&s->o.pg, s->wake_fd);
}

static void jobs_lost(struct session *s, const struct err *err)
{
    struct session_job *job = s->first;
    s->first = NULL;
    s->last = &s->first;
    loop_timer_set(s->o.loop, &s->stuck_timer, 0);
    while (job) {
        struct session_job *next = job->next;
        PQclear(job->res);
        job->res = NULL;
        job->done(job, NULL, err);
        job = next;
    }
}

static void lost(struct session *s, const struct err *err)
{
    LOG(WARN, "connection to PostgreSQL lost", F_STR("session", s->o.name),
        F_STR("error", err->text));
    loop_remove(s->o.loop, s->source);
    s->source = NULL;
    pg_close(s->pg);
    s->pg = NULL;
    s->backoff_ms = BACKOFF_MIN_MS;
    connect_start(s);
    jobs_lost(s, err);
}

static void lost_now(struct session *s, const char *what)
{
    struct err err;
    pg_err(&err, pg_conn(s->pg), NULL, what);
    err.kind = ERR_RETRY;
    err.unknown = true;
    lost(s, &err);
}

static void on_stuck(void *ctx)
{
    struct session *s = ctx;
    uint64_t now = now_ms();
    if (!s->first || !s->pg)
        return;
    uint64_t since = s->first->sent_ms > s->answered_ms ? s->first->sent_ms : s->answered_ms;
    uint64_t due = since + (uint64_t)s->o.job_timeout_ms;
    if (due > now) {
        loop_timer_set(s->o.loop, &s->stuck_timer, due);
        return;
    }
    struct err err;
    err_set(&err, ERR_RETRY, "PostgreSQL has not answered for %ld ms", s->o.job_timeout_ms);
    err.unknown = true;
    lost(s, &err);
}

static void deliver(struct session *s)
{
    struct session_job *job = s->first;
    _cleanup_result_ PGresult *res = job->res;
    ExecStatusType status = PQresultStatus(res);
    struct err err;
    s->answered_ms = now_ms();
    s->first = job->next;
    if (!s->first)
        s->last = &s->first;
    job->res = NULL;
    if (res && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)) {
        job->done(job, res, NULL);
    } else {
        pg_err(&err, pg_conn(s->pg), res, "run a statement");
        job->done(job, NULL, &err);
    }
}

/* Takes what has arrived. False when the connection is lost. */
static bool take_results(struct session *s)
{
    PGconn *conn = pg_conn(s->pg);
    int nulls = 0;
    while (s->first && !PQisBusy(conn)) {
        PGresult *res = PQgetResult(conn);
        if (!res) { /* the end of a statement's results, or of everything */
            if (++nulls > 1)
                break;
            continue;
        }
        nulls = 0;
        ExecStatusType status = PQresultStatus(res);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            CRASH_POINT("intake.commit.after");
            deliver(s);
            if (!s->pg || pg_conn(s->pg) != conn)
                return true; /* a callback's send found it lost, and that was dealt with */
        } else if (status == PGRES_PIPELINE_ABORTED || s->first->res) {
            PQclear(res);
        } else {
            s->first->res = res;
            CRASH_POINT("intake.commit.before");
        }
    }
    return PQstatus(conn) == CONNECTION_OK;
}

static bool flush(struct session *s)
{
    int left = PQflush(pg_conn(s->pg));
    bool want = left > 0;
    if (left >= 0 && want != s->wants_write) {
        s->wants_write = want;
        loop_modify(s->o.loop, s->source, want ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return left >= 0;
}

static void on_socket(void *ctx, uint32_t events)
{
    struct session *s = ctx;
    (void)events;
    if (!PQconsumeInput(pg_conn(s->pg)) || !take_results(s)) {
        if (s->pg)
            lost_now(s, "read from PostgreSQL");
        return;
    }
    if (s->pg && !flush(s))
        lost_now(s, "write to PostgreSQL");
}

static void connected(struct session *s, struct pg *pg)
{
    s->pg = pg;
    s->wants_write = false;
    s->source = loop_add(s->o.loop, PQsocket(pg_conn(pg)), EPOLLIN, on_socket, s);
    LOG(INFO, "connected to PostgreSQL", F_STR("session", s->o.name));
    s->was_up = true;
    s->down = false;
    if (s->o.on_up)
        s->o.on_up(s->o.ctx);
}

static void not_connected(struct session *s, const struct err *err)
{
    if (err->kind != ERR_RETRY && !s->was_up) {
        s->o.on_fatal(s->o.ctx, err);
        return;
    }
    if (!s->down)
        log_err(err->kind == ERR_RETRY ? LOG_WARN : LOG_ERROR,
                "PostgreSQL is not available, trying again", err);
    s->down = true;
    loop_timer_set(s->o.loop, &s->retry_timer, now_ms() + (uint64_t)s->backoff_ms);
    s->backoff_ms = s->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : s->backoff_ms * 2;
}

static void on_attempt(void *ctx, uint32_t events)
{
    struct session *s = ctx;
    struct pg *pg = NULL;
    struct err err;
    (void)events;
    if (!s->attempt || !pg_attempt_ended(s->attempt))
        return;
    int failed = pg_attempt_take(s->attempt, &pg, &err);
    s->attempt = NULL;
    if (!failed && !PQenterPipelineMode(pg_conn(pg))) {
        failed = pg_err(&err, pg_conn(pg), NULL, "enter pipeline mode");
        pg_close(pg);
    }
    if (failed)
        not_connected(s, &err);
    else
        connected(s, pg);
}

struct session *session_new(const struct session_options *options)
{
    struct session *s = mem_new(1, sizeof *s);
    s->o = *options;
    s->last = &s->first;
    s->backoff_ms = BACKOFF_MIN_MS;
    s->retry_timer = (struct loop_timer){.fn = connect_start, .ctx = s};
    s->stuck_timer = (struct loop_timer){.fn = on_stuck, .ctx = s};
    s->wake_fd = loop_wakeup(s->o.loop, on_attempt, s);
    connect_start(s);
    return s;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    loop_timer_set(s->o.loop, &s->retry_timer, 0);
    loop_timer_set(s->o.loop, &s->stuck_timer, 0);
    pg_attempt_leave(s->attempt);
    for (struct session_job *job = s->first; job; job = job->next) {
        PQclear(job->res);
        job->res = NULL;
    }
    loop_remove(s->o.loop, s->source);
    pg_close(s->pg);
    free(s);
}

bool session_up(const struct session *s)
{
    return s->pg != NULL;
}

bool session_down(const struct session *s)
{
    return !s->pg && s->down;
}

bool session_send(struct session *s, struct session_job *job, const struct pg_stmt *stmt,
                  const struct pg_params *params)
{
    if (!s->pg)
        return false;
    PGconn *conn = pg_conn(s->pg);
    job->res = NULL;
    job->next = NULL;
    job->sent_ms = now_ms();
    *s->last = job;
    s->last = &job->next;
    if (!s->stuck_timer.at_ms)
        loop_timer_set(s->o.loop, &s->stuck_timer, job->sent_ms + (uint64_t)s->o.job_timeout_ms);
    CRASH_POINT("intake.sync.before");
    if (!PQsendQueryPrepared(conn, stmt->name, params->n, params->values, params->lengths,
                             params->formats, stmt->binary) ||
        !PQpipelineSync(conn) || !flush(s))
        lost_now(s, "send to PostgreSQL");
    CRASH_POINT("intake.sync.after");
    return true;
}
