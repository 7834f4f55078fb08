#include "batch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { N = 200 };

static struct batch_item item(uint8_t key, int32_t client, uint64_t arrival)
{
    struct batch_item b = {.client_id = client, .arrival = arrival};
    b.key_hash[0] = key;
    return b;
}

Test(batch, sorts_by_key_whatever_the_order_of_arrival)
{
    struct batch_item a = item(3, 1, 1), b = item(1, 2, 2), c = item(2, 1, 3);
    struct batch_item *list[] = {&a, &b, &c};
    cr_assert_eq(batch_fold(list, 3), 3);
    cr_expect_eq(list[0], &b);
    cr_expect_eq(list[1], &c);
    cr_expect_eq(list[2], &a);
}

Test(batch, the_first_of_equal_keys_leads_and_the_rest_follow_in_order)
{
    struct batch_item a = item(1, 1, 12), b = item(1, 1, 10), c = item(1, 1, 11),
                      d = item(0, 1, 13);
    struct batch_item *list[] = {&a, &b, &c, &d};
    cr_assert_eq(batch_fold(list, 4), 2);
    cr_expect_eq(list[0], &d);
    cr_expect_null(d.same);
    cr_expect_eq(list[1], &b);
    cr_expect_eq(b.same, &c);
    cr_expect_eq(c.same, &a);
    cr_expect_null(a.same);
}

Test(batch, one_key_of_two_clients_is_two_keys)
{
    struct batch_item a = item(1, 2, 1), b = item(1, 1, 2);
    struct batch_item *list[] = {&a, &b};
    cr_assert_eq(batch_fold(list, 2), 2);
    cr_expect_eq(list[0], &b);
    cr_expect_eq(list[1], &a);
}

Test(batch, keys_that_differ_in_the_last_byte_differ)
{
    struct batch_item a = item(1, 1, 1), b = item(1, 1, 2);
    b.key_hash[KEY_HASH_BYTES - 1] = 1;
    struct batch_item *list[] = {&b, &a};
    cr_assert_eq(batch_fold(list, 2), 2);
    cr_expect_eq(list[0], &a);
}

Test(batch, of_nothing_is_nothing)
{
    struct batch_item *none[1] = {NULL};
    cr_expect_eq(batch_fold(none, 0), 0);
}

Test(batch, an_old_chain_is_forgotten_when_an_item_comes_again)
{
    struct batch_item a = item(1, 1, 1), b = item(1, 1, 2);
    struct batch_item *list[] = {&a, &b};
    batch_fold(list, 2);
    cr_assert_eq(a.same, &b);
    list[0] = &a;
    cr_assert_eq(batch_fold(list, 1), 1);
    cr_expect_null(a.same);
}

/* Random batches against the plainest way to say it. */
Test(batch, folds_random_batches_so_that_every_item_is_there_once)
{
    static struct batch_item items[N];
    srand(1);
    for (int round = 0; round < 200; round++) {
        struct batch_item *list[N];
        bool seen[N] = {false};
        for (int i = 0; i < N; i++) {
            items[i] = item((uint8_t)(rand() % 40), rand() % 3, (uint64_t)i);
            list[i] = &items[i];
        }
        for (int i = N - 1; i > 0; i--) {
            int j = rand() % (i + 1);
            struct batch_item *t = list[i];
            list[i] = list[j];
            list[j] = t;
        }
        size_t leaders = batch_fold(list, N), all = 0;
        for (size_t i = 0; i < leaders; i++) {
            uint64_t last = 0;
            if (i)
                cr_assert(memcmp(list[i - 1]->key_hash, list[i]->key_hash, KEY_HASH_BYTES) < 0 ||
                          list[i - 1]->client_id < list[i]->client_id);
            for (struct batch_item *b = list[i]; b; b = b->same, all++) {
                cr_assert_eq(b->key_hash[0], list[i]->key_hash[0]);
                cr_assert_eq(b->client_id, list[i]->client_id);
                cr_assert(b == list[i] || b->arrival > last);
                cr_assert_not(seen[b - items]);
                seen[b - items] = true;
                last = b->arrival;
            }
        }
        cr_assert_eq(all, N);
    }
}

Test(batch, another_body_under_a_key_is_another_request_but_not_for_a_call)
{
    struct batch_item a = item(1, 1, 1);
    uint8_t same[BODY_HASH_BYTES] = {0}, other[BODY_HASH_BYTES] = {[BODY_HASH_BYTES - 1] = 1};
    cr_expect(batch_same_request(&a, same));
    cr_expect_not(batch_same_request(&a, other));
    a.is_call = true;
    cr_expect(batch_same_request(&a, other));
}

/* Runs a batch whose bad rows are known; returns the number of statements. */
static int run(struct bisect *b, size_t n, const bool *bad, bool *failed, bool *stored)
{
    size_t lo, hi;
    int statements = 0;
    bisect_start(b, n);
    while (bisect_next(b, &lo, &hi)) {
        bool any = false;
        cr_assert(lo < hi && hi <= n);
        for (size_t i = lo; i < hi; i++)
            any |= bad[i];
        statements++;
        if (!any)
            for (size_t i = lo; i < hi; i++) {
                cr_assert_not(stored[i], "row %zu was stored twice", i);
                stored[i] = true;
            }
        else if (!bisect_split(b, lo, hi))
            failed[lo] = true;
    }
    return statements;
}

Test(bisect, a_bad_row_stands_alone_and_its_neighbours_go_through)
{
    for (size_t n = 1; n <= BATCH_MAX; n = n * 2 + 1)
        for (size_t bad_row = 0; bad_row < n; bad_row += 1 + n / 17) {
            bool bad[BATCH_MAX] = {false}, failed[BATCH_MAX] = {false}, stored[BATCH_MAX] = {false};
            struct bisect b;
            bad[bad_row] = true;
            int statements = run(&b, n, bad, failed, stored);
            cr_assert(statements <= 2 * 10 + 1, "%d statements for %zu rows", statements, n);
            for (size_t i = 0; i < n; i++) {
                cr_assert_eq(failed[i], bad[i]);
                cr_assert_neq(stored[i], bad[i]);
            }
        }
}

Test(bisect, a_batch_of_bad_rows_only_ends_and_fits_its_stack)
{
    bool bad[BATCH_MAX], failed[BATCH_MAX] = {false}, stored[BATCH_MAX] = {false};
    struct bisect b;
    for (size_t i = 0; i < BATCH_MAX; i++)
        bad[i] = true;
    cr_expect_eq(run(&b, BATCH_MAX, bad, failed, stored), 2 * BATCH_MAX - 1);
    for (size_t i = 0; i < BATCH_MAX; i++)
        cr_expect(failed[i] && !stored[i]);
}

Test(bisect, a_range_put_back_comes_again_as_it_was)
{
    struct bisect b;
    size_t lo, hi;
    bisect_start(&b, 10);
    cr_assert(bisect_next(&b, &lo, &hi));
    bisect_again(&b, lo, hi);
    cr_assert(bisect_next(&b, &lo, &hi));
    cr_expect(lo == 0 && hi == 10);
    cr_expect_not(bisect_next(&b, &lo, &hi));
}

Test(bisect, of_an_empty_batch_there_is_nothing_to_run)
{
    struct bisect b;
    size_t lo, hi;
    bisect_start(&b, 0);
    cr_expect_not(bisect_next(&b, &lo, &hi));
}
