/*
 * command.h - the subcommands of squad as rows of a table.
 *
 * A command declares its options, operands and examples; command_main finds
 * it, parses, serves --help and turns the result into an exit code. Commands
 * print facts on stdout, and everything else on stderr.
 */
#pragma once

#include "err.h"
#include "opt.h"

#include <stddef.h>

struct command {
    const char *name;     /* one word or two, as "ticket show" */
    const char *summary;  /* one line */
    const char *operands; /* as "REF"; NULL: none */
    int n_operands;       /* exactly so many */
    const char *examples; /* lines */
    const struct opt *opts;
    size_t n_opts;
    size_t conf_size; /* of the struct that opts fills; begins with struct conf_common */
    /* Returns an exit code, or -1 with *reterr set. */
    int (*run)(const void *conf, char *const *operands, struct err *reterr);
};

/* --json of a command whose configuration T has a bool json. */
#define OPT_JSON(T)                                                                                \
    {                                                                                              \
        .name = "json", .type = OPT_BOOL, .offset = offsetof(T, json), .help = "print JSON"        \
    }

extern const struct command migrate_command, topics_command, seed_command, status_command,
    show_command, verify_command, why_command, board_command, expert_list_command,
    expert_show_command, expert_status_command, expert_skills_command, expert_areas_command,
    expert_capacity_command, expert_week_command, expert_shifts_command, expert_absence_command,
    expert_back_command, client_add_command, client_rotate_command, client_revoke_command,
    client_list_command, client_change_command, ticket_release_command, ticket_quarantined_command;

/* Runs the command that argv names. Returns the exit code of the process. */
int command_main(const struct command *const *commands, size_t n, int argc, char **argv);

/* Moves options before operands, as opt_parse wants them: `show REF --json` is
 * `show --json -- REF`. out has room for argc + 2 pointers; returns the new count. */
int command_permute(const struct command *command, int argc, char *const *argv, char **out);
