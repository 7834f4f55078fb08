#include "outbox.h"

#include <stdlib.h>

enum {
    COL_SNAPSHOT,
    COL_SEQ,
    COL_ID,
    COL_AGGTYPE,
    COL_AGGID,
    COL_TYPE,
    COL_PAYLOAD,
    COL_TRACE,
    COL_AT,
    COL_XID /* of a window only */
};

static void take(struct outbox_batch *batch, PGresult *res)
{
    *batch = (struct outbox_batch){.res = res, .n = PQntuples(res)};
    if (batch->n == 0)
        return;
    batch->snapshot = PQgetvalue(res, 0, COL_SNAPSHOT);
    /* The left join gives one row without a seq when there is nothing. */
    if (PQgetisnull(res, 0, COL_SEQ))
        batch->n = 0;
}

/* A window that fits: one statement for its end and its rows. */
static int read_window(struct pg *pg, const struct position *p, int max, struct outbox_batch *ret,
                       struct err *reterr)
{
    struct pg_params params = {0};
    PGresult *res;
    pg_param_text(&params, p->snapshot_prev);
    pg_param_int4(&params, max + 1);
    if (pg_run(pg, "window", &params, &res, reterr))
        return -1;
    take(ret, res);
    ret->complete = ret->n <= max;
    return 0;
}

/* Fixes the end of a large window and where its first row lies. */
static int begin_pieces(struct pg *pg, struct position *p, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_text(&params, p->snapshot_prev);
    if (pg_run(pg, "window_begin", &params, &res, reterr))
        return -1;
    position_set(&p->snapshot_cur, PQgetvalue(res, 0, 0));
    p->last_seq = pg_get_int8(res, 0, 1) - 1;
    position_newest(p, PQgetvalue(res, 0, 2), pg_get_int8(res, 0, 3), PQgetvalue(res, 0, 4));
    return 0;
}

static int read_piece(struct pg *pg, const struct position *p, int max, struct outbox_batch *ret,
                      struct err *reterr)
{
    struct pg_params params = {0};
    PGresult *res;
    pg_param_text(&params, p->snapshot_prev);
    pg_param_text(&params, p->snapshot_cur);
    pg_param_int8(&params, p->last_seq);
    pg_param_int4(&params, max);
    if (pg_run(pg, "piece", &params, &res, reterr))
        return -1;
    take(ret, res);
    ret->complete = ret->n < max;
    return 0;
}

int outbox_read(struct pg *pg, struct position *p, int max, struct outbox_batch *ret,
                struct err *reterr)
{
    if (!p->snapshot_cur) {
        if (read_window(pg, p, max, ret, reterr))
            return -1;
        if (ret->complete)
            return 0;
        outbox_batch_free(ret);
        if (begin_pieces(pg, p, reterr))
            return -1;
    }
    return read_piece(pg, p, max, ret, reterr);
}

void outbox_row(const struct outbox_batch *batch, int i, struct outbox_row *ret)
{
    const PGresult *res = batch->res;
    *ret = (struct outbox_row){
        .seq = pg_get_int8(res, i, COL_SEQ),
        .id = PQgetvalue(res, i, COL_ID),
        .aggregatetype = PQgetvalue(res, i, COL_AGGTYPE),
        .aggregateid = PQgetvalue(res, i, COL_AGGID),
        .type = PQgetvalue(res, i, COL_TYPE),
        .payload = PQgetvalue(res, i, COL_PAYLOAD),
        .payload_size = (size_t)PQgetlength(res, i, COL_PAYLOAD),
        .traceparent = pg_get_text(res, i, COL_TRACE),
        .at = PQgetvalue(res, i, COL_AT),
    };
}

void outbox_advance(const struct outbox_batch *batch, struct position *p)
{
    for (int i = 0; i < batch->n && !p->snapshot_cur; i++)
        position_newest(p, PQgetvalue(batch->res, i, COL_XID), pg_get_int8(batch->res, i, COL_SEQ),
                        PQgetvalue(batch->res, i, COL_ID));
    if (batch->complete) {
        position_set(&p->snapshot_prev, p->snapshot_cur ? p->snapshot_cur : batch->snapshot);
        position_set(&p->snapshot_cur, NULL);
        p->last_seq = 0;
    } else {
        p->last_seq = pg_get_int8(batch->res, batch->n - 1, COL_SEQ);
    }
    p->rows += batch->n;
}

void outbox_batch_free(struct outbox_batch *batch)
{
    PQclear(batch->res);
    *batch = (struct outbox_batch){0};
}
