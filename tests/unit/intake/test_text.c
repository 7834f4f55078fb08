#include "text.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

Test(text, grows_and_keeps_what_was_put)
{
    struct text t = {0};
    for (int i = 0; i < 10000; i++)
        text_put(&t, "abc", 3);
    cr_assert_eq(t.len, 30000);
    cr_expect_eq(strlen(t.data), 30000);
    cr_expect_str_eq(t.data + 29997, "abc");
    text_reset(&t);
    cr_expect_eq(t.len, 0);
    cr_expect(t.cap >= 30000, "the memory is kept");
    text_free(&t);
    cr_expect_null(t.data);
}

Test(text, of_nothing_has_no_memory_and_can_be_freed)
{
    struct text t = {0};
    text_free(&t);
    text_put(&t, "", 0);
    cr_expect_str_eq(t.data, "");
    text_free(&t);
}

Test(text, room_is_for_the_bytes_asked_and_a_nul)
{
    struct text t = {0};
    char *to = text_room(&t, 1000);
    memset(to, 'x', 1001);
    cr_expect(t.cap >= 1001);
    cr_expect_eq(t.len, 0);
    text_free(&t);
}

Test(text, numbers)
{
    struct text t = {0};
    text_int(&t, 0);
    text_str(&t, " ");
    text_int(&t, INT64_MIN);
    text_str(&t, " ");
    text_int(&t, INT64_MAX);
    cr_expect_str_eq(t.data, "0 -9223372036854775808 9223372036854775807");
    text_free(&t);
}

/* A reader that is not ours gets back every byte. */
Test(text, json_of_every_ascii_character_reads_back_the_same)
{
    char s[128];
    struct text t = {0};
    for (int i = 1; i < 128; i++)
        s[i - 1] = (char)i;
    s[127] = '\0';
    text_json(&t, s);
    json_t *j = json_loads(t.data, JSON_DECODE_ANY, NULL);
    cr_assert(j, "%s", t.data);
    cr_expect_str_eq(json_string_value(j), s);
    json_decref(j);
    text_free(&t);
}

Test(text, json_leaves_other_languages_and_emoji_alone)
{
    struct text t = {0};
    text_json(&t, "\xc3\xb1 \xe2\x80\xae \xf0\x9f\x94\xa7");
    cr_expect_str_eq(t.data, "\"\xc3\xb1 \xe2\x80\xae \xf0\x9f\x94\xa7\"");
    text_free(&t);
}

Test(text, times_are_rfc_3339_with_microseconds)
{
    static const struct {
        int64_t us;
        const char *text;
    } times[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {1709210096000007, "2024-02-29T12:34:56.000007Z"},
        {4102444799999999, "2099-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct text t = {0};
        text_time(&t, times[i].us);
        cr_expect_str_eq(t.data, times[i].text);
        text_free(&t);
    }
}
