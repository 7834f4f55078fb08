/*
 * expert_set.h - what the commands that change an expert share.
 */
#pragma once

#include "command.h"
#include "find.h"

struct set_conf {
    struct conf_common common;
    const char *reason, *zone;
};

#define SET_OPTS_BASE OPT_COMMON_BASE(struct set_conf)

/* Defines a command of these. */
#define SET_COMMAND(variable, words, what, takes, n, shown, rows, function)                        \
    const struct command variable = {                                                              \
        .name = words,                                                                             \
        .summary = what,                                                                           \
        .operands = takes,                                                                         \
        .n_operands = n,                                                                           \
        .examples = shown,                                                                         \
        .opts = rows,                                                                              \
        .n_opts = sizeof rows / sizeof *rows,                                                      \
        .conf_size = sizeof(struct set_conf),                                                      \
        .run = function,                                                                           \
    }

/* Runs stmt, whose first parameter is the expert's number (params are the others), and gives its
 * first value; null is an error: no such expert. What it answers other than "changed" becomes an
 * error by these rows. */
struct set_problem {
    const char *outcome, *text;
};
int set_run(struct pg *pg, const struct expert_name *expert, const char *stmt,
            const char *const *values, size_t n, const struct set_problem *problems,
            struct err *reterr);

/* The list that an operand is, for set_next; empty when it says "none". An operand without an item,
 * as an unset variable gives, is an error, and the result NULL. */
const char *set_list(const char *operand, struct err *reterr);

/* One item of a list separated by commas, blanks around it cut; false at the end. */
bool set_next(const char **list, char *ret, size_t size);
