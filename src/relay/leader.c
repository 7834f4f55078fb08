#include "leader.h"

#include "crash.h"
#include "log.h"
#include "sql.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOCK_TRY_INTERVAL_MS = 250,
    CONNECT_PAUSE_MS = 200,
    STATEMENT_TIMEOUT_MS = 30000,
    LOCK_TIMEOUT_MS = 1000,
};

const struct pg_stmt leader_stmts[] = {
    {"window", sql_window, 2, false},
    {"window_begin", sql_window_begin, 1, false},
    {"piece", sql_piece, 4, false},
    {"identity", sql_identity, 0, false},
    {"newest", sql_newest, 2, false},
    {"lock_try", sql_lock_try, 1, false},
    {"lock_held", sql_lock_held, 1, false},
    {"progress_get", sql_progress_get, 1, false},
    {"progress_put", sql_progress_put, 11, false},
    {"dead_put", sql_dead_put, 4, false},
    {"dead_keys", sql_dead_keys, 0, false},
    {"extend", sql_extend, 0, false},
};
const size_t leader_stmts_count = sizeof leader_stmts / sizeof *leader_stmts;

/* A frozen process is idle, a lost host does not answer: both keep their lock for ever by default.
 */
static int bound_session(struct leader *l, struct err *reterr)
{
    char sql[256];
    long s = (l->timeout_ms + 999) / 1000;
    snprintf(sql, sizeof sql,
             "SET idle_session_timeout = %ld; SET tcp_user_timeout = %ld; "
             "SET tcp_keepalives_idle = %ld; SET tcp_keepalives_interval = %ld; "
             "SET tcp_keepalives_count = 2",
             l->timeout_ms, l->timeout_ms, (s + 1) / 2, (s + 3) / 4);
    return pg_exec(l->pg, sql, reterr);
}

static int connect_once(struct leader *l, struct err *reterr)
{
    struct pg_options o = {.conninfo = l->conf->db,
                           .program = "relay",
                           .stmts = leader_stmts,
                           .n_stmts = leader_stmts_count,
                           .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                           .lock_timeout_ms = LOCK_TIMEOUT_MS,
                           .loop = l->loop,
                           .shutdown_ms = l->conf->shutdown_ms};
    if (pg_open(&l->pg, &o, reterr) == 0 && bound_session(l, reterr) == 0 &&
        pg_exec(l->pg, PG_STEADY_PLANS, reterr) == 0)
        return 0;
    leader_resign(l);
    return -1;
}

static int try_lock(struct leader *l, bool *ret_standby_server, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_text(&params, l->conf->topic_prefix);
    CRASH_POINT("relay.lock.before");
    if (pg_run(l->pg, "lock_try", &params, &res, reterr))
        return -1;
    CRASH_POINT("relay.lock.after");
    if (pg_get_bool(res, 0, 0)) {
        l->leads = true;
        l->since_ms = now_ms();
    }
    *ret_standby_server = pg_get_bool(res, 0, 1);
    return 0;
}

int leader_stand_by(struct leader *l, struct err *reterr)
{
    bool said_away = false, said_standby = false, standby_server = false;
    while (!loop_stopping(l->loop)) {
        if (l->leads && pg_alive(l->pg))
            return 0;
        l->leads = false;
        if (!pg_alive(l->pg))
            leader_resign(l);
        if ((!l->pg && connect_once(l, reterr)) || try_lock(l, &standby_server, reterr)) {
            leader_resign(l);
            if (reterr->kind != ERR_RETRY)
                return -1;
            if (!said_away)
                log_err(LOG_WARN, "waiting for PostgreSQL", reterr);
            said_away = true;
            loop_once(l->loop, CONNECT_PAUSE_MS);
            continue;
        }
        if (l->leads)
            return 0;
        if (!said_standby && standby_server)
            LOG(WARN, "standing by: the database is a standby server");
        else if (!said_standby)
            LOG(INFO, "standing by: another relay leads");
        said_standby = true;
        loop_once(l->loop, LOCK_TRY_INTERVAL_MS);
    }
    return err_set(reterr, ERR_RETRY, "stopping");
}

static int lock_held(struct leader *l, bool *ret, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_text(&params, l->conf->topic_prefix);
    if (pg_run(l->pg, "lock_held", &params, &res, reterr))
        return -1;
    *ret = pg_get_bool(res, 0, 0);
    return 0;
}

void leader_keep(struct leader *l)
{
    bool held;
    struct err ignored;
    if (pg_alive(l->pg))
        lock_held(l, &held, &ignored);
}

int leader_check(struct leader *l, struct err *reterr)
{
    bool held;
    if (lock_held(l, &held, reterr))
        return -1;
    if (held)
        return 0;
    leader_resign(l);
    return err_set(reterr, ERR_RETRY, "the leader's lock was lost");
}

void leader_resign(struct leader *l)
{
    pg_close(l->pg);
    free(l->snapshot);
    l->snapshot = NULL;
    l->pg = NULL;
    l->leads = false;
}

void leader_resign_if_lost(struct leader *l)
{
    if (!pg_alive(l->pg))
        leader_resign(l);
}

static int newest_is_lost(struct leader *l, const struct newest *newest, bool *ret,
                          struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    *ret = false;
    if (!*newest->id)
        return 0;
    pg_param_int8(&params, newest->seq);
    pg_param_text(&params, newest->id);
    if (pg_run(l->pg, "newest", &params, &res, reterr))
        return -1;
    *ret = !pg_get_bool(res, 0, 0);
    return 0;
}

int leader_identity(struct leader *l, const struct position *p, struct identity *ret,
                    struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    if (pg_run(l->pg, "identity", NULL, &res, reterr))
        return -1;
    if (pg_get_bool(res, 0, 3))
        return err_set(reterr, ERR_RETRY, "the database is a standby server");
    position_set(&l->snapshot, PQgetvalue(res, 0, 2));
    *ret = (struct identity){.system = strtoull(PQgetvalue(res, 0, 0), NULL, 10),
                             .database = (uint32_t)pg_get_int8(res, 0, 4),
                             .timeline = (int32_t)pg_get_int8(res, 0, 1),
                             .snapshot = l->snapshot};
    return newest_is_lost(l, &p->newest, &ret->lost, reterr);
}

int leader_copied(struct leader *l, const char *relay, int64_t *ret_rows, uint64_t *ret_txn,
                  struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_text(&params, relay);
    if (pg_run(l->pg, "progress_get", &params, &res, reterr))
        return -1;
    *ret_rows = PQntuples(res) ? pg_get_int8(res, 0, 0) : 0;
    *ret_txn = PQntuples(res) ? (uint64_t)pg_get_int8(res, 0, 1) : 0;
    return 0;
}

int leader_copy(struct leader *l, const char *relay, const struct position *p, struct err *reterr)
{
    struct pg_params params = {0};
    char name[256], host[64] = "", instance[128], since[24];
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "%s pid %d instance %s", host, (int)getpid(),
             text_cut(instance, sizeof instance, l->conf->instance));
    snprintf(since, sizeof since, "%" PRIu64, now_ms() - l->since_ms);
    pg_param_text(&params, relay);
    pg_param_text(&params, p->snapshot_prev);
    pg_param_text(&params, p->snapshot_cur);
    if (p->snapshot_cur)
        pg_param_int8(&params, p->last_seq);
    else
        pg_param_null(&params);
    pg_param_int8(&params, p->rows);
    pg_param_int8(&params, p->dead);
    pg_param_int8(&params, (int64_t)p->txn);
    pg_param_int8(&params, (int64_t)p->system);
    pg_param_int4(&params, p->timeline);
    pg_param_text(&params, name);
    pg_param_text(&params, since);
    CRASH_POINT("relay.copy.before");
    _cleanup_result_ PGresult *res = NULL;
    int failed = pg_run(l->pg, "progress_put", &params, &res, reterr);
    CRASH_POINT("relay.copy.after");
    if (!failed && strcmp(PQcmdTuples(res), "0") == 0)
        return err_set(reterr, ERR_RETRY, "somebody holds the row of squad.relay_progress");
    return failed;
}
