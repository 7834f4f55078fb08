/*
 * roster.h - the experts and the types of tickets, in memory.
 *
 * Plain data that choose() decides on; knows neither PostgreSQL nor Kafka. It
 * may be behind the database by a moment: whatever is chosen is checked there.
 */
#pragma once

#include "names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skill_level {
    uint16_t skill; /* number in roster.skills */
    uint8_t level;  /* 1 to 5 */
};

struct expert {
    int32_t id;
    int32_t version; /* of squad.expert: rises with every change but of load */
    int32_t load, capacity;
    int32_t taken; /* slots planned but not committed */
    int64_t idle_since_us;
    bool active;
    bool woken; /* may have room for waiting tickets */
    bool held;  /* locked in the transaction at hand */
    uint16_t n_skills, n_areas;
    struct skill_level *skills; /* owned */
    uint32_t *areas;            /* owned: numbers in roster.prefixes */
};

struct ticket_type {
    int16_t priority; /* 1 first */
    uint16_t n_needs;
    struct skill_level *needs; /* owned: least levels */
};

/* Who may take tickets of one type in the areas that match the same prefixes, whatever the load. */
struct candidates {
    uint32_t n;
    uint32_t *experts;             /* owned: indexes in roster.experts */
    int32_t inactive, area, skill; /* removed by each filter, in this order */
};

struct roster {
    struct expert *experts; /* owned, sorted by id */
    size_t n, cap;
    struct names skills, prefixes, type_names;
    struct ticket_type *types; /* owned; by number in type_names */
    struct names keys;         /* of the candidates below */
    struct candidates *sets;   /* owned; by number in keys */
    size_t prefix_max;         /* length of the longest prefix */
    uint64_t types_digest;     /* of the rows that the types were made of */
};

void roster_free(struct roster *roster);

/* Forgets the types; then add each one and what it needs. */
void roster_clear_types(struct roster *roster);
void roster_add_type(struct roster *roster, const char *type, int priority);
void roster_add_need(struct roster *roster, const char *type, const char *skill, int min_level);
const struct ticket_type *roster_type(const struct roster *roster, const char *type); /* or NULL */

/* Adds an expert or replaces it. skills as "tv:3,internet:2", areas as "280,281". taken and woken
 * stay as they were. */
struct expert *roster_put(struct roster *roster, const struct expert *facts, const char *skills,
                          const char *areas);
void roster_remove(struct roster *roster, int32_t id);
struct expert *roster_find(struct roster *roster, int32_t id); /* or NULL */

/* Free slots, 0 at least: capacity less load and what is planned; 0 when not active. */
int32_t expert_free(const struct expert *expert);

/* Borrowed until the roster changes; made at the first call. */
const struct candidates *roster_candidates(struct roster *roster, const struct ticket_type *type,
                                           const char *area);
