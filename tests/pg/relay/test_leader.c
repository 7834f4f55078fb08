/* The leader's session: what it writes for people. */
#include "leader.h"
#include "reader.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct world w;
static struct reader *r;

static void setup(void)
{
    world_make(&w, WORLD_MIGRATED);
    r = reader_open(&w);
}

static void teardown(void)
{
    reader_close(r);
    world_drop(&w);
}

TestSuite(leader, .init = setup, .fini = teardown);

static struct leader leads_for_ms(uint64_t ms)
{
    static const struct conf_common conf = {.instance = "test"};
    return (struct leader){.conf = &conf, .pg = r->pg, .leads = true, .since_ms = now_ms() - ms};
}

/* 24.8 days are 2^31 ms. */
Test(leader, the_copy_is_written_however_long_it_has_led)
{
    const uint64_t days = 400;
    struct leader l = leads_for_ms(days * 86400000);
    struct err e = {0};
    cr_assert_eq(leader_copy(&l, "squad", &r->at, &e), 0, "%s", e.text);
    cr_expect_eq(world_sql_long(&w, "SELECT round(extract(epoch FROM updated_at - leader_since) / "
                                    "86400) FROM relay_progress WHERE relay = 'squad'"),
                 (long)days);
}
