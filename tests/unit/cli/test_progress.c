#include "out.h"

#include <criterion/criterion.h>
#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a terminal shows of a command that says what it is at and is then busy with it. */
static void shown(unsigned busy_ms, char *ret, size_t size)
{
    int terminal;
    size_t used = 0;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    cr_assert(child >= 0);
    if (!child) {
        out_progress("counting %d rows", 7);
        usleep(busy_ms * 1000);
        out_progress_end();
        _exit(0);
    }
    for (ssize_t n = 1; n > 0 && used + 1 < size; used += n > 0 ? (size_t)n : 0)
        n = read(terminal, ret + used, size - used - 1);
    ret[used] = '\0';
    cr_assert_eq(waitpid(child, NULL, 0), child);
    close(terminal);
}

Test(progress, is_shown_by_a_command_that_is_busy_for_long_within_one_step)
{
    char text[256];
    shown(2600, text, sizeof text);
    cr_expect_str_eq(text, "\r\033[Kcounting 7 rows\r\033[K");
}

Test(progress, is_not_shown_by_a_quick_one)
{
    char text[256];
    shown(300, text, sizeof text);
    cr_expect_str_empty(text);
}
