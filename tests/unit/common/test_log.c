#include "log.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *line(const char *event, const struct log_field *f, size_t n)
{
    static char buf[4096];
    log_format_line(buf, sizeof buf, LOG_WARN, event, f, n);
    const char *at = strstr(buf, "msg=");
    cr_assert_not_null(at);
    return at;
}

Test(log, values_are_quoted_only_when_needed)
{
    struct log_field f[] = {F_STR("topic", "squad.tickets"), F_STR("why", "no such \"thing\""),
                            F_INT("rows", -3), F_DBL("ms", 1.5), F_STR("none", NULL)};
    cr_assert_str_eq(line("x", f, 5),
                     "msg=x topic=squad.tickets why=\"no such \\\"thing\\\"\" rows=-3 ms=1.500 "
                     "none=\"\"");
}

Test(log, input_can_not_forge_a_line)
{
    struct log_field f[] = {F_STR("v", "a\nlevel=error\x1b[0m\x7f")};
    cr_assert_str_eq(line("two words", f, 1),
                     "msg=\"two words\" v=\"a\\nlevel=error\\x1b[0m\\x7f\"");
}

Test(log, a_long_line_is_cut_not_overrun)
{
    char small[64];
    size_t n = log_format_line(small, sizeof small, LOG_ERROR,
                               "something that is long enough to be cut", NULL, 0);
    cr_assert_eq(n, sizeof small - 1);
    cr_assert_eq(strlen(small), n);
}
