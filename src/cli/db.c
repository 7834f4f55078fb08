#include "db.h"

#include "loop.h"
#include "out.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONNECT_PAUSE_MS = 200 };

int db_open(struct pg **ret, const struct pg_options *options, int wait_ms, struct err *reterr)
{
    uint64_t until = now_ms() + (uint64_t)wait_ms;
    struct err err = {0};
    while (pg_open(ret, options, &err)) {
        if (err.kind != ERR_RETRY || now_ms() >= until) {
            out_progress_end();
            if (err.kind == ERR_RETRY) {
                err.kind = ERR_FATAL;
                err.exit_code = EXIT_DATABASE;
            }
            *reterr = err;
            return -1;
        }
        out_progress("waiting for PostgreSQL: %.100s", err.text);
        nanosleep(&(struct timespec){.tv_nsec = CONNECT_PAUSE_MS * 1000000L}, NULL);
    }
    out_progress_end();
    return 0;
}

/* Line of the character that PostgreSQL counts from 1. */
static int line_of(const char *text, const char *position)
{
    long at = position ? strtol(position, NULL, 10) : 0;
    int line = 1;
    for (; *text && at > 1; text++) {
        if (((unsigned char)*text & 0xC0) != 0x80)
            at--;
        line += *text == '\n';
    }
    return line;
}

int db_run_file(struct pg *pg, const char *name, const char *text, struct err *reterr)
{
    _cleanup_result_ PGresult *res = PQexec(pg_conn(pg), text);
    ExecStatusType status = PQresultStatus(res);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return 0;
    char what[128];
    const char *position = res ? PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION) : NULL;
    if (position)
        snprintf(what, sizeof what, "run %s.sql, line %d", name, line_of(text, position));
    else
        snprintf(what, sizeof what, "run %s.sql", name);
    return pg_err(reterr, pg_conn(pg), res, what);
}

int db_set_local(struct pg *pg, const char *setting, const char *value, struct err *reterr)
{
    const char *values[] = {setting, value ? value : ""};
    _cleanup_result_ PGresult *res = PQexecParams(pg_conn(pg), "SELECT set_config($1, $2, true)", 2,
                                                  NULL, values, NULL, NULL, 0);
    if (PQresultStatus(res) == PGRES_TUPLES_OK)
        return 0;
    return pg_err(reterr, pg_conn(pg), res, "set a value for the transaction");
}

int db_get_bool(struct pg *pg, const char *sql, const char *what, bool *ret, struct err *reterr)
{
    _cleanup_result_ PGresult *res = PQexec(pg_conn(pg), sql);
    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1)
        return pg_err(reterr, pg_conn(pg), res, what);
    *ret = pg_get_bool(res, 0, 0);
    return 0;
}
