/* The relay's reads against transactions that overlap in every way that matters. */
#include "reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct world w;
static struct reader *r;
static PGconn *a, *b;

static void setup(void)
{
    world_make(&w, WORLD_MIGRATED);
    r = reader_open(&w);
    a = writer_open(&w);
    b = writer_open(&w);
}

static void teardown(void)
{
    PQfinish(a);
    PQfinish(b);
    reader_close(r);
    world_drop(&w);
}

TestSuite(window, .init = setup, .fini = teardown);

static void read_all_ways(void)
{
    reader_drain(r, 100);
    reader_naive(r);
}

static void once(const struct seen *s, int name)
{
    cr_expect_eq(seen_count(s, name), 1, "event %d was read %d times", name, seen_count(s, name));
}

Test(window, a_row_that_commits_late_is_read_once_where_id_above_last_loses_it)
{
    writer_run(a, "BEGIN");
    writer_event(a, "k1", 1); /* the lower seq */
    writer_event(b, "k2", 2);
    read_all_ways();
    once(&r->seen, 2);
    cr_expect_eq(seen_count(&r->seen, 1), 0);
    writer_run(a, "COMMIT");
    read_all_ways();
    read_all_ways();
    once(&r->seen, 1);
    once(&r->seen, 2);
    cr_expect_eq(seen_count(&r->above_id, 1), 0, "the naive way should have lost it");
}

Test(window, a_key_keeps_its_order_where_the_xmin_watermark_inverts_it)
{
    writer_run(a, "BEGIN");
    writer_run(a, "SELECT pg_current_xact_id()"); /* the lower xid */
    writer_event(b, "k", 1);                      /* commits first */
    writer_event(a, "k", 2);
    writer_run(a, "COMMIT");
    reader_drain(r, 100);
    reader_naive_all(r, 2);
    once(&r->seen, 1);
    once(&r->seen, 2);
    cr_expect_lt(seen_at(&r->seen, 1), seen_at(&r->seen, 2));
    once(&r->below_xmin, 1);
    once(&r->below_xmin, 2);
    cr_expect_gt(seen_at(&r->below_xmin, 1), seen_at(&r->below_xmin, 2),
                 "the naive way should have inverted them");
}

Test(window, an_idle_writer_stalls_the_xmin_watermark_and_not_the_relay)
{
    writer_run(a, "BEGIN");
    writer_run(a, "SELECT pg_current_xact_id()");
    for (int i = 1; i <= 20; i++) {
        writer_event(b, "k", i);
        read_all_ways();
        once(&r->seen, i);
    }
    cr_expect_eq(r->below_xmin.n, 0, "the naive way should have stalled");
    writer_event(a, "k", 21);
    writer_run(a, "COMMIT");
    read_all_ways();
    for (int i = 1; i <= 21; i++)
        once(&r->seen, i);
    cr_expect_eq(seen_at(&r->seen, 21), 20);
}

Test(window, a_reader_with_a_transaction_of_an_hour_stalls_nothing)
{
    writer_run(a, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    writer_run(a, "SELECT count(*) FROM squad.outbox");
    writer_event(b, "k", 1);
    reader_drain(r, 100);
    once(&r->seen, 1);
}

Test(window, what_was_rolled_back_is_never_read)
{
    writer_run(a, "BEGIN");
    writer_event(a, "k", 1);
    writer_event(b, "k", 2);
    read_all_ways();
    writer_run(a, "ROLLBACK");
    writer_event(b, "k", 3);
    read_all_ways();
    cr_expect_eq(seen_count(&r->seen, 1), 0);
    once(&r->seen, 2);
    once(&r->seen, 3);
}

Test(window, a_savepoints_rows_belong_to_the_whole_transaction)
{
    writer_run(a, "BEGIN");
    writer_event(a, "k", 1);
    writer_run(a, "SAVEPOINT one");
    writer_event(a, "k", 2);
    writer_run(a, "SAVEPOINT two");
    writer_event(a, "k", 3);
    writer_run(a, "ROLLBACK TO two");
    writer_event(a, "k", 4);
    writer_run(a, "RELEASE one");
    writer_event(b, "other", 5); /* a snapshot in which the savepoints' own xids are running */
    read_all_ways();
    cr_expect_eq(r->seen.n, 1);
    writer_run(a, "COMMIT");
    read_all_ways();
    read_all_ways();
    cr_expect_eq(seen_count(&r->seen, 3), 0);
    for (int name = 1; name <= 5; name++)
        if (name != 3)
            once(&r->seen, name);
    cr_expect_lt(seen_at(&r->seen, 1), seen_at(&r->seen, 2));
    cr_expect_lt(seen_at(&r->seen, 2), seen_at(&r->seen, 4));
    cr_expect_eq(world_sql_long(&w, "SELECT count(DISTINCT xid) FROM outbox WHERE seq <> "
                                    "(SELECT seq FROM outbox WHERE aggregateid = 'other')"),
                 1, "the row's xid is the top-level one");
}

Test(window, a_prepared_transaction_is_read_when_it_is_committed)
{
    writer_run(a, "BEGIN");
    writer_event(a, "k1", 1);
    writer_run(a, "PREPARE TRANSACTION '%s-yes'", w.name);
    writer_run(a, "BEGIN");
    writer_event(a, "k2", 2);
    writer_run(a, "PREPARE TRANSACTION '%s-no'", w.name);
    for (int i = 3; i <= 6; i++) {
        writer_event(b, "k3", i);
        read_all_ways();
        reader_restart(r);
        once(&r->seen, i);
    }
    cr_expect_eq(r->seen.n, 4);
    writer_run(b, "COMMIT PREPARED '%s-yes'", w.name);
    writer_run(b, "ROLLBACK PREPARED '%s-no'", w.name);
    read_all_ways();
    read_all_ways();
    once(&r->seen, 1);
    cr_expect_eq(seen_count(&r->seen, 2), 0);
    cr_expect_eq(r->seen.n, 5);
}

/* Rows 1..100 of which 1 is held back by a, then the window is read in pieces of 7. */
Test(window, a_large_window_is_cut_by_seq_and_each_row_is_read_once)
{
    writer_run(a, "BEGIN");
    writer_event(a, "late", 1);
    for (int i = 2; i <= 100; i++)
        writer_event(b, i % 2 ? "odd" : "even", i);
    cr_expect_eq(reader_step(r, 7), 7);
    cr_expect_not_null(r->at.snapshot_cur);
    cr_expect_eq(r->at.last_seq, r->seen.row[6].seq);
    /* Both commit while the window is being read: they belong to the next one. */
    writer_run(a, "COMMIT");
    writer_event(b, "odd", 101);
    int steps = 1;
    while (r->at.snapshot_cur) {
        reader_restart(r);
        cr_expect_leq(reader_step(r, 7), 7);
        steps++;
    }
    cr_expect_eq(steps, 15, "99 rows in pieces of 7, the last one short");
    cr_expect_eq(r->seen.n, 99);
    reader_drain(r, 7);
    for (int i = 1; i <= 101; i++)
        once(&r->seen, i);
    cr_expect_eq(r->at.rows, 101);
    for (int i = 3; i <= 101; i++)
        if (i >= 4)
            cr_expect_lt(seen_at(&r->seen, i - 2), seen_at(&r->seen, i), "key order at %d", i);
}

Test(window, a_window_of_exactly_a_batch_needs_no_pieces)
{
    for (int i = 1; i <= 7; i++)
        writer_event(b, "k", i);
    cr_expect_eq(reader_step(r, 7), 7);
    cr_expect_null(r->at.snapshot_cur);
    cr_expect_eq(reader_step(r, 7), 0);
    for (int i = 8; i <= 15; i++)
        writer_event(b, "k", i);
    cr_expect_eq(reader_step(r, 7), 7);
    cr_expect_not_null(r->at.snapshot_cur);
    reader_drain(r, 7);
    cr_expect_eq(r->seen.n, 15);
}

Test(window, a_batch_that_was_not_published_is_read_again)
{
    for (int i = 1; i <= 20; i++)
        writer_event(b, "k", i);
    struct position before = {0};
    position_copy(&before, &r->at);
    reader_step(r, 5);
    position_copy(&r->at, &before);
    position_free(&before);
    reader_drain(r, 5);
    cr_expect_eq(r->seen.n, 25);
    for (int i = 0; i < 20; i++)
        cr_expect_eq(r->seen.row[5 + i].name, i + 1);
}

Test(window, an_empty_outbox_still_gives_a_position)
{
    cr_expect_eq(reader_step(r, 10), 0);
    reader_restart(r);
    cr_expect_eq(r->at.rows, 0);
    writer_event(b, "k", 1);
    reader_drain(r, 10);
    once(&r->seen, 1);
}
