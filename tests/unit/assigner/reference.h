/*
 * reference.h - a slow version of choose() that is obviously right: one pass over all experts,
 * everything written out, on plain data of its own and no index. And random rosters for both:
 * small, so that ties are common, with changes that the program's index must follow.
 *
 * SQUAD_SEED repeats a run; tests print the seed when a case fails.
 */
#pragma once

#include "batch.h"

enum { SKILLS = 4, EXPERTS = 24, TYPES = 5, AREAS_EACH = 2, PREFIXES = 7, AREAS = 6, PLACES = 4 };

extern const char *const areas[AREAS], *const names[TYPES];

struct model_expert {
    struct expert facts; /* without skills and areas */
    int level[SKILLS];
    const char *areas[AREAS_EACH];
    int n_areas;
    bool there;
};

struct model_need {
    int skill, level, importance;
};

struct model_type {
    int priority, n_needs, n_objectives;
    struct model_need needs[2];
    int64_t duration_us;
    enum objective objectives[OBJECTIVES];
};

extern uint64_t seed;
extern int64_t clock_us;
extern struct model_expert model[EXPERTS + 1]; /* by id */
extern struct model_type types[TYPES];
extern struct roster roster; /* the program's, of the same experts */

/* Begins the random numbers, from SQUAD_SEED or the clock. */
void model_begin(void);

/* Below n, from splitmix64. */
int pick(int n);

/* Random types, places and times, in both. */
void model_make_types(void);

/* A random expert of this number, in both; he replaces the one who was there. */
void model_put(int id);

/* Changes something about an expert, in both. */
void model_change(void);

/* The first filter that removes the expert; FILTERS: none. */
enum filter slow_filter(const struct model_expert *expert, const struct model_type *type,
                        const struct wish *wish);

struct slow {
    int removed[FILTERS], fit, yielded, n;
    const struct model_expert *best[EXPERTS + 1]; /* best first */
};

/* held_only as choose() has it. */
struct slow slow_choose(const struct model_type *type, const struct wish *wish, bool held_only);

/* True: x is better than y, by *ret. */
bool beats(const struct model_expert *x, const struct model_expert *y,
           const struct model_type *type, const struct wish *wish, enum objective *ret);
