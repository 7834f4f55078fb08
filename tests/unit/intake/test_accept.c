#include "accept.h"

#include <criterion/criterion.h>

Test(accept, the_closest_range_decides)
{
    static const struct {
        const char *accept, *type;
        int weight;
    } cases[] = {
        {NULL, "text/html", 1000},
        {"*/*", "text/html", 1000},
        {"text/html, */*;q=0.1", "application/json", 100},
        {"text/html;q=0.5, */*", "text/html", 500},
        {"application/*;q=0.25,*/*;q=0", "application/json", 250},
        {"application/*;q=0.25,*/*;q=0", "text/html", 0},
        {"application/json;version=1;q=0.7", "application/json", 700},
        {"text/html", "application/json", 0},
        {"TEXT/HTML", "text/html", 1000},
        {" text/html ; q=0 ", "text/html", 0},
        {"text/htmlx", "text/html", 0},
        {"text/*", "text/html", 1000},
        {",,text/html", "text/html", 1000},
        {"text/html;q=nonsense", "text/html", 1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(accept_weight(cases[i].accept, cases[i].type), cases[i].weight,
                     "%zu: %s is %d", i, cases[i].accept,
                     accept_weight(cases[i].accept, cases[i].type));
}

Test(accept, wait_is_read_and_bounded)
{
    cr_assert_eq(prefer_wait_s(NULL), 0);
    cr_assert_eq(prefer_wait_s("wait=10"), 10);
    cr_assert_eq(prefer_wait_s("respond-async, wait=5; x=1"), 5);
    cr_assert_eq(prefer_wait_s("wait=99999999999999999999"), PREFER_WAIT_MAX_S);
    cr_assert_eq(prefer_wait_s("wait=-1"), 0);
    cr_assert_eq(prefer_wait_s("wait="), 0);
    cr_assert_eq(prefer_wait_s("await=3"), 0);
}
