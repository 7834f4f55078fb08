/*
 * Many connections do at random what transactions can do, while the relay's reader reads. Each
 * event carries its number within its key, counted up under the key's row lock in the event's
 * own transaction: what was read must be 1, 2, 3, ... for every key, which is the order of commits.
 */
#include "reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEYS = 24, CONNS = 16, STEPS = 2500, CHILDREN = 6, CHILD_STEPS = 1000 };

static struct world w;
static struct reader *r;
static unsigned seed;

static void setup(void)
{
    const char *given = getenv("SQUAD_TEST_SEED");
    if (given)
        seed = (unsigned)strtoul(given, NULL, 10);
    else
        cr_assert_eq(getrandom(&seed, sizeof seed, 0), (ssize_t)sizeof seed);
    world_make(&w, WORLD_MIGRATED);
    r = reader_open(&w);
    free(world_sql(&w,
                   "CREATE TABLE key (k int PRIMARY KEY, n int NOT NULL DEFAULT 0);"
                   "INSERT INTO key SELECT generate_series(0, %d)",
                   KEYS - 1));
}

static void teardown(void)
{
    reader_close(r);
    world_drop(&w);
}

TestSuite(random, .init = setup, .fini = teardown, .timeout = 120);

struct writer {
    PGconn *conn;
    int id, in_transaction, savepoints,
        prepared; /* prepared: transactions that wait, at most one */
    unsigned *rng;
};

static int dice(struct writer *c, int sides)
{
    return (int)((unsigned)rand_r(c->rng) % (unsigned)sides);
}

/* The key is left alone when another has locked it. */
static void write_event(struct writer *c)
{
    writer_run(c->conn,
               "WITH free AS (SELECT k FROM squad.key WHERE k = %d FOR UPDATE SKIP LOCKED), "
               "next AS (UPDATE squad.key SET n = n + 1 FROM free WHERE key.k = free.k "
               "RETURNING key.k, n) "
               "INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) "
               "SELECT 'ticket', 'k' || k, 'squad.test.v1', format('{\"n\": %%s}', n)::json "
               "FROM next",
               dice(c, KEYS));
}

static void end_prepared(struct writer *c)
{
    if (c->prepared)
        writer_run(c->conn, "%s PREPARED '%s-%d'", dice(c, 3) ? "COMMIT" : "ROLLBACK", w.name,
                   c->id);
    c->prepared = 0;
}

static void end(struct writer *c)
{
    int how = dice(c, 10);
    if (how == 0 && !c->prepared && c->id < 6) {
        writer_run(c->conn, "PREPARE TRANSACTION '%s-%d'", w.name, c->id);
        c->prepared = 1;
    } else {
        writer_run(c->conn, how < 3 ? "ROLLBACK" : "COMMIT");
    }
    c->in_transaction = c->savepoints = 0;
}

static void act(struct writer *c)
{
    int what = dice(c, 12);
    if (!c->in_transaction) {
        if (what == 0)
            end_prepared(c);
        else if (what < 4)
            write_event(c); /* a transaction of its own */
        else
            writer_run(c->conn, "BEGIN"), c->in_transaction = 1;
    } else if (what < 6) {
        write_event(c);
    } else if (what == 6) {
        writer_run(c->conn, "SELECT pg_current_xact_id()");
    } else if (what == 7) {
        writer_run(c->conn, "SAVEPOINT s%d", ++c->savepoints);
    } else if (what == 8 && c->savepoints) {
        writer_run(c->conn, "ROLLBACK TO s%d", c->savepoints);
    } else if (what == 9 && c->savepoints) {
        writer_run(c->conn, "RELEASE s%d", c->savepoints--);
    } else if (what >= 10) {
        end(c);
    }
}

static void finish(struct writer *c)
{
    if (c->in_transaction)
        writer_run(c->conn, "COMMIT");
    end_prepared(c);
    PQfinish(c->conn);
}

/* Lost, doubled and out of order in what was seen, against the keys' counters. */
static int wrong(const struct seen *s)
{
    int next[KEYS] = {0}, bad = 0;
    for (int i = 0; i < s->n; i++)
        bad += s->row[i].name != ++next[atoi(s->row[i].key + 1)];
    for (int k = 0; k < KEYS; k++)
        bad += next[k] != world_sql_long(&w, "SELECT n FROM key WHERE k = %d", k);
    return bad;
}

static void judge(void)
{
    reader_drain(r, 50);
    const char *replay =
        "seed %u; replay: SQUAD_TEST_SEED=%u build/test/pg-relay --filter 'random/*'";
    char text[160];
    snprintf(text, sizeof text, replay, seed, seed);
    long rows = world_sql_long(&w, "SELECT count(*) FROM outbox");
    cr_assert_gt(rows, 150, "%s: only %ld rows, it proved nothing", text, rows);
    cr_assert_eq(r->seen.n, rows, "%s: %d read of %ld", text, r->seen.n, rows);
    cr_assert_eq(wrong(&r->seen), 0, "%s", text);
    reader_naive_all(r, rows);
    cr_assert_neq(wrong(&r->above_id), 0, "%s: id > last should have lost rows", text);
    cr_assert_neq(wrong(&r->below_xmin), 0, "%s: the watermark should have inverted keys", text);
}

Test(random, what_is_read_is_the_order_of_commits_per_key)
{
    struct writer c[CONNS];
    unsigned rng = seed;
    for (int i = 0; i < CONNS; i++)
        c[i] = (struct writer){.conn = writer_open(&w), .id = i, .rng = &rng};
    for (int i = 0; i < STEPS; i++) {
        act(&c[dice(&c[0], CONNS)]);
        if (dice(&c[0], 5) == 0)
            reader_step(r, 1 + dice(&c[0], 20));
        if (dice(&c[0], 20) == 0)
            reader_naive(r);
        if (dice(&c[0], 50) == 0)
            reader_restart(r);
    }
    for (int i = 0; i < CONNS; i++)
        finish(&c[i]);
    judge();
}

static void child(int id)
{
    unsigned rng = seed + (unsigned)id;
    struct writer c = {.conn = writer_open(&w), .id = id, .rng = &rng};
    for (int i = 0; i < CHILD_STEPS; i++)
        act(&c);
    finish(&c);
    _exit(0);
}

Test(random, so_it_is_when_they_really_run_at_once)
{
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0)
            child(i);
    unsigned rng = seed;
    int status, left = CHILDREN;
    while (left > 0) {
        reader_step(r, 1 + (int)((unsigned)rand_r(&rng) % 20));
        if (rand_r(&rng) % 4 == 0)
            reader_naive(r);
        if (rand_r(&rng) % 50 == 0)
            reader_restart(r);
        while (waitpid(-1, &status, WNOHANG) > 0) {
            cr_assert_eq(status, 0, "a writer failed: seed %u", seed);
            left--;
        }
    }
    judge();
}
