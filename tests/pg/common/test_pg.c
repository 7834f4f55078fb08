/* The session, transactions and arrays of pg.h on a real server. */
#include "pg.h"
#include "ticket.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct pg_stmt stmts[] = {
    {"sum", "SELECT $1::int8 + $2::int4", 2, false},
    {"arrays",
     "SELECT count(*), sum(i), string_agg(coalesce(t, '-'), ',' ORDER BY i), bool_and(b), "
     "max(u::text), max(l) FROM unnest($1::int4[], $2::text[], $3::bool[], $4::uuid[], $5::int8[])"
     " AS x (i, t, b, u, l)",
     5, true},
    {"empty", "SELECT cardinality($1::text[])", 1, false},
    {"sleep", "SELECT pg_sleep(10)", 0, false},
};

static struct pg *open_pg(const char *program)
{
    const char *db = getenv("SQUAD_DB");
    struct pg *pg = NULL;
    struct err e = {0};
    cr_assert_not_null(db, "SQUAD_DB must name a test server");
    struct pg_options o = {.conninfo = db,
                           .program = program,
                           .stmts = stmts,
                           .n_stmts = 4,
                           .statement_timeout_ms = 300,
                           .any_schema = true};
    cr_assert_eq(pg_open(&pg, &o, &e), 0, "%s", e.text);
    return pg;
}

Test(pg, parameters_and_arrays_arrive_as_they_were)
{
    _cleanup_pg_ struct pg *pg = open_pg(NULL);
    struct err e = {0};
    struct pg_params p = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_int8(&p, -5000000000);
    pg_param_int4(&p, -7);
    cr_assert_eq(pg_run(pg, "sum", &p, &res, &e), 0, "%s", e.text);
    cr_assert_eq(pg_get_int8(res, 0, 0), -5000000007);

    struct pg_array i, t, b, u, l;
    pg_array_init(&i, PG_INT4), pg_array_init(&t, PG_TEXT), pg_array_init(&b, PG_BOOL);
    pg_array_init(&u, PG_UUID), pg_array_init(&l, PG_INT8);
    for (int k = 0; k < 1000; k++) {
        uint8_t id[16] = {[15] = (uint8_t)k};
        pg_array_int4(&i, k);
        pg_array_text(&t, k == 1 ? NULL : k == 2 ? "" : "ñ");
        pg_array_bool(&b, true);
        pg_array_bytes(&u, id, 16);
        pg_array_int8(&l, (int64_t)k << 33);
    }
    struct pg_params q = {0};
    pg_array_param(&i, &q), pg_array_param(&t, &q), pg_array_param(&b, &q);
    pg_array_param(&u, &q), pg_array_param(&l, &q);
    _cleanup_result_ PGresult *r2 = NULL;
    cr_assert_eq(pg_run(pg, "arrays", &q, &r2, &e), 0, "%s", e.text);
    cr_assert_eq(pg_get_int8(r2, 0, 0), 1000);
    cr_assert_eq(pg_get_int8(r2, 0, 1), 499500);
    cr_assert_eq(strncmp(pg_get_text(r2, 0, 2), "ñ,-,,ñ", 8), 0);
    cr_assert(pg_get_bool(r2, 0, 3));
    cr_assert_str_eq(pg_get_text(r2, 0, 4), "00000000-0000-0000-0000-0000000000ff");
    cr_assert_eq(pg_get_int8(r2, 0, 5), 999LL << 33);
    pg_array_free(&i), pg_array_free(&b), pg_array_free(&u), pg_array_free(&l);

    struct pg_params none = {0};
    _cleanup_result_ PGresult *r3 = NULL;
    pg_array_reset(&t);
    pg_array_param(&t, &none);
    cr_assert_eq(pg_run(pg, "empty", &none, &r3, &e), 0, "%s", e.text);
    cr_assert_eq(pg_get_int8(r3, 0, 0), 0);
    pg_array_free(&t);
}

static int tries;

static int conflict_twice(struct pg *pg, void *ctx, struct err *e)
{
    (void)ctx;
    if (++tries <= 2)
        return pg_exec(pg, "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$", e);
    return pg_exec(pg, "SELECT 1", e);
}

static int data_error(struct pg *pg, void *ctx, struct err *e)
{
    (void)ctx;
    tries++;
    return pg_exec(pg, "SELECT 1/0", e);
}

static int lose_connection(struct pg *pg, void *ctx, struct err *e)
{
    (void)ctx;
    tries++;
    return pg_exec(pg, "SELECT pg_terminate_backend(pg_backend_pid())", e);
}

Test(pg, a_deadlock_is_tried_again_and_a_data_error_is_not)
{
    _cleanup_pg_ struct pg *pg = open_pg(NULL);
    struct err e = {0};
    cr_assert_eq(pg_tx(pg, "test", conflict_twice, NULL, &e), 0, "%s", e.text);
    cr_assert_eq(tries, 3);
    tries = 0;
    cr_assert_eq(pg_tx(pg, "test", data_error, NULL, &e), -1);
    cr_assert_eq(tries, 1);
    cr_assert_eq(e.kind, ERR_REJECT);
    cr_assert_str_eq(e.sqlstate, "22012");
    cr_assert_eq(PQtransactionStatus(pg_conn(pg)), PQTRANS_IDLE, "rolled back");
}

Test(pg, a_lost_connection_is_told_and_not_tried_again)
{
    _cleanup_pg_ struct pg *pg = open_pg(NULL);
    struct err e = {0};
    cr_assert_eq(pg_tx(pg, "test", lose_connection, NULL, &e), -1);
    cr_assert_eq(tries, 1);
    cr_assert_eq(e.kind, ERR_RETRY);
    cr_assert_not(pg_alive(pg));
}

Test(pg, a_statement_is_bounded_in_time)
{
    _cleanup_pg_ struct pg *pg = open_pg(NULL);
    struct err e = {0};
    cr_assert_eq(pg_run(pg, "sleep", NULL, NULL, &e), -1);
    cr_assert_str_eq(e.sqlstate, "57014");
    cr_assert_eq(e.kind, ERR_RETRY);
}

/* Nor does it block with more to send than the kernel takes. */
Test(pg, a_frozen_server_is_given_up, .timeout = 30)
{
    enum { SIZE = 64 << 20 };
    static const struct pg_stmt size[] = {{"size", "SELECT length($1::bytea)", 1, false}};
    struct pg_options o = {.conninfo = getenv("SQUAD_DB"),
                           .stmts = size,
                           .n_stmts = 1,
                           .statement_timeout_ms = 300,
                           .any_schema = true};
    _cleanup_pg_ struct pg *pg = NULL;
    struct err e = {0};
    struct pg_params p = {0};
    char *much = calloc(1, SIZE);
    cr_assert_eq(pg_open(&pg, &o, &e), 0, "%s", e.text);
    pid_t backend = PQbackendPID(pg_conn(pg));
    pg_param_binary(&p, much, SIZE);
    cr_assert_eq(kill(backend, SIGSTOP), 0);
    int failed = pg_run(pg, "size", &p, NULL, &e);
    kill(backend, SIGCONT);
    cr_assert_eq(failed, -1);
    cr_expect_eq(e.kind, ERR_RETRY);
    cr_expect(e.unknown);
    cr_expect_not_null(strstr(e.text, "has not answered for 5"), "%s", e.text);
    cr_expect_not(pg_alive(pg));
    free(much);
}

static void refuses(const char *conninfo, bool any_schema, enum err_kind kind, enum exit_code code)
{
    struct pg *pg = NULL;
    struct err e = {0};
    struct pg_options o = {.conninfo = conninfo, .any_schema = any_schema};
    cr_assert_eq(pg_open(&pg, &o, &e), -1);
    cr_assert_eq(e.kind, kind, "%s", e.text);
    if (kind == ERR_FATAL)
        cr_assert_eq(e.exit_code, code, "%s", e.text);
}

Test(pg, boot_errors_have_their_own_exit_codes)
{
    char bad[1024];
    const char *db = getenv("SQUAD_DB");
    cr_assert_not_null(db);
    snprintf(bad, sizeof bad, "%s dbname=template1", db);
    refuses(bad, false, ERR_FATAL, EXIT_SCHEMA);
    snprintf(bad, sizeof bad, "%s dbname=no_such_database", db);
    refuses(bad, true, ERR_FATAL, EXIT_DATABASE);
    snprintf(bad, sizeof bad, "%s user=no_such_role", db);
    refuses(bad, true, ERR_FATAL, EXIT_DATABASE);
    refuses("host=127.0.0.1 port=1", true, ERR_RETRY, EXIT_OK);
    refuses("colour=blue", true, ERR_FATAL, EXIT_CONFIG);
}

Test(pg, a_wrong_parameter_count_is_found_at_boot)
{
    static const struct pg_stmt wrong[] = {{"one", "SELECT $1::int", 2, false}};
    struct pg *pg = NULL;
    struct err e = {0};
    struct pg_options o = {
        .conninfo = getenv("SQUAD_DB"), .stmts = wrong, .n_stmts = 1, .any_schema = true};
    cr_assert_eq(pg_open(&pg, &o, &e), -1);
    cr_assert_str_eq(e.text, "statement one has 1 parameters, the program gives 2");
}

/* A port that takes the connection and is silent, as a frozen server does. */
Test(pg, a_silent_server_is_given_up_in_time, .timeout = 40)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char conninfo[64];
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, size), 0);
    cr_assert_eq(listen(fd, 8), 0);
    getsockname(fd, (struct sockaddr *)&at, &size);
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=x", ntohs(at.sin_port));
    refuses(conninfo, true, ERR_RETRY, EXIT_OK);
    close(fd);
}
