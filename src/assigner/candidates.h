/*
 * candidates.h - who may take tickets of a type in an area: the index of the roster's experts by
 * what changes seldom. It is made as it is asked for, and follows every change of an expert.
 */
#pragma once

#include "roster_types.h"

/* Who may take tickets of one type, with the same requirements dropped, in the areas that match the
 * same prefixes; whatever shift, presence and load. */
struct candidates {
    uint32_t n, cap;
    uint32_t *experts; /* owned: slots in roster.experts, sorted */
    uint16_t *surplus; /* owned: levels of each above what is needed */
    uint32_t in_area;  /* active experts who serve the area, with the skills or not */
    uint32_t type;     /* number in type_names */
    int dropped;       /* requirements of this importance or more; IMPORTANCES + 1: none */
    size_t n_prefixes;
    uint32_t *prefixes; /* owned */
};

/* One of his areas is a beginning of this one. */
bool expert_serves(const struct roster *roster, const struct expert *expert, const char *area);

/* Levels above what is needed, summed up; below 0: lacks a requirement. */
int expert_surplus(const struct expert *expert, const struct ticket_type *type, int dropped);

#define CANDIDATES_NONE UINT32_MAX
/* Place of an expert's slot in a set, or CANDIDATES_NONE. */
uint32_t candidates_find(const struct candidates *set, uint32_t slot);

/* Borrowed until the roster changes; made at the first call. dropped as roster_dropped() has it. */
const struct candidates *roster_candidates(struct roster *roster, const struct ticket_type *type,
                                           int dropped, const char *area);

/* For roster.c, which changes experts: takes one out of every set (sign -1), or puts him in (+1).
 */
void candidates_index(struct roster *roster, uint32_t slot, int sign);

/* Likewise of the lists of who has which prefix. */
void candidates_join_areas(struct roster *roster, uint32_t slot);
void candidates_leave_areas(struct roster *roster, uint32_t slot);

/* Forgets all sets, and the shortlists made of them. */
void candidates_forget(struct roster *roster);
