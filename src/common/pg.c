#include "pg.h"

#include "crash.h"
#include "log.h"
#include "mem.h"
#include "pg_attempt.h"
#include "pg_connect.h"
#include "pg_wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    TX_TRIES_MAX = 5,
    LOOK_MS = 100,
    SILENCE_MS = 5000, /* behind the statement time-out, by which a server answers that is alive */
};

const int pg_schema_version = SQUAD_SCHEMA_VERSION;

struct pg {
    PGconn *conn;
    const struct pg_stmt *stmts;
    size_t n_stmts;
    int patience_ms; /* for an answer; 0: without end */
    struct loop *loop;
    long shutdown_ms;
    bool silent; /* given up */
};

/* SQLSTATE classes and codes, PostgreSQL manual, appendix A. First match wins. */
static const struct {
    const char *prefix;
    enum err_kind kind;
} sqlstate_kinds[] = {
    {"08", ERR_RETRY},    /* connection exception */
    {"22", ERR_REJECT},   /* data exception */
    {"23", ERR_REJECT},   /* integrity constraint violation */
    {"25006", ERR_RETRY}, /* read-only: a standby, before its promotion */
    {"28", ERR_FATAL},    /* invalid authorization */
    {"3D000", ERR_FATAL}, /* no such database */
    {"3F000", ERR_FATAL}, /* no such schema */
    {"40", ERR_RETRY},    /* serialization failure, deadlock */
    {"42", ERR_FATAL},    /* undefined, not allowed: schema and program do not fit */
    {"53", ERR_RETRY},    /* insufficient resources */
    {"55P03", ERR_RETRY}, /* lock not available */
    {"55006", ERR_RETRY}, /* object in use */
    {"57", ERR_RETRY},    /* cancelled, shutting down, starting up */
    {"58", ERR_RETRY},    /* system error: disk */
    {"XX", ERR_RETRY},    /* internal error */
};

enum err_kind pg_err_kind(const char *sqlstate)
{
    if (!sqlstate || !*sqlstate)
        return ERR_RETRY;
    for (size_t i = 0; i < sizeof sqlstate_kinds / sizeof *sqlstate_kinds; i++)
        if (strncmp(sqlstate, sqlstate_kinds[i].prefix, strlen(sqlstate_kinds[i].prefix)) == 0)
            return sqlstate_kinds[i].kind;
    return ERR_FATAL;
}

bool pg_err_locked(const struct err *err)
{
    return strcmp(err->sqlstate, "55P03") == 0;
}

static void copy_first_line(char *to, size_t size, const char *from)
{
    size_t n = strcspn(from ? from : "", "\n");
    if (n >= size)
        n = size - 1;
    memcpy(to, from ? from : "", n);
    to[n] = '\0';
}

int pg_err(struct err *reterr, PGconn *conn, const PGresult *res, const char *what)
{
    if (!reterr)
        return -1;
    const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char text[400];
    copy_first_line(text, sizeof text, primary ? primary : PQerrorMessage(conn));
    if (!*text)
        copy_first_line(text, sizeof text, "connection to PostgreSQL lost");
    enum err_kind kind = pg_err_kind(state);
    err_set(reterr, kind, "could not %s: %s", what, text);
    if (kind == ERR_FATAL)
        reterr->exit_code = EXIT_DATABASE;
    reterr->unknown = !state;
    if (state)
        copy_first_line(reterr->sqlstate, sizeof reterr->sqlstate, state);
    if (res) {
        copy_first_line(reterr->constraint, sizeof reterr->constraint,
                        PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME));
        copy_first_line(reterr->hint, sizeof reterr->hint,
                        PQresultErrorField(res, PG_DIAG_MESSAGE_HINT));
    }
    return -1;
}

/* The answer to what was just sent, as a result that is owned, or an error. */
static int take_answer(struct pg *pg, int sent, const char *what, PGresult **ret,
                       struct err *reterr)
{
    uint64_t now = now_ms();
    struct pg_wait wait = {.until_ms = pg->patience_ms ? now + (uint64_t)pg->patience_ms : 0,
                           .loop = pg->loop,
                           .shutdown_ms = pg->shutdown_ms};
    PGresult *res = sent ? pg_wait(pg->conn, &wait, &pg->silent) : NULL;
    ExecStatusType status = PQresultStatus(res);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        *ret = res;
        return 0;
    }
    pg_err(reterr, pg->conn, res, what);
    PQclear(res);
    if (pg->silent) {
        err_set(reterr, ERR_RETRY, "could not %s: PostgreSQL has not answered for %llu ms", what,
                (unsigned long long)(now_ms() - now));
        if (reterr)
            reterr->unknown = true;
    }
    return -1;
}

int pg_exec(struct pg *pg, const char *sql, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    char what[80];
    snprintf(what, sizeof what, "run \"%.60s\"", sql);
    return take_answer(pg, PQsendQuery(pg->conn, sql), what, &res, reterr);
}

static int set_session(struct pg *pg, const struct pg_options *o, struct err *reterr)
{
    char sql[400];
    snprintf(
        sql, sizeof sql,
        "SET search_path = squad, pg_temp; SET TimeZone = 'UTC'; SET DateStyle = 'ISO';"
        "SET statement_timeout = %d; SET lock_timeout = %d;"
        "SET default_transaction_isolation = 'read committed';"
        "SET idle_in_transaction_session_timeout = '60s'; SET standard_conforming_strings = on",
        o->statement_timeout_ms, o->lock_timeout_ms);
    return pg_exec(pg, sql, reterr);
}

static int check_schema(struct pg *pg, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    if (take_answer(pg, PQsendQuery(pg->conn, "SELECT squad.schema_version()"),
                    "read the schema's version", &res, reterr)) {
        if (reterr &&
            (strcmp(reterr->sqlstate, "3F000") == 0 || strncmp(reterr->sqlstate, "42", 2) == 0)) {
            err_fatal(reterr, EXIT_SCHEMA, "there is no squad schema in database \"%s\"",
                      PQdb(pg->conn));
            err_hint(reterr, "Run: squad migrate");
        }
        return -1;
    }
    int64_t version = pg_get_int8(res, 0, 0);
    if (version < pg_schema_version) {
        err_fatal(reterr, EXIT_SCHEMA, "the schema is at version %lld, this program needs %d",
                  (long long)version, pg_schema_version);
        return err_hint(reterr, "Run: squad migrate");
    }
    return 0;
}

static int prepare(struct pg *pg, const struct pg_stmt *s, struct err *reterr)
{
    char what[128];
    snprintf(what, sizeof what, "prepare statement %s", s->name);
    _cleanup_result_ PGresult *res = NULL, *desc = NULL;
    if (take_answer(pg, PQsendPrepare(pg->conn, s->name, s->sql, 0, NULL), what, &res, reterr) ||
        take_answer(pg, PQsendDescribePrepared(pg->conn, s->name), what, &desc, reterr))
        return -1;
    if (PQnparams(desc) != s->n_params)
        return err_fatal(reterr, EXIT_SCHEMA,
                         "statement %s has %d parameters, the program gives %d", s->name,
                         PQnparams(desc), s->n_params);
    return 0;
}

/* What the server's notices say is either expected or an error anyway. */
static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    LOG(DEBUG, "notice from PostgreSQL",
        F_STR("text", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)));
}

static int open_session(struct pg **ret, const struct pg_options *options, struct err *reterr)
{
    _cleanup_pg_ struct pg *pg = mem_new(1, sizeof *pg);
    pg->stmts = options->stmts;
    pg->n_stmts = options->n_stmts;
    CRASH_POINT(".connect.before");
    pg->conn = pg_connect(options, reterr);
    if (!pg->conn)
        return -1;
    PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
    PQsetnonblocking(pg->conn, 1);
    if (options->statement_timeout_ms)
        pg->patience_ms = options->statement_timeout_ms + SILENCE_MS;
    if (set_session(pg, options, reterr))
        return -1;
    if (!options->any_schema && check_schema(pg, reterr))
        return -1;
    for (size_t i = 0; i < pg->n_stmts; i++)
        if (prepare(pg, &pg->stmts[i], reterr))
            return -1;
    if (options->setup_sql && pg_exec(pg, options->setup_sql, reterr))
        return -1;
    CRASH_POINT(".connect.after");
    *ret = pg;
    pg = NULL;
    return 0;
}

static void on_ended(void *ctx, uint32_t events)
{
    (void)ctx;
    (void)events;
}

/* A program that is asked to stop while it waits may have nothing to write; if it has, it comes
 * again. */
static bool may_wait(const struct pg_options *o, uint64_t stopping_since_ms)
{
    if (loop_stopping_since_ms(o->loop) != stopping_since_ms)
        return false;
    return !stopping_since_ms || now_ms() - stopping_since_ms < (uint64_t)o->shutdown_ms;
}

static int open_beside(struct pg **ret, const struct pg_options *options, struct err *reterr)
{
    uint64_t stopping_since_ms = loop_stopping_since_ms(options->loop);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        abort();
    struct loop_source *source = loop_add(options->loop, fd, EPOLLIN, on_ended, NULL);
    struct pg_attempt *a = pg_attempt_new(options, fd);
    while (!pg_attempt_ended(a) && may_wait(options, stopping_since_ms))
        loop_once(options->loop, LOOK_MS);
    loop_remove(options->loop, source);
    close(fd);
    if (!pg_attempt_ended(a)) {
        pg_attempt_leave(a);
        return err_set(reterr, ERR_RETRY, "could not connect to PostgreSQL before the stop");
    }
    if (pg_attempt_take(a, ret, reterr))
        return -1;
    (*ret)->loop = options->loop;
    (*ret)->shutdown_ms = options->shutdown_ms;
    return 0;
}

int pg_open(struct pg **ret, const struct pg_options *options, struct err *reterr)
{
    return options->loop ? open_beside(ret, options, reterr) : open_session(ret, options, reterr);
}

void pg_close(struct pg *pg)
{
    if (!pg)
        return;
    PQfinish(pg->conn);
    free(pg);
}

PGconn *pg_conn(struct pg *pg)
{
    return pg->conn;
}

bool pg_alive(struct pg *pg)
{
    return pg && !pg->silent && PQstatus(pg->conn) == CONNECTION_OK;
}

int pg_run(struct pg *pg, const char *stmt, const struct pg_params *params, PGresult **ret_result,
           struct err *reterr)
{
    const struct pg_stmt *s = NULL;
    for (size_t i = 0; i < pg->n_stmts && !s; i++)
        if (strcmp(pg->stmts[i].name, stmt) == 0)
            s = &pg->stmts[i];
    int n = params ? params->n : 0;
    if (!s || n != s->n_params)
        return err_fatal(reterr, EXIT_FOUND, "statement %s called with %d parameters", stmt, n);
    char what[128];
    snprintf(what, sizeof what, "run statement %s", stmt);
    PGresult *res = NULL;
    if (take_answer(pg,
                    PQsendQueryPrepared(pg->conn, stmt, n, params ? params->values : NULL,
                                        params ? params->lengths : NULL,
                                        params ? params->formats : NULL, s->binary),
                    what, &res, reterr))
        return -1;
    if (ret_result)
        *ret_result = res;
    else
        PQclear(res);
    return 0;
}

static void backoff(int attempt)
{
    unsigned char r = 0;
    if (getrandom(&r, 1, 0) != 1)
        r = 128;
    struct timespec ts = {.tv_nsec = (long)(attempt * (2 + r % 16)) * 1000000L};
    nanosleep(&ts, NULL);
}

static int commit(struct pg *pg, const char *what, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    if (take_answer(pg, PQsendQuery(pg->conn, "COMMIT"), what, &res, reterr))
        return -1;
    if (strcmp(PQcmdStatus(res), "COMMIT") == 0)
        return 0;
    return err_set(reterr, ERR_RETRY, "could not %s: the transaction was rolled back", what);
}

int pg_tx(struct pg *pg, const char *what, pg_tx_fn *fn, void *ctx, struct err *reterr)
{
    struct err err = {0};
    for (int attempt = 1; attempt <= TX_TRIES_MAX; attempt++) {
        if (attempt > 1)
            backoff(attempt);
        err = (struct err){0};
        if (pg_exec(pg, "BEGIN", &err) == 0 && fn(pg, ctx, &err) == 0 &&
            commit(pg, what, &err) == 0)
            return 0;
        if (!pg_alive(pg))
            break;
        if (PQtransactionStatus(pg->conn) != PQTRANS_IDLE) {
            struct err ignored;
            if (pg_exec(pg, "ROLLBACK", &ignored))
                break;
        }
        if (err.kind != ERR_RETRY)
            break;
    }
    if (reterr)
        *reterr = err;
    return -1;
}
