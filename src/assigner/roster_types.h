/*
 * roster_types.h - what the company has set up: types of tickets and what they need, places, and
 * when requirements are dropped. Few rows, made anew as a whole when one of them has changed.
 */
#pragma once

#include "roster.h"

enum objective {
    OBJECTIVE_STICKY,
    OBJECTIVE_LOAD,
    OBJECTIVE_SKILL_FIT,
    OBJECTIVE_DISTANCE,
    OBJECTIVE_IDLE,
    OBJECTIVES
};
extern const char *const objective_names[OBJECTIVES]; /* sticky, load, ... as in ticket_type */

struct ticket_type {
    int16_t priority; /* 1 first */
    uint16_t n_needs;
    struct skill_level *needs; /* owned: least levels */
    int64_t duration_us;
    int offers_max; /* experts asked at once when it has waited or is past due */
    int n_objectives;
    enum objective objectives[OBJECTIVES];
};

/* Forgets the types, places and times, and the candidates with them; then each one is added again.
 */
void roster_clear_types(struct roster *roster);

/* The type, a new one when there was none: with the objectives sticky, load, skill_fit, distance,
 * idle, an hour of work and one offer at a time. Borrowed until a type is added. */
struct ticket_type *roster_add_type(struct roster *roster, const char *type, int priority);

/* One more skill that a type needs at least at min_level. An unknown type is passed over. */
void roster_add_need(struct roster *roster, const char *type, const char *skill, int min_level,
                     int importance);

/* Its objectives in their order, as "sticky,load"; what is none is passed over. */
void roster_set_objectives(struct ticket_type *type, const char *list);

/* Where the postcodes are that begin with prefix. */
void roster_add_place(struct roster *roster, const char *prefix, struct point point);

/* Borrowed until a type is added; NULL: an unknown one. */
struct ticket_type *roster_type(const struct roster *roster, const char *type);

/* Where an area is, by its longest known beginning; point_unknown: none is known. */
struct point roster_place(const struct roster *roster, const char *area);

/* Importance from which on requirements of a type are dropped at an age; IMPORTANCES + 1: none. */
int roster_dropped(const struct roster *roster, const struct ticket_type *type, int priority,
                   int64_t age_us);
