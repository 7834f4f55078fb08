#include "names.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(names, numbers_rise_from_0_and_stay)
{
    struct names n = {0};
    char text[16];
    cr_expect_eq(names_find(&n, "a", 1), NAMES_NONE);
    for (uint32_t i = 0; i < 10000; i++) {
        int len = snprintf(text, sizeof text, "name %u", i);
        cr_assert_eq(names_put(&n, text, (size_t)len), i);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        int len = snprintf(text, sizeof text, "name %u", i);
        cr_assert_eq(names_put(&n, text, (size_t)len), i);
        cr_assert_eq(names_find(&n, text, (size_t)len), i);
    }
    cr_expect_eq(names_find(&n, "name", 4), NAMES_NONE);
    names_clear(&n);
    cr_expect_eq(names_find(&n, "name 1", 6), NAMES_NONE);
}

Test(names, bytes_of_every_value_and_no_bytes_at_all)
{
    struct names n = {0};
    cr_expect_eq(names_put(&n, "a\0b", 3), 0);
    cr_expect_eq(names_put(&n, "a\0c", 3), 1);
    cr_expect_eq(names_put(&n, "", 0), 2);
    cr_expect_eq(names_find(&n, "", 0), 2);
    names_clear(&n);
}
