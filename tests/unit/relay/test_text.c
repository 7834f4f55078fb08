#include "text.h"

#include <criterion/criterion.h>

Test(text, what_fits_is_whole_and_the_rest_is_cut_between_characters)
{
    char buf[6];
    static const struct {
        const char *text, *cut;
    } rows[] = {
        {"", ""},
        {"abcde", "abcde"},
        {"abcdef", "abcde"},
        {"abcd\xc3\xa9", "abcd"},
        {"abc\xc3\xa9", "abc\xc3\xa9"},
        {"abc\xc3\xa9\xc3\xa9", "abc\xc3\xa9"},
        {"abc\xe2\x82\xac", "abc"},
        {"ab\xe2\x82\xac", "ab\xe2\x82\xac"},
        {"ab\xf0\x9f\x94\xa7", "ab"},
        {"\x80\x80\x80\x80\x80\x80\x80", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_str_eq(text_cut(buf, sizeof buf, rows[i].text), rows[i].cut, "row %zu", i);
}
