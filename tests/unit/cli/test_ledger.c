#include "ledger.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/resource.h>

static struct ledger_row row(int n, uint64_t group)
{
    struct ledger_row r = {.seq = n, .content = (uint64_t)n * 7, .group = group, .required = true};
    memcpy(r.id, &n, sizeof n);
    return r;
}

static struct ledger_record record(int n, int64_t offset)
{
    struct ledger_record r = {.content = (uint64_t)n * 7, .place = ledger_place(0, 1, offset)};
    memcpy(r.id, &n, sizeof n);
    return r;
}

/* Rows 1..n_rows of one key, then records in the order given, at offsets 0, 1, ... */
static struct ledger_result judge(int n_rows, const int *records, int n_records)
{
    struct ledger *l = ledger_new();
    struct ledger_result result;
    for (int i = 1; i <= n_rows; i++) {
        struct ledger_row r = row(i, 99);
        cr_assert(ledger_add_row(l, &r));
    }
    for (int i = 0; i < n_records; i++) {
        struct ledger_record r = record(records[i], i);
        ledger_add_record(l, &r);
    }
    ledger_finish(l, &result);
    ledger_free(l);
    return result;
}

static void expect(const struct ledger_result *r, uint64_t lost, uint64_t duplicated,
                   uint64_t reordered, uint64_t phantom)
{
    cr_expect_eq(r->count[LEDGER_LOST], lost, "lost %lu", r->count[LEDGER_LOST]);
    cr_expect_eq(r->count[LEDGER_DUPLICATED], duplicated, "duplicated %lu",
                 r->count[LEDGER_DUPLICATED]);
    cr_expect_eq(r->count[LEDGER_REORDERED], reordered, "reordered %lu",
                 r->count[LEDGER_REORDERED]);
    cr_expect_eq(r->count[LEDGER_PHANTOM], phantom, "phantom %lu", r->count[LEDGER_PHANTOM]);
}

Test(ledger, each_row_once_in_order_is_clean)
{
    struct ledger_result r = judge(3, (int[]){1, 2, 3}, 3);
    expect(&r, 0, 0, 0, 0);
    cr_expect_eq(r.rows, 3);
    cr_expect_eq(r.records, 3);
}

Test(ledger, nothing_at_all_is_clean)
{
    struct ledger_result r = judge(0, NULL, 0);
    expect(&r, 0, 0, 0, 0);
}

Test(ledger, a_row_without_record_is_lost)
{
    struct ledger_result r = judge(3, (int[]){1, 3}, 2);
    expect(&r, 1, 0, 0, 0);
    cr_expect_eq(r.samples[LEDGER_LOST][0].seq, 2);
}

Test(ledger, a_second_record_is_duplicated_and_not_reordered)
{
    struct ledger_result r = judge(3, (int[]){1, 2, 3, 2}, 4);
    expect(&r, 0, 1, 0, 0);
    cr_expect_eq(ledger_place_offset(r.samples[LEDGER_DUPLICATED][0].place), 3);
}

Test(ledger, a_swapped_pair_is_one_reordered)
{
    struct ledger_result r = judge(4, (int[]){1, 3, 2, 4}, 4);
    expect(&r, 0, 0, 1, 0);
    cr_expect_eq(r.samples[LEDGER_REORDERED][0].seq, 2);
}

Test(ledger, every_late_row_of_a_run_is_reordered)
{
    struct ledger_result r = judge(4, (int[]){4, 1, 2, 3}, 4);
    expect(&r, 0, 0, 3, 0);
}

Test(ledger, a_record_without_row_is_phantom)
{
    struct ledger_result r = judge(1, (int[]){1, 7}, 2);
    expect(&r, 0, 0, 0, 1);
    cr_expect_eq(ledger_place_partition(r.samples[LEDGER_PHANTOM][0].place), 1);
}

Test(ledger, other_content_is_altered_and_the_row_is_lost)
{
    struct ledger *l = ledger_new();
    struct ledger_row r = row(1, 99);
    struct ledger_record wrong = record(1, 0);
    struct ledger_result result;
    wrong.content++;
    ledger_add_row(l, &r);
    ledger_add_record(l, &wrong);
    cr_expect_eq(ledger_missing(l), 1);
    ledger_finish(l, &result);
    expect(&result, 1, 0, 0, 0);
    cr_expect_eq(result.count[LEDGER_ALTERED], 1);
    ledger_free(l);
}

Test(ledger, keys_do_not_order_each_other)
{
    struct ledger *l = ledger_new();
    struct ledger_row a = row(1, 5), b = row(2, 6);
    struct ledger_record ra = record(1, 1), rb = record(2, 0);
    struct ledger_result result;
    ledger_add_row(l, &a);
    ledger_add_row(l, &b);
    ledger_add_record(l, &rb);
    ledger_add_record(l, &ra);
    ledger_finish(l, &result);
    expect(&result, 0, 0, 0, 0);
    ledger_free(l);
}

Test(ledger, a_later_row_may_be_missing_and_explains_its_record_in_order)
{
    struct ledger *l = ledger_new();
    struct ledger_row first = row(1, 5), late = row(3, 5), later = row(4, 5), early = row(2, 5);
    struct ledger_record records[] = {record(1, 0), record(3, 1), record(2, 2)};
    struct ledger_result result;
    ledger_add_row(l, &first);
    ledger_add_row(l, &early);
    for (int i = 0; i < 3; i++)
        ledger_add_record(l, &records[i]);
    cr_expect_eq(ledger_missing(l), 0);
    late.required = later.required = false;
    ledger_add_row(l, &late);
    ledger_add_row(l, &later);
    cr_expect_not(ledger_add_row(l, &late), "the same id twice");
    ledger_finish(l, &result);
    expect(&result, 0, 0, 1, 0);
    cr_expect_eq(result.rows, 3);
    ledger_free(l);
}

Test(ledger, a_dead_letter_counts_as_published_but_not_twice)
{
    struct ledger *l = ledger_new();
    struct ledger_row a = row(1, 5), b = row(2, 5);
    struct ledger_record dead = record(1, 9), copy = record(1, 1), other = record(2, 0);
    struct ledger_result result;
    dead.dead = true;
    dead.content = 0;
    dead.place = ledger_place(3, 0, 9);
    ledger_add_row(l, &a);
    ledger_add_row(l, &b);
    ledger_add_record(l, &other);
    ledger_add_record(l, &dead);
    cr_expect_eq(ledger_missing(l), 0);
    ledger_add_record(l, &copy);
    ledger_finish(l, &result);
    expect(&result, 0, 1, 0, 0);
    cr_expect_eq(result.dead, 1);
    ledger_free(l);
}

Test(ledger, a_hundred_thousand_rows_are_found_again)
{
    enum { N = 100000 };
    struct ledger *l = ledger_new();
    struct ledger_result result;
    for (int i = 1; i <= N; i++) {
        struct ledger_row r = row(i, (uint64_t)(i % 1000) + 1);
        cr_assert(ledger_add_row(l, &r));
    }
    for (int i = 1; i <= N; i++) {
        struct ledger_record r = record(i, i);
        ledger_add_record(l, &r);
    }
    cr_expect_eq(ledger_missing(l), 0);
    ledger_finish(l, &result);
    expect(&result, 0, 0, 0, 0);
    ledger_free(l);
}

Test(ledger, samples_end_at_their_limit_and_counts_do_not)
{
    int records[50];
    for (int i = 0; i < 50; i++)
        records[i] = 1000 + i;
    struct ledger_result r = judge(0, records, 50);
    cr_expect_eq(r.count[LEDGER_PHANTOM], 50);
}

Test(ledger, a_place_gives_back_its_parts)
{
    uint64_t p = ledger_place(3, 999, INT64_C(123456789012));
    cr_expect_eq(ledger_place_topic(p), 3);
    cr_expect_eq(ledger_place_partition(p), 999);
    cr_expect_eq(ledger_place_offset(p), INT64_C(123456789012));
}

Test(ledger, the_hash_tells_fields_apart)
{
    cr_expect_neq(ledger_hash(ledger_hash(0, "ab", 2), "c", 1),
                  ledger_hash(ledger_hash(0, "a", 1), "bc", 2));
    cr_expect_neq(ledger_hash(0, NULL, 0), ledger_hash(0, "", 0));
    cr_expect_neq(ledger_hash(0, "12345678x", 9), ledger_hash(0, "12345678y", 9));
    cr_expect_eq(ledger_hash(1, "12345678xyz", 11), ledger_hash(1, "12345678xyz", 11));
}

static long peak_kib(void)
{
    struct rusage usage;
    cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* docs/operating.md says how much. */
Test(ledger, a_million_rows_take_some_sixty_megabytes)
{
    enum { ROWS = 1000000 };
#ifdef __SANITIZE_ADDRESS__
    static const double bytes_max = 1000; /* it keeps what is freed */
#else
    static const double bytes_max = 66;
#endif
    struct ledger *l = ledger_new();
    struct ledger_result result;
    long before = peak_kib();
    for (int i = 1; i <= ROWS; i++) {
        struct ledger_row r = row(i, (uint64_t)(i % 1000) + 1);
        ledger_add_row(l, &r);
    }
    for (int i = 1; i <= ROWS; i++) {
        struct ledger_record r = record(i, i);
        ledger_add_record(l, &r);
    }
    ledger_finish(l, &result);
    double bytes = (double)(peak_kib() - before) * 1024 / ROWS;
    expect(&result, 0, 0, 0, 0);
    cr_expect_lt(bytes, bytes_max, "%.1f bytes a row", bytes);
    ledger_free(l);
}
