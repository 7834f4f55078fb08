/*
 * The limit that intake is measured against: its own prepared statement, fed with arrays that were
 * built beforehand, a batch after the other, without HTTP, JSON or anyone to answer.
 *
 *   limit BATCH SECONDS [without-outbox]
 *
 * Ids, references and keys are written into the arrays before each batch; all else stays.
 * SQUAD_DB is the database. Prints one line.
 */
#include "loop.h"
#include "rows.h"
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAY_HEADER = 20, LENGTH = 4, ID_COLUMN = 0, REF_COLUMN = 1, KEY_COLUMN = 3 };

static const char setup_sql[] =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;"
    "SET enable_nestloop = off; SET jit = off";

static struct ticket_fields fields = {.source = "web",
                                      .type = "tv",
                                      .problem = "No picture since this morning, the sound is fine",
                                      .customer_ref = "C-1001",
                                      .customer_name = "Ana Ruiz",
                                      .customer_phone = "+34600123456",
                                      .customer_email = "ana@example.com",
                                      .area = "28013"};

static void build(struct rows *rows, size_t batch, struct pg_params *p)
{
    static struct store_item items[BATCH_MAX];
    struct batch_item *leaders[BATCH_MAX];
    for (size_t i = 0; i < batch; i++) {
        items[i] = (struct store_item){
            .fields = &fields,
            .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
        items[i].batch.client_id = 1;
        uuid7_make(items[i].id);
        ticket_ref_make(items[i].id, items[i].ref);
        leaders[i] = &items[i].batch;
    }
    rows_insert(rows, leaders, batch, p);
}

/* New ids, references and keys; keys ascend, as those of a sorted batch do. */
static void refresh(struct pg_params *p, size_t batch)
{
    for (size_t i = 0; i < batch; i++) {
        uint8_t id[16];
        char ref[TICKET_REF_LEN + 1];
        uuid7_make(id);
        ticket_ref_make(id, ref);
        memcpy((char *)(uintptr_t)p->values[ID_COLUMN] + ARRAY_HEADER + i * (LENGTH + 16) + LENGTH,
               id, 16);
        memcpy((char *)(uintptr_t)p->values[REF_COLUMN] + ARRAY_HEADER +
                   i * (LENGTH + TICKET_REF_LEN) + LENGTH,
               ref, TICKET_REF_LEN);
        uint8_t key[KEY_HASH_BYTES];
        uuid7_make(key);
        memcpy(key, key + 9, 6);
        key[0] = (uint8_t)(i * 256 / batch);
        memcpy((char *)(uintptr_t)p->values[KEY_COLUMN] + ARRAY_HEADER +
                   i * (LENGTH + KEY_HASH_BYTES) + LENGTH,
               key, KEY_HASH_BYTES);
    }
}

/* The statement as it is, or without the part that writes the outbox, whose parameters stay. */
static const char *statement(bool with_outbox)
{
    static char sql[8192];
    const char *from = strstr(sql_ticket_insert, ", published AS ("),
               *to = strstr(sql_ticket_insert, "\nSELECT at FROM clock");
    if (with_outbox)
        return sql_ticket_insert;
    if (!from || !to || strlen(sql_ticket_insert) >= sizeof sql)
        abort();
    snprintf(sql, sizeof sql, "%.*s, unused AS (SELECT $17::text[], $18::text[])%s",
             (int)(from - sql_ticket_insert), sql_ticket_insert, to);
    return sql;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: limit BATCH SECONDS [without-outbox]\n");
        return 2;
    }
    size_t batch = strtoul(argv[1], NULL, 10);
    if (batch < 1 || batch > BATCH_MAX)
        return 2;
    const struct pg_stmt stmt = {"ticket_insert", statement(argc == 3), ROWS_INSERT_PARAMS, true};
    const struct pg_options options = {
        .conninfo = getenv("SQUAD_DB"), .program = "intake", .stmts = &stmt, .n_stmts = 1};
    struct pg *pg;
    struct err err;
    if (pg_open(&pg, &options, &err) || pg_exec(pg, setup_sql, &err)) {
        fprintf(stderr, "limit: %s\n", err.text);
        return 1;
    }
    struct rows *rows = rows_new();
    struct pg_params params = {0};
    build(rows, batch, &params);
    uint64_t start = now_us(), end = start + (uint64_t)(atof(argv[2]) * 1e6);
    long n = 0;
    while (now_us() < end) {
        PGresult *res;
        refresh(&params, batch);
        if (pg_run(pg, "ticket_insert", &params, &res, &err)) {
            fprintf(stderr, "limit: %s\n", err.text);
            return 1;
        }
        n += (long)batch;
        PQclear(res);
    }
    double seconds = (double)(now_us() - start) / 1e6;
    printf("acks=%ld seconds=%.3f rate=%.1f\n", n, seconds, (double)n / seconds);
    rows_free(rows);
    pg_close(pg);
    return 0;
}
