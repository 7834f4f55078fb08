#include "loop.h"
#include "ticket.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(ticket, uuid7_carries_version_variant_and_rises_with_time)
{
    uint8_t a[16], b[16];
    uuid7_make(a);
    for (int i = 0; i < 1000; i++) {
        uuid7_make(b);
        cr_assert_eq(b[6] >> 4, 7);
        cr_assert_eq(b[8] >> 6, 2);
        cr_assert(memcmp(a, b, 6) <= 0, "time went back");
        memcpy(a, b, 16);
    }
}

static int64_t ms_of(const uint8_t id[16])
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id[i];
    return ms;
}

Test(ticket, uuid7_goes_by_the_clock_that_it_is_told)
{
    enum { HOUR_MS = 3600000, SLOW_MS = 1000 };
    uint8_t id[16];
    int64_t now_ms = wall_us() / 1000;
    cr_expect_eq(uuid7_set_clock(now_ms + UUID7_CLOCK_TOLERANCE_MS / 2), 0);
    uuid7_make(id);
    cr_expect_lt(llabs(ms_of(id) - now_ms), SLOW_MS);
    cr_expect_lt(uuid7_set_clock(now_ms + HOUR_MS), -HOUR_MS + SLOW_MS);
    uuid7_make(id);
    cr_expect_lt(llabs(ms_of(id) - now_ms - HOUR_MS), SLOW_MS);
    cr_expect_geq(uuid7_set_clock(now_ms - HOUR_MS), HOUR_MS);
    uuid7_make(id);
    cr_expect_lt(llabs(ms_of(id) - now_ms + HOUR_MS), SLOW_MS);
    cr_expect_eq(uuid7_set_clock(wall_us() / 1000), 0);
}

Test(ticket, uuid_text_goes_there_and_back)
{
    uint8_t id[16], again[16];
    char text[UUID_TEXT_LEN + 1];
    uuid7_make(id);
    uuid_format(id, text);
    cr_assert_eq(strlen(text), UUID_TEXT_LEN);
    cr_assert(uuid_parse(text, UUID_TEXT_LEN, again));
    cr_assert_arr_eq(id, again, 16);
}

Test(ticket, uuid_refuses_what_is_not_one)
{
    uint8_t id[16];
    static const char *const bad[] = {
        "",
        "0190",
        "01900000-0000-7000-8000-00000000000g",
        "01900000x0000-7000-8000-000000000000",
        "{1900000-0000-7000-8000-00000000000}",
        "0190000000007000800000000000000000000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(uuid_parse(bad[i], strlen(bad[i]), id), "%s", bad[i]);
}

Test(ticket, ref_is_read_as_people_write_it)
{
    uint8_t id[16] = {0};
    char ref[TICKET_REF_LEN + 1], out[TICKET_REF_LEN + 1];
    for (int i = 0; i < 16; i++)
        id[i] = (uint8_t)(i * 37 + 11);
    ticket_ref_make(id, ref);
    cr_assert_eq(strlen(ref), TICKET_REF_LEN);
    char typed[64];
    snprintf(typed, sizeof typed, " %.3s %s", ref, ref + 3);
    for (char *p = typed; *p; p++) {
        if (*p == '0')
            *p = 'o';
        else if (*p == '1')
            *p = 'l';
        else if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    }
    cr_assert(ticket_ref_parse(typed, strlen(typed), out), "%s", typed);
    cr_assert_str_eq(out, ref);
}

Test(ticket, ref_detects_every_single_wrong_symbol)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char ref[TICKET_REF_LEN + 1], out[TICKET_REF_LEN + 1];
    for (int round = 0; round < 200; round++) {
        uint8_t id[16];
        uuid7_make(id);
        ticket_ref_make(id, ref);
        for (size_t i = 0; i < TICKET_REF_LEN; i++) {
            char right = ref[i];
            for (const char *c = alphabet; right != '-' && *c; c++) {
                ref[i] = *c;
                cr_assert_eq(ticket_ref_parse(ref, TICKET_REF_LEN, out), *c == right);
            }
            ref[i] = right;
        }
    }
}

Test(ticket, ref_refuses_wrong_lengths_and_symbols)
{
    char out[TICKET_REF_LEN + 1];
    cr_assert_not(ticket_ref_parse("", 0, out));
    cr_assert_not(ticket_ref_parse("00000-0000", 10, out));
    cr_assert_not(ticket_ref_parse("00000-000000", 12, out));
    cr_assert_not(ticket_ref_parse("00000-0000U", 11, out));
    cr_assert_not(ticket_ref_parse("00000\0-0000", 11, out));
}
