#include "reader.h"

#include "leader.h"
#include "mem.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

PGconn *writer_open(struct world *w)
{
    PGconn *conn = PQconnectdb(w->conninfo);
    cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
    return conn;
}

void writer_run(PGconn *conn, const char *fmt, ...)
{
    char sql[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sql, sizeof sql, fmt, ap);
    va_end(ap);
    PGresult *res = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(res);
    cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s\n%s", sql,
              PQerrorMessage(conn));
    PQclear(res);
}

void writer_event(PGconn *conn, const char *key, int name)
{
    writer_run(conn,
               "INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) VALUES "
               "('ticket', '%s', 'squad.test.v1', '{\"n\": %d}')",
               key, name);
}

struct reader *reader_open(struct world *w)
{
    struct reader *r = mem_new(1, sizeof *r);
    char conninfo[600];
    struct err err;
    snprintf(conninfo, sizeof conninfo, "%s user=squad_relay", w->conninfo);
    struct pg_options o = {.conninfo = conninfo,
                           .program = "relay",
                           .stmts = leader_stmts,
                           .n_stmts = leader_stmts_count};
    r->w = w;
    cr_assert_eq(pg_open(&r->pg, &o, &err), 0, "%s", err.text);
    position_first(&r->at, &(struct identity){.system = 1, .database = 1, .timeline = 1});
    return r;
}

void reader_close(struct reader *r)
{
    pg_close(r->pg);
    position_free(&r->at);
    free(r);
}

static void add(struct seen *s, int64_t seq, const char *key, const char *payload)
{
    cr_assert_lt(s->n, READ_MAX);
    struct seen_row *row = &s->row[s->n++];
    row->seq = seq;
    snprintf(row->key, sizeof row->key, "%s", key);
    cr_assert_eq(sscanf(payload, "{\"n\": %d}", &row->name), 1, "%s", payload);
}

int reader_step(struct reader *r, int max)
{
    struct outbox_batch batch = {0};
    struct err err;
    cr_assert_eq(outbox_read(r->pg, &r->at, max, &batch, &err), 0, "%s", err.text);
    cr_assert_leq(batch.n, max);
    for (int i = 0; i < batch.n; i++) {
        struct outbox_row row;
        outbox_row(&batch, i, &row);
        add(&r->seen, row.seq, row.aggregateid, row.payload);
    }
    int n = batch.n;
    outbox_advance(&batch, &r->at);
    outbox_batch_free(&batch);
    return n;
}

void reader_drain(struct reader *r, int max)
{
    bool in_pieces;
    do {
        in_pieces = r->at.snapshot_cur;
    } while (reader_step(r, max) > 0 || in_pieces);
}

void reader_restart(struct reader *r)
{
    struct err err;
    char *json = position_encode(&r->at);
    position_free(&r->at);
    cr_assert_eq(position_decode(json, strlen(json), &r->at, &err), 0, "%s: %s", json, err.text);
    free(json);
}

static void read_into(struct world *w, struct seen *s, const char *fmt, int64_t last)
{
    char sql[512];
    snprintf(sql, sizeof sql, fmt, (long long)last);
    PGresult *res = PQexec(w->pg, sql);
    cr_assert_eq(PQresultStatus(res), PGRES_TUPLES_OK, "%s", PQerrorMessage(w->pg));
    for (int i = 0; i < PQntuples(res); i++)
        add(s, pg_get_int8(res, i, 0), PQgetvalue(res, i, 1), PQgetvalue(res, i, 2));
    PQclear(res);
}

void reader_naive(struct reader *r)
{
    struct seen *above = &r->above_id, *below = &r->below_xmin;
    read_into(r->w, above,
              "SELECT seq, aggregateid, payload FROM outbox WHERE seq > %lld ORDER BY seq",
              above->n ? above->row[above->n - 1].seq : 0);
    read_into(r->w, below,
              "SELECT seq, aggregateid, payload FROM outbox "
              "WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) AND (xid, seq) > "
              "(coalesce((SELECT xid FROM outbox WHERE seq = %lld), '0'), %1$lld) "
              "ORDER BY xid, seq",
              below->n ? below->row[below->n - 1].seq : 0);
}

void reader_naive_all(struct reader *r, long rows)
{
    for (int i = 0; i < 1000; i++) {
        reader_naive(r);
        if (r->below_xmin.n >= rows)
            return;
        usleep(20000);
    }
    cr_assert_fail("%d rows below xmin, not %ld", r->below_xmin.n, rows);
}

int seen_count(const struct seen *s, int name)
{
    int n = 0;
    for (int i = 0; i < s->n; i++)
        n += s->row[i].name == name;
    return n;
}

int seen_at(const struct seen *s, int name)
{
    for (int i = 0; i < s->n; i++)
        if (s->row[i].name == name)
            return i;
    return -1;
}
