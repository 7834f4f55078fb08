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
        uint64_t hanging[4], visible[4];
        enum settle_verdict expected;
    } rows[] = {
        {"nothing at all", {0}, {0}, SETTLE_NOTHING},
        {"all is stable", {0}, {7}, SETTLE_NOTHING},
        {"the very first one, unseen", {1}, {0}, SETTLE_ABORT},
        {"the next one, unseen", {8}, {7}, SETTLE_ABORT},
        {"the next one, unseen on several partitions", {8, 8, 8}, {5, 7, 6}, SETTLE_ABORT},
        {"a part of it is visible", {8}, {8}, SETTLE_COMMIT},
        {"a part of it is visible, elsewhere others are", {8}, {3, 8, 7}, SETTLE_COMMIT},
        {"a later one is visible", {8}, {9}, SETTLE_COMMIT},
        {"a later one had begun", {8, 9}, {7}, SETTLE_COMMIT},
        {"a later one had begun, seen first", {9, 8}, {7}, SETTLE_COMMIT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settle s = {0};
        for (int k = 0; k < 4; k++) {
            if (rows[i].hanging[k])
                settle_hanging(&s, rows[i].hanging[k]);
            if (rows[i].visible[k])
                settle_visible(&s, rows[i].visible[k]);
        }
        cr_expect_eq(settle_decide(&s), rows[i].expected, "%s", rows[i].why);
    }
}

/*
 * The model. Two transactions may hang at once: N, and N + 1 which the other producer began when
 * the commit of N had returned. Each wrote to some of three partitions and was committed or aborted
 * by the coordinator; of the markers any may be lost. Partition 0 is the one of the position, to
 * which every transaction writes, last. Earlier transactions are complete.
 */
enum { PARTS = 3, N = 10, TXNS = 2, ALL = (1 << PARTS) - 1 };

enum fate { NEVER_BEGAN, ABORTED, COMMITTED };

struct txn {
    enum fate fate;
    int wrote, marked;      /* bits of partitions */
    int committed, aborted; /* by the relay's barriers */
};

/* A partition's reader stops at its first record without a marker. */
static bool is_hanging(const struct txn *t, int part)
{
    return (t->wrote & 1 << part) && !((t->marked | t->committed | t->aborted) & 1 << part);
}

static bool is_visible(const struct txn t[TXNS], int i, int part)
{
    for (int k = 0; k < i; k++)
        if (is_hanging(&t[k], part))
            return false;
    int bit = 1 << part;
    return (t[i].wrote & bit) &&
           ((t[i].committed & bit) || ((t[i].marked & bit) && t[i].fate == COMMITTED));
}

/* What a recovery sees: between LSO and HW there are also records of transactions with a marker. */
static struct settle look(const struct txn t[TXNS])
{
    struct settle s = {0};
    settle_visible(&s, N - 1);
    for (int part = 0; part < PARTS; part++) {
        bool behind_lso = false;
        for (int i = 0; i < TXNS; i++) {
            if (is_hanging(&t[i], part))
                behind_lso = true;
            if (behind_lso && (t[i].wrote & 1 << part))
                settle_hanging(&s, (uint64_t)(N + i));
            else if (is_visible(t, i, part))
                settle_visible(&s, (uint64_t)(N + i));
        }
    }
    return s;
}

static void settle_all(struct txn t[TXNS])
{
    for (int round = 0; round < 6; round++) {
        struct settle s = look(t);
        enum settle_verdict verdict = settle_decide(&s);
        if (verdict == SETTLE_NOTHING)
            return;
        struct txn *hangs = &t[s.lowest_hanging - N];
        for (int part = 0; part < PARTS; part++)
            if (is_hanging(hangs, part)) {
                if (verdict == SETTLE_COMMIT)
                    hangs->committed |= 1 << part;
                else
                    hangs->aborted |= 1 << part;
            }
    }
    cr_assert_fail("it does not end");
}

static void check(const struct txn before[TXNS])
{
    struct txn t[TXNS];
    memcpy(t, before, sizeof t);
    settle_all(t);
    for (int i = 0; i < TXNS; i++) {
        int visible = 0;
        for (int part = 0; part < PARTS; part++) {
            visible |= is_visible(t, i, part) << part;
            cr_assert_not(is_hanging(&t[i], part));
        }
        char what[160];
        snprintf(what, sizeof what, "%d wrote %d marked %d, %d wrote %d marked %d: txn %d shows %d",
                 before[0].fate, before[0].wrote, before[0].marked, before[1].fate, before[1].wrote,
                 before[1].marked, i, visible);
        cr_assert(visible == 0 || visible == t[i].wrote, "%s", what);
        cr_assert(t[i].fate == COMMITTED || !visible, "%s", what); /* nothing is invented */
        /* The later one's position lies behind it, so that its commit had returned is known. */
        if (i == 0 && (t[1].wrote & 1))
            cr_assert(visible == t[i].wrote, "%s", what);
        bool was_seen = false;
        for (int part = 0; part < PARTS; part++)
            was_seen |= is_visible(before, i, part);
        cr_assert(!was_seen || visible == t[i].wrote, "%s", what);
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
                        for (int f1 = ABORTED; f1 <= COMMITTED; f1++) {
                            /* The later one begins when the commit of the first has returned. */
                            if ((w1 && f0 != COMMITTED) || (m0 & ~w0) || (m1 & ~w1))
                                continue;
                            struct txn t[TXNS] = {
                                {.fate = (enum fate)f0, .wrote = w0, .marked = m0},
                                {.fate = w1 ? (enum fate)f1 : NEVER_BEGAN,
                                 .wrote = w1,
                                 .marked = m1},
                            };
                            check(t);
                            n++;
                        }
    cr_assert_gt(n, 1000);
}
