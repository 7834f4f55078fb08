#include "utf8.h"

#include <criterion/criterion.h>
#include <string.h>

Test(utf8, only_the_shortest_form_of_a_character_is_one)
{
    static const char *const good[] = {"",
                                       "a",
                                       "ñ",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xf0\x9f\x98",
                                      "\xc3"
                                      "a",
                                      "a\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect(utf8_valid(good[i], strlen(good[i])), "%zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(utf8_valid(bad[i], strlen(bad[i])), "%zu", i);
    cr_expect_not(utf8_valid("a\0b", 3));
    cr_expect_not(utf8_valid("ñ", 1), "cut inside a character");
}

Test(utf8, a_text_has_characters_not_bytes)
{
    cr_expect_eq(utf8_length(""), 0);
    cr_expect_eq(utf8_length("abc"), 3);
    cr_expect_eq(utf8_length("a\xc3\xb1\xe2\x82\xac\xf0\x9f\x98\x80"), 4);
}
