/*
 * state.h - states and transitions of tickets, assignments and notices.
 *
 * The same rows are in squad.state and squad.transition (sql/migrations), which triggers enforce; a
 * test holds them equal. So a program asks here what the database will allow, instead of listing
 * states of its own: the assigner, which tickets may get an expert; intake, which states there are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum state_entity { STATE_TICKET, STATE_ASSIGNMENT, STATE_NOTICE };

struct state {
    enum state_entity entity;
    const char *name;
    bool live;
};

struct transition {
    enum state_entity entity;
    const char *from, *to;
};

extern const struct state state_table[];
extern const size_t state_count;
extern const struct transition transition_table[];
extern const size_t transition_count;

const char *state_entity_name(enum state_entity entity); /* ticket, assignment, notice */

/* There is a state of this name. */
bool state_known(enum state_entity entity, const char *name);

/* The database allows the change. False for a state that there is not, and for no change at all. */
bool state_may_change(enum state_entity entity, const char *from, const char *to);
