#include "world.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *need(const char *name)
{
    const char *value = getenv(name);
    cr_assert(value && *value, "%s is not set: run the tests by make test", name);
    return value;
}

static PGconn *connect_to(const char *conninfo)
{
    PGconn *pg = PQconnectdb(conninfo);
    cr_assert_eq(PQstatus(pg), CONNECTION_OK, "%s", PQerrorMessage(pg));
    PQclear(PQexec(pg, "SET client_min_messages = error; SET search_path = squad, pg_temp"));
    return pg;
}

static void on_server(const char *fmt, const char *name)
{
    char sql[160];
    snprintf(sql, sizeof sql, fmt, name);
    PGconn *pg = connect_to(need("SQUAD_DB"));
    PGresult *res = PQexec(pg, sql);
    cr_assert_eq(PQresultStatus(res), PGRES_COMMAND_OK, "%s", PQerrorMessage(pg));
    PQclear(res);
    PQfinish(pg);
}

static void must(struct world *w, const char *command)
{
    struct ran r = world_squad(w, "", "%s", command);
    cr_assert_eq(r.code, 0, "squad %s: %s", command, r.err);
    ran_free(&r);
}

void world_make(struct world *w, int what)
{
    unsigned r[2];
    cr_assert_eq(getrandom(r, sizeof r, 0), (ssize_t)sizeof r);
    need("SQUAD_KAFKA");
    snprintf(w->name, sizeof w->name, "squad_test_%08x%08x", r[0], r[1]);
    snprintf(w->conninfo, sizeof w->conninfo, "%s dbname=%s", need("SQUAD_DB"), w->name);
    on_server("CREATE DATABASE %s", w->name);
    w->pg = connect_to(w->conninfo);
    if (what & WORLD_MIGRATED)
        must(w, "migrate");
    if (what & WORLD_TOPICS)
        must(w, "topics");
    if (what & WORLD_SEEDED)
        must(w, "seed --api-key test-key");
}

void world_drop(struct world *w)
{
    PQfinish(w->pg);
    on_server("DROP DATABASE %s WITH (FORCE)", w->name);
}

static char *run_sql(struct world *w, const char *fmt, va_list ap)
{
    char *sql;
    cr_assert(vasprintf(&sql, fmt, ap) >= 0);
    PGresult *res = PQexec(w->pg, sql);
    ExecStatusType status = PQresultStatus(res);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s\n%s", sql,
              PQerrorMessage(w->pg));
    char *value = NULL;
    if (status == PGRES_TUPLES_OK && PQntuples(res) && !PQgetisnull(res, 0, 0))
        value = strdup(PQgetvalue(res, 0, 0));
    PQclear(res);
    free(sql);
    return value;
}

char *world_sql(struct world *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *value = run_sql(w, fmt, ap);
    va_end(ap);
    return value;
}

long world_sql_long(struct world *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *value = run_sql(w, fmt, ap);
    va_end(ap);
    long n = value ? strtol(value, NULL, 10) : -1;
    free(value);
    return n;
}

const char *world_sqlstate(PGconn *pg, const char *sql)
{
    static char state[6];
    PGresult *res = PQexec(pg, sql);
    const char *s = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    snprintf(state, sizeof state, "%s", s ? s : "");
    PQclear(res);
    return state;
}

static char *slurp(FILE *f)
{
    char *text = NULL;
    size_t size = 0, n;
    char piece[4096];
    FILE *out = open_memstream(&text, &size);
    rewind(f);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        fwrite(piece, 1, n, out);
    fclose(out);
    fclose(f);
    return text;
}

struct ran world_squad(struct world *w, const char *env, const char *fmt, ...)
{
    char args[1024], command[4096];
    const char *build = getenv("SQUAD_BUILD");
    FILE *out = tmpfile(), *err = tmpfile();
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    snprintf(command, sizeof command,
             "env -u SQUAD_API_KEY -u SQUAD_HOOK_URL -u SQUAD_WEBHOOK_SECRET SQUAD_DB='%s' "
             "SQUAD_TOPIC_PREFIX=%s %s %s/bin/squad %s >/proc/self/fd/%d 2>/proc/self/fd/%d",
             w->conninfo, w->name, env, build ? build : "build", args, fileno(out), fileno(err));
    int status = system(command);
    return (struct ran){
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = slurp(out), .err = slurp(err)};
}

void ran_free(struct ran *r)
{
    free(r->out);
    free(r->err);
    r->out = r->err = NULL;
}
