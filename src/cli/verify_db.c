/* What squad verify reads from PostgreSQL. */
#include "mem.h"
#include "out.h"
#include "pg.h"
#include "sql.h"
#include "ticket.h"
#include "verify.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_ROWS = 20000, ACKS_PIECE = 10000 };

const struct pg_stmt verify_stmts[] = {
    {"verify_snapshot", sql_verify_snapshot, 0, false},
    {"verify_outbox", sql_verify_outbox, 2, true},
    {"verify_outbox_late", sql_verify_outbox_late, 1, false},
    {"verify_outbox_late_next", sql_verify_outbox_late_next, 0, true},
    {"verify_counts", sql_verify_counts, 0, false},
    {"verify_no_event", sql_verify_no_event, 0, false},
    {"verify_no_ticket", sql_verify_no_ticket, 0, false},
    {"verify_no_cause", sql_verify_no_cause, 0, false},
    {"verify_same_key", sql_verify_same_key, 0, false},
    {"verify_two_experts", sql_verify_two_experts, 0, false},
    {"verify_overload", sql_verify_overload, 0, false},
    {"verify_wrong_expert", sql_verify_wrong_expert, 0, false},
    {"verify_unnotified", sql_verify_unnotified, 1, false},
    {"verify_stuck", sql_verify_stuck, 1, false},
    {"verify_acks", sql_verify_acks, 1, false},
    {"backlog", sql_backlog, 1, false},
};
const size_t verify_n_stmts = sizeof verify_stmts / sizeof *verify_stmts;

/* Each gives rows of total, id, what. */
static const struct {
    enum verify_check check;
    const char *stmt;
    bool grace; /* $1 is the grace in seconds */
    const char *about;
} checks[] = {
    {CHECK_LOST, "verify_no_event", false, "P1 tickets and their events"},
    {CHECK_PHANTOM, "verify_no_ticket", false, "P2 events and their tickets"},
    {CHECK_PHANTOM, "verify_no_cause", false, "P2 what consumers acted on"},
    {CHECK_DUPLICATED, "verify_same_key", false, "P3 keys"},
    {CHECK_DOUBLE_ASSIGNED, "verify_two_experts", false, "P5 assignments"},
    {CHECK_OVERLOADED, "verify_overload", false, "P5 loads"},
    {CHECK_WRONG_EXPERT, "verify_wrong_expert", false, "P6 the right expert"},
    {CHECK_UNNOTIFIED, "verify_unnotified", true, "P7 notices"},
    {CHECK_STUCK, "verify_stuck", true, "P8 what waits"},
};

static void get(const PGresult *res, int row, int col, const char **ret_text, size_t *ret_size)
{
    bool null = PQgetisnull(res, row, col);
    *ret_text = null ? NULL : PQgetvalue(res, row, col);
    *ret_size = null ? 0 : (size_t)PQgetlength(res, row, col);
}

/* Events of one key keep their order. Those of an expert are written under different locks by
 * type (expert_load when freed, expert when changed), so there it is key and type. */
static uint64_t group_of(const struct verify_event *e)
{
    uint64_t h = ledger_hash(ledger_hash(0, e->topic, e->topic_size), e->key, e->key_size);
    if (e->topic_size == 6 && memcmp(e->topic, "expert", 6) == 0)
        h = ledger_hash(h, e->type, e->type_size);
    return h ? h : 1;
}

/* Rows of verify_outbox and verify_outbox_late_next, binary. Returns the last seq. */
static int64_t add_rows(struct verify *v, const PGresult *res, bool required)
{
    int64_t seq = 0;
    for (int i = 0; i < PQntuples(res); i++) {
        struct verify_event e;
        uint64_t big;
        memcpy(&big, PQgetvalue(res, i, 0), sizeof big);
        seq = (int64_t)be64toh(big);
        get(res, i, 2, &e.topic, &e.topic_size);
        get(res, i, 3, &e.key, &e.key_size);
        get(res, i, 4, &e.type, &e.type_size);
        get(res, i, 5, &e.payload, &e.payload_size);
        get(res, i, 6, &e.traceparent, &e.traceparent_size);
        struct ledger_row row = {
            .seq = seq, .content = verify_content(&e), .group = group_of(&e), .required = required};
        memcpy(row.id, PQgetvalue(res, i, 1), sizeof row.id);
        if (!ledger_add_row(v->ledger, &row)) {
            char id[UUID_TEXT_LEN + 1];
            uuid_format(row.id, id);
            verify_found(v, CHECK_DUPLICATED, 1, id, "two outbox rows have this id");
        }
    }
    return seq;
}

static int begin(struct verify *v, struct err *reterr)
{
    return pg_exec(v->pg,
                   "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL work_mem = '64MB'",
                   reterr);
}

int verify_load_outbox(struct verify *v, struct err *reterr)
{
    _cleanup_result_ PGresult *snapshot = NULL;
    if (begin(v, reterr) || pg_run(v->pg, "verify_snapshot", NULL, &snapshot, reterr))
        return -1;
    v->snapshot = mem_text(pg_get_text(snapshot, 0, 0));
    int64_t last = pg_get_int8(snapshot, 0, 1), seq = INT64_MIN;
    for (int rows = PIECE_ROWS; rows == PIECE_ROWS;) {
        _cleanup_result_ PGresult *res = NULL;
        struct pg_params p = {0};
        pg_param_int8(&p, seq);
        pg_param_int8(&p, PIECE_ROWS);
        if (pg_run(v->pg, "verify_outbox", &p, &res, reterr))
            return -1;
        rows = PQntuples(res);
        if (rows)
            seq = add_rows(v, res, true);
        out_progress("reading the outbox: %lld of %lld", (long long)seq, (long long)last);
    }
    return pg_exec(v->pg, "COMMIT", reterr);
}

int verify_load_late(struct verify *v, struct err *reterr)
{
    struct pg_params p = {0};
    long long read = 0;
    pg_param_text(&p, v->snapshot);
    out_progress("reading what was written meanwhile");
    if (begin(v, reterr) || pg_run(v->pg, "verify_outbox_late", &p, NULL, reterr))
        return -1;
    for (int rows = 1; rows > 0; read += rows) {
        _cleanup_result_ PGresult *res = NULL;
        if (pg_run(v->pg, "verify_outbox_late_next", NULL, &res, reterr))
            return -1;
        rows = PQntuples(res);
        add_rows(v, res, false);
        out_progress("reading what was written meanwhile: %lld rows", read);
    }
    return pg_exec(v->pg, "COMMIT", reterr);
}

static int run_check(struct verify *v, size_t i, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params p = {0};
    char grace[24];
    snprintf(grace, sizeof grace, "%ld", v->grace_s);
    if (checks[i].grace)
        pg_param_text(&p, grace);
    out_progress("checking %s", checks[i].about);
    if (pg_run(v->pg, checks[i].stmt, &p, &res, reterr))
        return -1;
    for (int row = 0; row < PQntuples(res); row++)
        verify_found(v, checks[i].check, row ? 0 : pg_get_int8(res, 0, 0), pg_get_text(res, row, 1),
                     pg_get_text(res, row, 2));
    return 0;
}

int verify_tables(struct verify *v, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    if (begin(v, reterr) || pg_run(v->pg, "verify_counts", NULL, &res, reterr))
        return -1;
    v->tickets = pg_get_int8(res, 0, 0);
    v->assigned = pg_get_int8(res, 0, 1);
    v->parked = pg_get_int8(res, 0, 2);
    v->review = pg_get_int8(res, 0, 3);
    v->notified = pg_get_int8(res, 0, 4);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (run_check(v, i, reterr))
            return -1;
    return pg_exec(v->pg, "COMMIT", reterr);
}

static void missing_ack(struct verify *v, const char *ref, const char *what)
{
    v->missing_acks++;
    verify_found(v, CHECK_LOST, 1, ref, what);
}

static int look_up(struct verify *v, struct pg_array *refs, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params p = {0};
    if (!refs->n)
        return 0;
    pg_array_param(refs, &p);
    if (pg_run(v->pg, "verify_acks", &p, &res, reterr))
        return -1;
    for (int i = 0; i < PQntuples(res); i++)
        missing_ack(v, pg_get_text(res, i, 0), "acknowledged, but there is no such ticket");
    pg_array_reset(refs);
    return 0;
}

/* One line of the file: a reference as people write it, or nothing. */
static int add_ack(struct verify *v, struct pg_array *refs, char *line, struct err *reterr)
{
    char ref[TICKET_REF_LEN + 1];
    size_t n = strcspn(line, "\r\n");
    line[n] = '\0';
    if (!n)
        return 0;
    v->acks++;
    if (ticket_ref_parse(line, n, ref))
        pg_array_text(refs, ref);
    else
        missing_ack(v, line, "in the list of acknowledged ones, but not a reference");
    return refs->n == ACKS_PIECE ? look_up(v, refs, reterr) : 0;
}

int verify_open_acks(struct verify *v, struct err *reterr)
{
    if (!v->acks_file)
        return 0;
    v->acks_from = strcmp(v->acks_file, "-") == 0 ? stdin : fopen(v->acks_file, "r");
    return v->acks_from ? 0
                        : err_fatal(reterr, EXIT_CONFIG, "could not open the file \"%s\": %s",
                                    v->acks_file, strerror(errno));
}

int verify_acks(struct verify *v, struct err *reterr)
{
    char *line = NULL;
    size_t room = 0;
    struct pg_array refs;
    int rc = 0;
    pg_array_init(&refs, PG_TEXT);
    while (!rc && getline(&line, &room, v->acks_from) >= 0)
        rc = add_ack(v, &refs, line, reterr);
    if (!rc && !feof(v->acks_from))
        rc = err_fatal(reterr, EXIT_CONFIG, "could not read the file \"%s\": %s", v->acks_file,
                       strerror(errno));
    if (!rc)
        rc = look_up(v, &refs, reterr);
    pg_array_free(&refs);
    free(line);
    return rc;
}

int verify_backlog(struct verify *v, struct backlog *ret, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params p = {0};
    pg_param_text(&p, v->common.topic_prefix);
    if (pg_run(v->pg, "backlog", &p, &res, reterr))
        return -1;
    *ret = (struct backlog){.unseen = pg_get_int8(res, 0, 0),
                            .notices = pg_get_int8(res, 0, 1),
                            .unpublished = pg_get_int8(res, 0, 2),
                            .relay_unknown = PQgetisnull(res, 0, 2)};
    return 0;
}
