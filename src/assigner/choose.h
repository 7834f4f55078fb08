/*
 * choose.h - which expert gets a ticket. Pure: time is an input, nothing is
 * read but the roster. Two layers: a filter passes or fails and has a name, an
 * objective only orders those who pass all filters.
 *
 * Filters, in the order in which they remove: active; area (a prefix of the
 * postcode); skill (every requirement that is not dropped yet, with its level);
 * shift (on shift now, and until the job would end); absent; presence
 * (available); excluded from this ticket; capacity. Each expert is counted once,
 * under the first filter that removes it.
 *
 * Objectives, in the order that the type of the ticket says; the first that
 * differs decides, the lowest number when none does:
 *   sticky     the expert who did the customer's last job, while that counts
 *   load       least load / capacity
 *   skill_fit  priority 1 and 2: most surplus of levels; 3 to 5: least surplus
 *   distance   fewest whole kilometres from the last position, or home when
 *              that is too old; unknown is farthest
 *   idle       longest since a job was completed
 */
#pragma once

#include "candidates.h"

enum filter {
    FILTER_ACTIVE,
    FILTER_AREA,
    FILTER_SKILL,
    FILTER_SHIFT,
    FILTER_ABSENT,
    FILTER_PRESENCE,
    FILTER_EXCLUDED,
    FILTER_CAPACITY,
    FILTERS
};

/* As in dispatch.parked: inactive, area, skill, shift, absent, presence, excluded, capacity. */
extern const char *const filter_names[FILTERS];

struct wish {
    const struct ticket_type *type;
    int priority;            /* of the ticket; 0: the type's */
    const char *area;        /* postcode */
    int64_t routable_us;     /* requirements are dropped counted from here */
    int64_t now_us;          /* microseconds since 1970, as all times here */
    int32_t sticky;          /* expert who did the customer's last job; 0: none */
    const int32_t *excluded; /* experts not to be asked; sorted; may be NULL */
    size_t n_excluded;
    bool yields; /* leaves experts marked woken to the tickets that wait: they count as fit */
};

enum { RIVALS_MAX = 3 };

/* Someone else who would have done, and what decided against. */
struct rival {
    int32_t expert;
    enum objective by; /* OBJECTIVES: the number alone */
};

struct choice {
    struct expert *expert; /* borrowed; NULL: nobody */
    int32_t experts;       /* considered */
    int32_t able;          /* active, in the area, with the skills */
    bool counted; /* all were looked at: what follows is known; always when nobody is chosen */
    int32_t removed[FILTERS];
    int32_t fit;     /* left over, whether or not it could be chosen now */
    int32_t yielded; /* of them left to the tickets that wait, or locked by somebody else */
    int n_rivals;
    struct rival rivals[RIVALS_MAX]; /* the next best, best first */
};

/* held_only: only experts that the transaction at hand has locked can be chosen; fit counts all. */
void choose(struct roster *roster, const struct wish *wish, bool held_only,
            struct choice *ret_choice);

/* Up to n (<= OFFERS_MAX) different experts, best first, for an offer to several at once; returns
 * how many. */
enum { OFFERS_MAX = 5 };
int choose_several(struct roster *roster, const struct wish *wish, bool held_only, int n,
                   struct expert *ret_experts[OFFERS_MAX], struct choice *ret_choice);

/* When the clock alone changes who may take the ticket: the next requirement is dropped. INT64_MAX:
 * never. */
int64_t wish_relaxes_us(const struct roster *roster, const struct wish *wish);

/* The filter that removes an expert, FILTERS when none does. By looking at the expert alone. */
enum filter expert_filter(const struct roster *roster, const struct expert *expert,
                          const struct wish *wish);

enum { CHOICE_TEXT_MAX = 320 };

/* Why this expert, as JSON:
 * {"experts":12,"fit":3,"load":0,"idle_s":532,"rivals":[{"expert":7,"by":"load"}]}; "able" instead
 * of "fit" when not all were looked at. Call before the slot is counted in taken. */
void choice_why(const struct choice *choice, int64_t now_us, char ret[CHOICE_TEXT_MAX]);

/* Why nobody: {"experts":12,"inactive":1,"area":8,"skill":2,"shift":0,...,"capacity":1}. */
void choice_reason(const struct choice *choice, char ret[CHOICE_TEXT_MAX]);
