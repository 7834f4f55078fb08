#include "migrations.h"
#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

Test(migrate, applies_all_and_then_nothing)
{
    struct world w;
    world_make(&w, 0);
    struct ran first = world_squad(&w, "", "migrate");
    cr_assert_eq(first.code, 0, "%s", first.err);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM migration"), (long)migration_count);
    cr_expect_eq(world_sql_long(&w, "SELECT schema_version()"), (long)migration_count);
    struct ran second = world_squad(&w, "", "migrate");
    cr_expect_eq(second.code, 0);
    cr_expect(strstr(second.out, "nothing to do"), "%s", second.out);
    ran_free(&first);
    ran_free(&second);
    world_drop(&w);
}

Test(migrate, dry_run_changes_nothing)
{
    struct world w;
    world_make(&w, 0);
    struct ran r = world_squad(&w, "", "migrate --dry-run");
    cr_expect_eq(r.code, 0);
    cr_expect(strstr(r.out, "0001_base"), "%s", r.out);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM pg_namespace WHERE nspname = 'squad'"),
                 0);
    ran_free(&r);
    world_drop(&w);
}

Test(migrate, checksum_is_that_of_the_file)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    FILE *p = popen("sha256sum sql/migrations/0001_base.sql | cut -c1-64", "r");
    char sum[80] = "";
    cr_assert(p && fgets(sum, sizeof sum, p));
    pclose(p);
    sum[strcspn(sum, "\n")] = '\0';
    cr_expect_eq(world_sql_long(&w,
                                "SELECT count(*) FROM migration WHERE version = 1 AND "
                                "checksum = '%s'",
                                sum),
                 1);
    world_drop(&w);
}

Test(migrate, four_at_once_apply_each_file_once)
{
    struct world w;
    pid_t child[4];
    world_make(&w, 0);
    for (int i = 0; i < 4; i++)
        if ((child[i] = fork()) == 0) {
            struct ran r = world_squad(&w, "", "migrate");
            _exit(r.code);
        }
    for (int i = 0; i < 4; i++) {
        int status;
        waitpid(child[i], &status, 0);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "process %d", i);
    }
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM migration"), (long)migration_count);
    world_drop(&w);
}

Test(migrate, a_file_changed_after_it_was_applied_is_refused)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    world_sql(&w, "UPDATE migration SET checksum = repeat('0', 64) WHERE version = 2");
    struct ran r = world_squad(&w, "", "migrate");
    cr_expect_eq(r.code, 4, "exit code %d", r.code);
    cr_expect(strstr(r.err, "0002_company has changed since it was applied"), "%s", r.err);
    ran_free(&r);
    world_drop(&w);
}

Test(migrate, a_failing_file_leaves_nothing_of_itself_and_names_its_line)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    /* As if the last migration had not been applied, and something is in its way. */
    world_sql(&w,
              "DELETE FROM migration WHERE version = %1$d;"
              "ALTER TABLE migration ADD CONSTRAINT in_the_way CHECK (version < %1$d)",
              (int)migration_count);
    struct ran r = world_squad(&w, "", "migrate");
    cr_expect_neq(r.code, 0);
    cr_expect(strstr(r.err, "already exists") || strstr(r.err, "in_the_way"), "%s", r.err);
    cr_expect_eq(world_sql_long(&w, "SELECT count(*) FROM migration"), (long)migration_count - 1);
    ran_free(&r);
    world_drop(&w);
}

Test(migrate, files_applied_by_hand_are_accepted)
{
    struct world w;
    world_make(&w, WORLD_MIGRATED);
    world_sql(&w, "UPDATE migration SET checksum = NULL");
    struct ran r = world_squad(&w, "", "migrate");
    cr_expect_eq(r.code, 0, "%s", r.err);
    cr_expect(strstr(r.out, "by hand"), "%s", r.out);
    ran_free(&r);
    world_drop(&w);
}

Test(migrate, other_commands_without_a_schema_say_what_to_run)
{
    struct world w;
    world_make(&w, 0);
    struct ran r = world_squad(&w, "", "seed");
    cr_expect_eq(r.code, 4, "exit code %d", r.code);
    cr_expect(strstr(r.err, "squad migrate"), "%s", r.err);
    ran_free(&r);
    world_drop(&w);
}
