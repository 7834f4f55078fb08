#include "command.h"

#include "log.h"
#include "out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS_MAX = 32 };

static void print_error(const char *program, const struct err *err)
{
    out_progress_end();
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", program, err->text);
    if (err->hint[0])
        fprintf(stderr, "%s\n", err->hint);
}

static void help(const struct command *const *commands, size_t n, FILE *out)
{
    fprintf(out, "squad: the operator's command\n\nusage: squad COMMAND [option ...]\n\n");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  %-15s  %s\n", commands[i]->name, commands[i]->summary);
    fprintf(
        out,
        "\n  squad COMMAND --help says more; squad --version shows the version.\n"
        "\nexamples:\n"
        "  squad migrate && squad topics && squad seed   # from nothing to a small company\n"
        "  squad status                                  # one screen: what waits, and where\n"
        "  squad board                                   # what waits, who has what, who is off\n"
        "  squad why 4V7QK-9XW2M                         # why a ticket waits, and what would wake "
        "it\n"
        "  squad ticket show 4V7QK-9XW2M                 # one ticket's way, step by step\n"
        "  squad verify --wait 60                        # prove that nothing was lost\n");
}

static struct opt_set opt_set_of(const struct command *c, char *program, size_t size)
{
    snprintf(program, size, "squad %s", c->name);
    return (struct opt_set){.program = program,
                            .summary = c->summary,
                            .examples = c->examples,
                            .opts = c->opts,
                            .n_opts = c->n_opts,
                            .operands = c->operands};
}

static void markdown(const struct command *const *commands, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char program[64];
        struct opt_set set = opt_set_of(commands[i], program, sizeof program);
        printf("%s### squad %s%s%s\n\n%s\n\n", i ? "\n" : "", commands[i]->name,
               set.operands ? " " : "", set.operands ? set.operands : "", set.summary);
        opt_markdown(&set, stdout);
    }
}

/* The command that the first one or two words name; *ret_words is how many. */
static const struct command *find(const struct command *const *commands, size_t n, int argc,
                                  char *const *argv, int *ret_words)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = commands[i]->name, *blank = strchr(name, ' ');
        size_t first = blank ? (size_t)(blank - name) : strlen(name);
        if (strlen(argv[1]) != first || strncmp(argv[1], name, first) != 0)
            continue;
        if (!blank)
            return *ret_words = 1, commands[i];
        if (argc > 2 && strcmp(argv[2], blank + 1) == 0)
            return *ret_words = 2, commands[i];
    }
    return NULL;
}

static int unknown(const struct command *const *commands, size_t n, int argc, char *const *argv)
{
    const char *names[COMMANDS_MAX];
    char word[128];
    size_t prefix = strlen(argv[1]);
    for (size_t i = 0; i < n && i < COMMANDS_MAX; i++)
        names[i] = commands[i]->name;
    bool two = argc > 2 && argv[2][0] != '-';
    snprintf(word, sizeof word, "%s%s%s", argv[1], two ? " " : "", two ? argv[2] : "");
    const char *near = opt_nearest(word, names, n);
    if (!near)
        near = opt_nearest(argv[1], names, n);
    for (size_t i = 0; i < n && !near; i++)
        if (strncmp(names[i], argv[1], prefix) == 0)
            near = names[i];
    fprintf(stderr, "squad: there is no command \"%s\"\n", word);
    if (near)
        fprintf(stderr, "Did you mean: squad %s?\n", near);
    else
        fprintf(stderr, "squad --help lists the commands.\n");
    return EXIT_CONFIG;
}

static bool takes_value(const struct command *c, const char *arg)
{
    if (strchr(arg, '='))
        return false;
    for (size_t i = 0; i < c->n_opts; i++) {
        const struct opt *o = &c->opts[i];
        if (arg[1] == '-' ? strcmp(arg + 2, o->name) == 0 : o->letter == arg[1] && !arg[2])
            return o->type != OPT_BOOL;
    }
    return false;
}

int command_permute(const struct command *command, int argc, char *const *argv, char **out)
{
    int n = 0, n_operands = 0;
    char **operands = malloc(sizeof *operands * (size_t)(argc + 1));
    if (!operands)
        abort();
    out[n++] = argv[0];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                operands[n_operands++] = argv[i];
        } else if (argv[i][0] == '-' && argv[i][1]) {
            out[n++] = argv[i];
            if (takes_value(command, argv[i]) && i + 1 < argc)
                out[n++] = argv[++i];
        } else {
            operands[n_operands++] = argv[i];
        }
    }
    if (n_operands) {
        static char dashes[] = "--";
        out[n++] = dashes;
        memcpy(out + n, operands, sizeof *operands * (size_t)n_operands);
        n += n_operands;
    }
    free(operands);
    out[n] = NULL;
    return n;
}

static int check_operands(const struct command *c, int n, struct err *reterr)
{
    if (n == c->n_operands)
        return 0;
    if (n < c->n_operands)
        err_fatal(reterr, EXIT_CONFIG, "%s is missing", c->operands);
    else
        err_fatal(reterr, EXIT_CONFIG, "%d operands given, it takes %d", n, c->n_operands);
    return err_hint(reterr, "squad %s --help says more.", c->name);
}

/* A service that is away, or ended our session in the middle: the command has found nothing out. */
static enum exit_code exit_code_of(const struct err *err)
{
    if (err->kind == ERR_RETRY)
        return err->code ? EXIT_KAFKA : EXIT_DATABASE;
    return err->exit_code ? err->exit_code : EXIT_FOUND;
}

/* A full disk behind `squad client rotate NAME > FILE` has lost the key. */
static int flush_output(struct err *reterr)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return err_fatal(reterr, EXIT_FOUND, "could not write all of the output");
}

static int run(const struct command *c, int argc, char **argv)
{
    char program[64];
    struct opt_set set = opt_set_of(c, program, sizeof program);
    char **args = calloc((size_t)argc + 2, sizeof *args);
    struct conf_common *common = calloc(1, c->conf_size);
    struct err err = {0};
    int code = EXIT_OK, first = 0;
    if (!args || !common)
        abort();
    int n = command_permute(c, argc, argv, args);
    int failed = opt_parse(&set, n, args, common, &first, &err);
    if (common->help)
        opt_help(&set, stdout);
    else if (common->version)
        printf("squad %s\n", SQUAD_VERSION);
    else if (common->help_markdown)
        opt_markdown(&set, stdout);
    else if (failed || check_operands(c, n - first, &err))
        code = -1;
    else {
        log_init("squad", (enum log_level)common->log_level, (enum log_format)common->log_format);
        code = c->run(common, args + first, &err);
        if (code >= 0 && flush_output(&err))
            code = -1;
    }
    if (code < 0) {
        print_error(program, &err);
        code = (int)exit_code_of(&err);
    }
    free(args);
    free(common);
    return code;
}

int command_main(const struct command *const *commands, size_t n, int argc, char **argv)
{
    int words = 0;
    log_init("squad", LOG_WARN, LOG_AUTO);
    if (argc < 2) {
        help(commands, n, stderr);
        return EXIT_CONFIG;
    }
    bool asks = strcmp(argv[1], "help") == 0;
    if (asks && argc > 2) { /* squad help CMD */
        const struct command *c = find(commands, n, argc - 1, argv + 1, &words);
        char flag[] = "--help", *args[] = {argv[0], flag, NULL};
        return c ? run(c, 2, args) : unknown(commands, n, argc - 1, argv + 1);
    }
    if (asks || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(commands, n, stdout), EXIT_OK;
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return printf("squad %s\n", SQUAD_VERSION), EXIT_OK;
    if (strcmp(argv[1], "--help-markdown") == 0)
        return markdown(commands, n), EXIT_OK;
    const struct command *c = find(commands, n, argc, argv, &words);
    if (!c)
        return unknown(commands, n, argc, argv);
    return run(c, argc - words, argv + words);
}
