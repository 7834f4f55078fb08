/* The decision on hanging transactions: its table, and a model of every way a broker can lose
 * markers. */
#include "settle.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(settle, the_table_of_decisions)
{
    static const struct {
        const char *why;
        uint64_t hanging[4], begun[4], visible[4];
        enum settle_verdict expected;
    } rows[] = {
        {"nothing at all", {0}, {0}, {0}, SETTLE_NOTHING},
        {"all is stable", {0}, {0}, {7}, SETTLE_NOTHING},
        {"the very first one, unseen", {1}, {1}, {0}, SETTLE_ABORT},
        {"the next one, unseen", {8}, {8}, {7}, SETTLE_ABORT},
        {"the next one, unseen on several partitions", {8, 8, 8}, {8}, {5, 7, 6}, SETTLE_ABORT},
        {"a part of it is visible", {8}, {8}, {8}, SETTLE_COMMIT},
        {"a part of it is visible, elsewhere others are", {8}, {8}, {3, 8, 7}, SETTLE_COMMIT},
        {"a later one is visible", {8}, {8}, {9}, SETTLE_COMMIT},
        {"a later one had begun", {8}, {8, 9}, {7}, SETTLE_COMMIT},
        {"a later one hangs too", {9, 8}, {9, 8}, {7}, SETTLE_COMMIT},
        {"the barrier of an earlier one is behind it", {9}, {9, 8}, {8}, SETTLE_ABORT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settle s = {0};
        for (int k = 0; k < 4; k++) {
            if (rows[i].hanging[k])
                settle_hanging(&s, rows[i].hanging[k]);
            settle_begun(&s, rows[i].begun[k]);
            settle_visible(&s, rows[i].visible[k]);
        }
        cr_expect_eq(settle_decide(&s), rows[i].expected, "%s", rows[i].why);
    }
}

/*
 * The model. Two transactions may hang at once: N, and N + 1 which the other producer began when
 * the commit of N had returned. Each wrote to some of three partitions and was committed or aborted
 * by the coordinator; of the markers any may be lost. Partition 0 is the one of the position, to
 * which every transaction writes, last. Earlier transactions are complete. A partition is a log of
 * records; a barrier is one more record of its transaction, behind the others, and its marker ends
 * both.
 */
enum { PARTS = 3, N = 10, TXNS = 2, RECORDS_MAX = 16, ALL = (1 << PARTS) - 1 };

enum fate { NEVER_BEGAN, ABORTED, COMMITTED };

struct part {
    int n;
    struct record {
        int txn;
        bool is_barrier;
    } record[RECORDS_MAX];
    enum fate marker[TXNS]; /* NEVER_BEGAN: none */
};

struct txn {
    enum fate fate;
    int wrote, marked; /* bits of partitions */
};

static void append(struct part *p, int txn, bool is_barrier)
{
    cr_assert_lt(p->n, RECORDS_MAX);
    p->record[p->n++] = (struct record){txn, is_barrier};
}

static void lay(struct part parts[PARTS], const struct txn t[TXNS])
{
    memset(parts, 0, PARTS * sizeof *parts);
    for (int part = 0; part < PARTS; part++)
        for (int i = 0; i < TXNS; i++) {
            if (t[i].wrote & 1 << part)
                append(&parts[part], i, false);
            if (t[i].marked & 1 << part)
                parts[part].marker[i] = t[i].fate;
        }
}

/* Of the first record whose transaction has no marker; the length when there is none. */
static int lso_of(const struct part *p)
{
    int i = 0;
    while (i < p->n && p->marker[p->record[i].txn])
        i++;
    return i;
}

static bool is_visible(const struct part *p, int txn)
{
    for (int i = 0; i < lso_of(p); i++)
        if (p->record[i].txn == txn && !p->record[i].is_barrier && p->marker[txn] == COMMITTED)
            return true;
    return false;
}

/* As progress.c looks. */
static struct settle look(const struct part parts[PARTS])
{
    struct settle s = {0};
    settle_visible(&s, N - 1);
    for (const struct part *p = parts; p < parts + PARTS; p++) {
        int lso = lso_of(p);
        for (int i = 0; i < p->n; i++) {
            const struct record *r = &p->record[i];
            uint64_t number = (uint64_t)(N + r->txn);
            if (i < lso && p->marker[r->txn] == COMMITTED)
                settle_visible(&s, number);
            if (i == lso)
                settle_hanging(&s, number);
            if (i >= lso)
                settle_begun(&s, number);
        }
    }
    return s;
}

/* The markers of the first barrier are lost on the partitions of the mask: the broker died again.
 */
static void settle_all(struct part parts[PARTS], int lost)
{
    for (int round = 0; round < 6; round++) {
        struct settle s = look(parts);
        enum settle_verdict verdict = settle_decide(&s);
        if (verdict == SETTLE_NOTHING)
            return;
        int txn = (int)(s.lowest_hanging - N);
        for (struct part *p = parts; p < parts + PARTS; p++) {
            int lso = lso_of(p);
            if (lso == p->n || p->record[lso].txn != txn)
                continue;
            append(p, txn, true);
            if (!(lost & 1 << (p - parts)))
                p->marker[txn] = verdict == SETTLE_COMMIT ? COMMITTED : ABORTED;
        }
        lost = 0;
    }
    cr_assert_fail("it does not end");
}

static void check(const struct txn t[TXNS], int lost)
{
    struct part before[PARTS], parts[PARTS];
    lay(before, t);
    lay(parts, t);
    settle_all(parts, lost);
    for (int i = 0; i < TXNS; i++) {
        int visible = 0, was_visible = 0;
        for (int part = 0; part < PARTS; part++) {
            visible |= is_visible(&parts[part], i) << part;
            was_visible |= is_visible(&before[part], i) << part;
            cr_assert_eq(lso_of(&parts[part]), parts[part].n);
        }
        char what[160];
        snprintf(what, sizeof what,
                 "%d wrote %d marked %d, %d wrote %d marked %d, lost %d: txn %d shows %d",
                 t[0].fate, t[0].wrote, t[0].marked, t[1].fate, t[1].wrote, t[1].marked, lost, i,
                 visible);
        cr_assert(visible == 0 || visible == t[i].wrote, "%s", what);
        cr_assert(t[i].fate == COMMITTED || !visible, "%s", what); /* nothing is invented */
        cr_assert(!was_visible || visible == t[i].wrote, "%s", what);
        /* The later one's position lies behind it, so that its commit had returned is known. */
        if (i == 0 && (t[1].wrote & 1))
            cr_assert(visible == t[i].wrote, "%s", what);
    }
}

Test(settle, whatever_markers_are_lost_a_transaction_shows_whole_or_not_at_all)
{
    int n = 0;
    for (int w0 = 1; w0 <= ALL; w0 += 2)
        for (int m0 = 0; m0 <= ALL; m0++)
            for (int f0 = ABORTED; f0 <= COMMITTED; f0++)
                for (int w1 = 0; w1 <= ALL; w1++)
                    for (int m1 = 0; m1 <= ALL; m1++)
                        for (int f1 = ABORTED; f1 <= COMMITTED; f1++)
                            for (int lost = 0; lost <= ALL; lost++) {
                                /* The later one begins when the commit of the first has returned.
                                 */
                                if ((w1 && f0 != COMMITTED) || (m0 & ~w0) || (m1 & ~w1))
                                    continue;
                                struct txn t[TXNS] = {
                                    {(enum fate)f0, w0, m0},
                                    {w1 ? (enum fate)f1 : NEVER_BEGAN, w1, m1},
                                };
                                check(t, lost);
                                n++;
                            }
    cr_assert_gt(n, 5000);
}
