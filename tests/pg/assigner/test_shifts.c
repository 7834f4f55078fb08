/* Shifts are made of the working weeks, page by page, and who is held now has his a little later.
 */
#include "desk.h"
#include "loop.h"
#include "shifts.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(shifts, .init = desk_set_up, .fini = desk_tear_down, .timeout = 60);

enum { MANY = 450, MINUTE_MS = 60000, HOUR_MS = 3600000 };

static void extend(struct shifts *shifts)
{
    struct err err = {0};
    cr_assert_eq(shifts_extend(shifts, d.pg, &err), 0, "%s", err.text);
}

static void expect_due_in(const struct shifts *shifts, uint64_t ms)
{
    uint64_t now = now_ms();
    cr_expect(shifts->due_ms <= now + ms && shifts->due_ms + 5000 > now + ms, "%ld ms",
              (long)(shifts->due_ms - now));
}

static long without_shifts(void)
{
    return world_sql_long(&w, "SELECT count(*) FROM shift_pattern p WHERE NOT EXISTS (SELECT FROM "
                              "expert_shift s WHERE s.expert_id = p.expert_id)");
}

Test(shifts, a_large_company_has_its_shifts_page_by_page)
{
    struct shifts shifts = {0};
    free(world_sql(&w,
                   "INSERT INTO expert (id, name) SELECT n, 'x' FROM generate_series(1001, %d) "
                   "n; INSERT INTO shift_pattern SELECT id, extract(isodow FROM now()), "
                   "'00:00', '24:00' FROM expert WHERE id > 1000",
                   1000 + MANY));
    extend(&shifts);
    cr_expect_gt(shifts.behind, 0);
    cr_expect_eq(shifts.due_ms, 0);
    cr_expect_gt(without_shifts(), 0, "not all at once");
    struct err err = {0};
    cr_assert_eq(shifts_extend_all(&shifts, d.pg, &err), 0, "%s", err.text);
    cr_expect_eq(without_shifts(), 0);
    cr_expect_eq(shifts.behind, 0);
    expect_due_in(&shifts, HOUR_MS);
}

Test(shifts, who_is_held_has_his_a_minute_later)
{
    struct shifts shifts = {0};
    PGconn *owner = PQconnectdb(w.conninfo);
    free(world_sql(&w, "DELETE FROM expert_shift"));
    cr_assert_str_empty(
        world_sqlstate(owner, "BEGIN; UPDATE squad.expert SET name = 'y' WHERE id = 7"));
    extend(&shifts);
    cr_expect_eq(world_sql_long(&w, "SELECT count(DISTINCT expert_id) FROM expert_shift"), 11);
    expect_due_in(&shifts, MINUTE_MS);
    cr_assert_str_empty(world_sqlstate(owner, "ROLLBACK"));
    extend(&shifts);
    cr_expect_eq(world_sql_long(&w, "SELECT count(DISTINCT expert_id) FROM expert_shift"), 12);
    expect_due_in(&shifts, HOUR_MS);
    PQfinish(owner);
}
