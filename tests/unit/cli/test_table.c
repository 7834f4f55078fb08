#include "command.h"
#include "out.h"
#include "table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *printed(const struct table *t)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    table_print(t, f);
    fclose(f);
    return text;
}

Test(table, columns_line_up_by_characters_not_bytes)
{
    static const struct table_column columns[] = {{"name", false}, {"n", true}};
    struct table *t = table_new(columns, 2);
    table_cell(t, "José");
    table_cell(t, "%d", 7);
    table_cell(t, "Anna");
    table_cell(t, "%d", 1234);
    char *text = printed(t);
    cr_expect_str_eq(text, "  name     n\n"
                           "  José     7\n"
                           "  Anna  1234\n");
    free(text);
    table_free(t);
}

Test(table, without_titles_there_is_no_line_of_titles_and_an_unfinished_row_is_left_out)
{
    static const struct table_column columns[] = {{"", false}, {"", false}};
    struct table *t = table_new(columns, 2);
    table_cell(t, "a");
    table_cell(t, "b");
    table_cell(t, "c");
    char *text = printed(t);
    cr_expect_str_eq(text, "  a  b\n");
    free(text);
    table_free(t);
}

Test(out, spans_are_in_the_unit_that_people_would_take)
{
    char b[OUT_TEXT_MAX];
    cr_expect_str_eq(out_span(b, 850), "850 us");
    cr_expect_str_eq(out_span(b, 12345), "12.3 ms");
    cr_expect_str_eq(out_span(b, 4500000), "4.5 s");
    cr_expect_str_eq(out_span(b, 200 * 1000000LL), "3 min 20 s");
    cr_expect_str_eq(out_span(b, 7500 * 1000000LL), "2 h 5 min");
    cr_expect_str_eq(out_span(b, (3 * 86400 + 4 * 3600) * 1000000LL), "3 d 4 h");
    cr_expect_str_eq(out_span(b, -1500000), "-1.5 s");
}

Test(out, times_for_json_are_utc)
{
    char b[OUT_TEXT_MAX];
    cr_expect_str_eq(out_rfc3339(b, INT64_C(1700000000123456)), "2023-11-14T22:13:20.123456Z");
    setenv("TZ", "MEZ-1", 1);
    tzset();
    cr_expect_str_eq(out_time(b, INT64_C(1700000000123456)), "2023-11-14 23:13:20.123");
}

Test(command, options_may_stand_behind_operands)
{
    static const struct opt opts[] = {{.name = "json", .type = OPT_BOOL},
                                      {.name = "db", .letter = 'd', .type = OPT_STR}};
    static const struct command c = {.name = "x", .opts = opts, .n_opts = 2};
    char *argv[] = {"squad", "REF", "--json", "--db", "a b", "-d", "c", "--db=e", NULL}, *out[12];
    int n = command_permute(&c, 8, argv, out);
    const char *expected[] = {"squad", "--json", "--db", "a b", "-d", "c", "--db=e", "--", "REF"};
    cr_assert_eq(n, 9);
    for (int i = 0; i < n; i++)
        cr_expect_str_eq(out[i], expected[i]);
    cr_expect_null(out[n]);
}
