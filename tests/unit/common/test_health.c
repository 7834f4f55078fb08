#include "health.h"

#include "loop.h"
#include "opt.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];

static void make_path(void)
{
    snprintf(path, sizeof path, "/tmp/squad-heartbeat-%ld", (long)getpid());
}

static void remove_path(void)
{
    unlink(path);
}

TestSuite(health, .init = make_path, .fini = remove_path);

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

Test(health, a_beat_is_good_for_ten_seconds)
{
    struct err e = {0};
    uint64_t now = now_ms();
    cr_assert_eq(health_open(path, &e), 0);
    cr_assert_eq(health_check(path, now_ms(), &e), 0);
    cr_assert_eq(health_check(path, now + HEALTH_STALE_MS, &e), 0);
    cr_assert_eq(health_check(path, now_ms() + HEALTH_STALE_MS + 1, &e), -1);
    cr_assert_eq(e.exit_code, EXIT_FOUND);
    cr_assert(strstr(e.text, "ms old"));
}

Test(health, beats_once_a_second)
{
    struct err e = {0};
    uint64_t start = now_ms();
    cr_assert_eq(health_open(path, &e), 0);
    health_beat(start + HEALTH_BEAT_MS / 2);
    cr_assert_eq(health_check(path, start + HEALTH_STALE_MS + 500, &e), -1);
    health_beat(start + 2 * HEALTH_BEAT_MS);
    cr_assert_eq(health_check(path, start + HEALTH_STALE_MS + 500, &e), 0);
}

Test(health, what_is_not_a_beat_is_not_well)
{
    struct err e = {0};
    cr_assert_eq(health_check(path, 5, &e), -1, "no file");
    write_file("");
    cr_assert_eq(health_check(path, 5, &e), -1);
    write_file("yes, I am well        \n");
    cr_assert_eq(health_check(path, 5, &e), -1);
    cr_assert(strstr(e.text, "not a heartbeat file"));
    write_file("00000000000000000006\n");
    cr_assert_eq(health_check(path, 5, &e), -1, "left over from before a reboot");
    cr_assert_eq(health_check(path, 6, &e), 0);
}

Test(health, a_place_that_can_not_be_written_is_named)
{
    struct err e = {0};
    cr_assert_eq(health_open("/nowhere/heartbeat", &e), -1);
    cr_assert_eq(e.exit_code, EXIT_CONFIG);
    cr_assert(strstr(e.text, "/nowhere/heartbeat"));
}

Test(health, without_a_file_nothing_changes)
{
    health_beat(now_ms());
    cr_assert_eq(health_wait_ms(-1), -1);
    cr_assert_eq(health_wait_ms(70000), 70000);
}

Test(health, an_idle_loop_beats)
{
    struct err e = {0};
    struct loop *loop;
    cr_assert_eq(health_open(path, &e), 0);
    cr_assert_eq(loop_new(&loop, &e), 0);
    cr_assert_eq(health_wait_ms(7), 7);
    uint64_t start = now_ms();
    loop_once(loop, -1);
    cr_assert_geq(now_ms() - start, 900);
    cr_assert_eq(health_check(path, start + HEALTH_STALE_MS + 900, &e), 0);
    loop_free(loop);
}

struct conf {
    struct conf_common common;
};
static const struct opt opts[] = {OPT_COMMON(struct conf)};
static const struct opt_set set = {
    .program = "squad-test", .opts = opts, .n_opts = sizeof opts / sizeof *opts};

/* The exit code of a program started with these two arguments; 99: it runs. */
static int start_code(const char *one, const char *two)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct conf conf = {0};
        const char *argv[] = {"squad-test", one, two, NULL};
        opt_start(&set, two ? 3 : 2, (char *const *)(void *)argv, &conf);
        _exit(99);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(health, the_options_of_every_program)
{
    struct err e = {0};
    unsetenv("SQUAD_HEARTBEAT");
    cr_assert_eq(start_code("--health", NULL), EXIT_CONFIG);
    setenv("SQUAD_HEARTBEAT", path, 1);
    cr_assert_eq(start_code("--health", NULL), EXIT_FOUND, "nobody runs");
    cr_assert_eq(start_code("--log-level=warn", NULL), 99);
    cr_assert_eq(start_code("--health", NULL), EXIT_OK);
    cr_assert_eq(health_check(path, now_ms(), &e), 0);
    cr_assert_eq(start_code("--heartbeat", "/nowhere/heartbeat"), EXIT_CONFIG);
    setenv("SQUAD_HEARTBEAT", "", 1);
    cr_assert_eq(start_code("--log-level=warn", NULL), 99, "empty: no heartbeat");
}
