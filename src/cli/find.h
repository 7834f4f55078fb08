/*
 * find.h - tickets and experts as people name them.
 */
#pragma once

#include "err.h"
#include "pg.h"
#include "ticket.h"

#include <stdbool.h>

struct ticket_name {
    bool is_id; /* else ref is set */
    char ref[TICKET_REF_LEN + 1];
};

/* A reference in any spelling, or an id. ERR_FATAL EXIT_CONFIG with a hint when it is neither. */
int find_ticket_name(const char *text, struct ticket_name *ret, struct err *reterr);

enum { EXPERT_NAME_MAX = 256 };
struct expert_name {
    int32_t id;
    char name[EXPERT_NAME_MAX];
};

/* An expert's number, name, or a part of the name that only one has. ERR_FATAL: nobody (with a
 * did-you-mean), or several. The session needs find_stmts. */
#define FIND_STMTS                                                                                 \
    {"expert_find", sql_expert_find, 2, false},                                                    \
    {                                                                                              \
        "expert_names", sql_expert_names, 0, false                                                 \
    }
int find_expert(struct pg *pg, const char *text, struct expert_name *ret, struct err *reterr);
