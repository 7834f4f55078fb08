#include "poison.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct outbox_row row(int64_t seq, const char *type, const char *key)
{
    return (struct outbox_row){.seq = seq, .aggregatetype = type, .aggregateid = key};
}

Test(poison, by_skip_only_the_row_itself_is_left_out)
{
    struct poison p = {.policy = POISON_SKIP};
    struct outbox_row bad = row(5, "ticket", "a"), later = row(6, "ticket", "a");
    poison_refuse(&p, 5);
    cr_expect_str_eq(poison_reason(&p, &bad), "refused by Kafka");
    poison_block(&p, &bad);
    cr_expect_null(poison_reason(&p, &later));
    poison_free(&p);
}

Test(poison, by_block_later_rows_of_its_key_and_no_others_follow)
{
    struct poison p = {.policy = POISON_BLOCK};
    struct outbox_row bad = row(5, "ticket", "a"), later = row(6, "ticket", "a"),
                      other = row(7, "ticket", "ab"), type = row(8, "expert", "a");
    poison_block(&p, &bad);
    poison_block(&p, &bad);
    cr_expect_str_eq(poison_reason(&p, &later), "an earlier event of its key is a dead letter");
    cr_expect_null(poison_reason(&p, &other));
    cr_expect_null(poison_reason(&p, &type));
    poison_free(&p);
    cr_expect_null(poison_reason(&p, &later), "forgotten, to be loaded again");
}

/* The transaction of a dead letter may fail, and its batch is sent again. */
Test(poison, by_block_what_came_before_the_dead_letter_goes_on)
{
    struct poison p = {.policy = POISON_BLOCK};
    struct outbox_row before = row(4, "ticket", "a"), first = row(5, "ticket", "a"),
                      between = row(6, "ticket", "a"), second = row(7, "ticket", "a");
    poison_block(&p, &second);
    poison_block(&p, &first);
    poison_block(&p, &second);
    cr_expect_null(poison_reason(&p, &before));
    cr_expect_null(poison_reason(&p, &first), "it is tried again itself");
    cr_expect_not_null(poison_reason(&p, &between));
    cr_expect_not_null(poison_reason(&p, &second));
    poison_free(&p);
}

Test(poison, no_number_of_blocked_keys_lets_one_overtake)
{
    enum { KEYS = 20000 };
    struct poison p = {.policy = POISON_BLOCK};
    char key[300];
    memset(key, 'x', sizeof key);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key + 280, 20, "%d", i); /* keys that differ only at a late place */
        struct outbox_row r = row(i, "ticket", key), later = row(KEYS, "ticket", key);
        cr_assert_null(poison_reason(&p, &later));
        poison_block(&p, &r);
        cr_assert_not_null(poison_reason(&p, &later));
    }
    poison_free(&p);
}

Test(poison, a_refusal_is_remembered_among_many)
{
    struct poison p = {0};
    for (int i = 1; i <= 60; i++)
        poison_refuse(&p, i);
    struct outbox_row first = row(1, "ticket", "a"), last = row(60, "ticket", "a"),
                      none = row(61, "ticket", "a");
    cr_expect_not_null(poison_reason(&p, &first));
    cr_expect_not_null(poison_reason(&p, &last));
    cr_expect_null(poison_reason(&p, &none));
}
