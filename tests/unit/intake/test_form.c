#include "form.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct form form;
static const char *why;

static int urlencoded(const char *s)
{
    return form_urlencoded(s, strlen(s), &form, &why);
}

Test(form, urlencoded_values_are_decoded)
{
    cr_assert_eq(urlencoded("type=tv&problem=No+picture%2C+%C3%A9%26&empty=&flag&"), 0);
    cr_assert_eq(form.n, 4);
    cr_assert_str_eq(form_value(&form, "type"), "tv");
    cr_assert_str_eq(form_value(&form, "problem"), "No picture, \xc3\xa9&");
    cr_assert_str_eq(form_value(&form, "empty"), "");
    cr_assert_str_eq(form_value(&form, "flag"), "");
    cr_assert_null(form_value(&form, "other"));
    form_free(&form);
}

Test(form, what_is_not_urlencoded_is_refused_with_its_rule)
{
    const char *bad[][2] = {
        {"a=%4", "broken %-escape"}, {"a=%zz", "broken %-escape"},
        {"%=1", "broken %-escape"},  {"a=%00", "NUL"},
        {"a=%ff", "UTF-8"},          {"a=%ed%a0%80", "UTF-8"},
        {"a=1&a=2", "twice"},        {"=1", "name"},
        {"a=%c0%af", "UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(urlencoded(bad[i][0]), -1, "%s", bad[i][0]);
        cr_assert(strstr(why, bad[i][1]), "%s: %s", bad[i][0], why);
        cr_assert_null(form.memory);
    }
}

Test(form, an_empty_body_has_no_fields)
{
    cr_assert_eq(urlencoded(""), 0);
    cr_assert_eq(form.n, 0);
    form_free(&form);
}

Test(form, too_many_fields_and_too_long_names_are_refused)
{
    char body[FORM_FIELDS_MAX * 8 + 16] = "", name[FORM_NAME_MAX + 8];
    for (int i = 0; i <= FORM_FIELDS_MAX; i++)
        sprintf(body + strlen(body), "a%d=&", i);
    cr_assert_eq(urlencoded(body), -1);
    cr_assert(strstr(why, "too many"));
    memset(name, 'n', sizeof name);
    name[FORM_NAME_MAX + 1] = '\0';
    cr_assert_eq(urlencoded(name), -1);
    name[FORM_NAME_MAX] = '\0';
    cr_assert_eq(urlencoded(name), 0);
    form_free(&form);
}

#define TYPE "multipart/form-data; boundary=xYz"
#define PART(name, value)                                                                          \
    "--xYz\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static int multipart(const char *type, const char *s)
{
    return form_multipart(s, strlen(s), type, &form, &why);
}

Test(form, multipart_values_come_as_they_are)
{
    cr_assert_eq(multipart(TYPE, PART("type", "tv") PART("problem", "a\r\n--xY\r\n+%41")
                                     PART("e", "") "--xYz--\r\n"),
                 0);
    cr_assert_eq(form.n, 3);
    cr_assert_str_eq(form_value(&form, "problem"), "a\r\n--xY\r\n+%41");
    cr_assert_str_eq(form_value(&form, "e"), "");
    form_free(&form);
    cr_assert_eq(multipart("multipart/form-data; x=\"a;boundary=no\"; Boundary=\"xYz\"",
                           PART("a", "1") "--xYz--"),
                 0);
    form_free(&form);
}

Test(form, what_is_not_multipart_is_refused_with_its_rule)
{
    const char *bad[][3] = {
        {"multipart/form-data", PART("a", "1") "--xYz--", "no boundary"},
        {"multipart/form-data; boundary=\"xYz", PART("a", "1") "--xYz--", "no boundary"},
        {TYPE, "x" PART("a", "1") "--xYz--", "begin with"},
        {TYPE, PART("a", "1"), "no closing"},
        {TYPE, "--xYz\r\n\r\nvalue\r\n--xYz--", "without a name"},
        {TYPE, "--xYz\r\nContent-Disposition: form-data\r\n\r\nvalue\r\n--xYz--", "without a name"},
        {TYPE, "--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n--xYz--",
         "end of its headers"},
        {TYPE, "--xYzjunk\r\n--xYz--", "behind"},
        {TYPE,
         "--xYz\r\nContent-Disposition: form-data; name=a; filename=\"x\"\r\n\r\n1\r\n--xYz--",
         "file"},
        {TYPE, PART("a", "1") PART("a", "2") "--xYz--", "twice"},
        {TYPE, PART("a", "\xff") "--xYz--", "UTF-8"},
        {TYPE, "--xYz\r\n--xYz--", "end of its headers"},
        {TYPE, "", "begin with"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(multipart(bad[i][0], bad[i][1]), -1, "%zu", i);
        cr_assert(strstr(why, bad[i][2]), "%zu: %s", i, why);
        cr_assert_null(form.memory);
    }
}

Test(form, every_cut_of_a_good_body_is_good_or_refused)
{
    static const char body[] = PART("type", "tv") PART("problem", "\xc3\xa9") "--xYz--\r\n";
    static const char encoded[] = "type=tv&problem=%C3%A9+x&a=%41";
    for (size_t n = 0; n <= sizeof body - 1; n++)
        if (form_multipart(body, n, TYPE, &form, &why) == 0)
            form_free(&form);
    for (size_t n = 0; n <= sizeof encoded - 1; n++)
        if (form_urlencoded(encoded, n, &form, &why) == 0)
            form_free(&form);
}
