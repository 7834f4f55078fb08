/*
 * choose.h - which expert gets a ticket. Pure: filters say why somebody does
 * not, the rank only orders those who are left.
 *
 * Filters, in this order: active, area, skill with level, not tried in vain a
 * moment ago, capacity. Rank: least load, then longest idle, then lowest id.
 */
#pragma once

#include "roster.h"

struct wish {
    const struct ticket_type *type;
    const char *area;        /* postcode */
    const int32_t *excluded; /* experts who could not be told of this ticket; may be NULL */
    size_t n_excluded;
};

struct choice {
    struct expert *expert;                             /* borrowed; NULL: nobody */
    int32_t experts;                                   /* considered */
    int32_t inactive, area, skill, excluded, capacity; /* removed by each filter */
    int32_t fit;                                       /* left over */
};

/* held_only: only experts that the transaction at hand has locked can be chosen; fit counts all. */
void choose(struct roster *roster, const struct wish *wish, bool held_only,
            struct choice *ret_choice);

enum { CHOICE_TEXT_MAX = 192 };

/* Why this expert, as JSON: {"experts":12,"fit":3,"load":0,"idle_s":532}. Call before the slot is
 * counted in taken. */
void choice_why(const struct choice *choice, int64_t now_us, char ret[CHOICE_TEXT_MAX]);

/* Why nobody: {"experts":12,"inactive":1,"area":8,"skill":2,"excluded":0,"capacity":1}. */
void choice_reason(const struct choice *choice, char ret[CHOICE_TEXT_MAX]);
