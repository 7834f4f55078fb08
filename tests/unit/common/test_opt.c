#include "log.h"
#include "opt.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct conf {
    struct conf_common common;
    long batch_max;
    const char *listen;
};

static const struct opt opts[] = {
    OPT_COMMON(struct conf),
    {.name = "batch-max",
     .env = "SQUAD_BATCH_MAX",
     .type = OPT_INT,
     .offset = offsetof(struct conf, batch_max),
     .def = "256",
     .min = 1,
     .max = 512,
     .help = "tickets in one commit"},
    {.name = "listen",
     .env = "SQUAD_LISTEN",
     .type = OPT_STR,
     .offset = offsetof(struct conf, listen),
     .def = "127.0.0.1:8080",
     .help = "address"},
};
static const struct opt_set set = {.program = "squad-test",
                                   .summary = "a test",
                                   .opts = opts,
                                   .n_opts = sizeof opts / sizeof *opts};

static int parse(struct conf *c, struct err *e, int argc, const char **argv)
{
    int index;
    *c = (struct conf){0};
    return opt_parse(&set, argc, (char *const *)(void *)argv, c, &index, e);
}
#define PARSE(c, e, ...)                                                                           \
    parse((c), (e), (int)(sizeof((const char *[]){"t", ##__VA_ARGS__}) / sizeof(char *)),          \
          (const char *[]){"t", ##__VA_ARGS__, NULL})

Test(opt, defaults_then_environment_then_flag)
{
    struct conf c;
    struct err e = {0};
    cr_assert_eq(PARSE(&c, &e), 0);
    cr_assert_eq(c.batch_max, 256);
    cr_assert_str_eq(c.common.topic_prefix, "squad");
    cr_assert_eq(c.common.log_level, LOG_INFO);
    setenv("SQUAD_BATCH_MAX", "7", 1);
    cr_assert_eq(PARSE(&c, &e), 0);
    cr_assert_eq(c.batch_max, 7);
    cr_assert_eq(PARSE(&c, &e, "--batch-max=8", "--drain"), 0);
    cr_assert_eq(c.batch_max, 8);
    cr_assert(c.common.drain);
}

Test(opt, a_wrong_value_names_its_origin_and_the_rule)
{
    struct conf c;
    struct err e = {0};
    cr_assert_eq(PARSE(&c, &e, "--batch-max", "513"), -1);
    cr_assert_str_eq(e.text, "--batch-max is \"513\": it must be a whole number from 1 to 512");
    cr_assert_eq(e.exit_code, EXIT_CONFIG);
    setenv("SQUAD_BATCH_MAX", "many", 1);
    cr_assert_eq(PARSE(&c, &e), -1);
    cr_assert_str_eq(e.text,
                     "SQUAD_BATCH_MAX is \"many\": it must be a whole number from 1 to 512");
    unsetenv("SQUAD_BATCH_MAX");
    cr_assert_eq(PARSE(&c, &e, "--log-level=loud"), -1);
    cr_assert_str_eq(e.text, "--log-level is \"loud\": it must be one of debug, info, warn, error");
}

Test(opt, an_unknown_flag_gets_a_suggestion)
{
    struct conf c;
    struct err e = {0};
    cr_assert_eq(PARSE(&c, &e, "--lisen=x"), -1);
    cr_assert_str_eq(e.text, "there is no option --lisen=x");
    cr_assert_eq(PARSE(&c, &e, "--lisen"), -1);
    cr_assert_str_eq(e.hint, "Did you mean --listen?");
    cr_assert_eq(PARSE(&c, &e, "--listen"), -1);
    cr_assert_eq(PARSE(&c, &e, "operand"), -1);
}

Test(opt, a_list_is_repeated_or_separated_by_blanks)
{
    struct conf c;
    struct err e = {0};
    cr_assert_eq(PARSE(&c, &e, "-X", "a=1", "-Xb=2"), 0);
    cr_assert_eq(c.common.kafka_x.n, 2);
    cr_assert_str_eq(c.common.kafka_x.item[1], "b=2");
    setenv("SQUAD_KAFKA_OPTIONS", "c=3 d=4", 1);
    cr_assert_eq(PARSE(&c, &e), 0);
    cr_assert_eq(c.common.kafka_x.n, 2);
    cr_assert_str_eq(c.common.kafka_x.item[0], "c=3");
    unsetenv("SQUAD_KAFKA_OPTIONS");
}

Test(opt, every_row_is_in_the_help)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    opt_help(&set, f);
    fclose(f);
    for (size_t i = 0; i < set.n_opts; i++) {
        cr_assert_not_null(strstr(text, opts[i].name), "%s", opts[i].name);
        cr_assert_not_null(strstr(text, opts[i].help), "%s", opts[i].name);
    }
    free(text);
}
