/*
 * roster.h - the experts in memory, and what is kept beside them: types of tickets and places
 * (roster_types.h), who may take which (candidates.h), the best of those (shortlist.h).
 *
 * Plain data that choose() decides on; knows neither PostgreSQL nor Kafka. It may be behind the
 * database by a moment: whatever is chosen is checked there. Experts keep their slot in the array;
 * the index of those who may take a type of ticket in an area follows every change.
 */
#pragma once

#include "geo.h"
#include "names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRIORITIES = 5, IMPORTANCES = 3 };

struct skill_level {
    uint16_t skill;     /* number in roster.skills */
    uint8_t level;      /* 1 to 5 */
    uint8_t importance; /* of a requirement: 0 never dropped, 3 dropped first */
};

/* From (inclusive) to (exclusive), in microseconds since 1970. */
struct span {
    int64_t from_us, to_us;
};
extern const struct span span_always, span_never;

struct expert {
    int32_t id;      /* 0: the slot is empty */
    int32_t version; /* of squad.expert: rises with every change but of load and position */
    int32_t load, capacity;
    int32_t taken; /* slots planned but not committed */
    int64_t idle_since_us;
    struct span shift;   /* the present or next one; span_always, span_never */
    struct span absence; /* the present or next one; span_never */
    struct point position, home;
    int64_t position_us; /* when the expert was there */
    bool active : 1, available : 1;
    bool woken : 1;  /* may have room for waiting tickets */
    bool held : 1;   /* locked in the transaction at hand */
    bool locked : 1; /* somebody else holds his rows: chosen for nobody */
    uint16_t n_skills, n_areas;
    struct skill_level *skills; /* owned; behind them in the same block are the areas */
};

/* n_areas numbers in roster.prefixes. Borrowed. */
uint32_t *expert_areas(const struct expert *expert);

/* Experts who have one prefix among their areas. */
struct members {
    uint32_t *slots; /* owned */
    size_t n, cap;
};

struct ticket_type;
struct candidates;
struct shortlist;

/* How many changes for the better are remembered; and sets of fewer experts are looked at whole. */
enum { BETTER_MAX = 4096, SHORT_FROM = 64 };

struct roster {
    struct expert *experts; /* owned; slots */
    size_t n_slots, cap;
    size_t n;           /* experts */
    int32_t n_inactive; /* of them */
    uint32_t *by_id;    /* owned: slots, sorted by id */
    size_t by_id_cap;
    uint32_t *free_slots; /* owned */
    size_t n_free, free_cap;
    struct members *members; /* owned; by number in prefixes */
    size_t n_members;
    uint32_t *marks; /* owned; by slot: last round that saw it */
    size_t n_marks;
    uint32_t round;
    size_t n_woken;                  /* experts marked woken */
    int64_t ticked_us, next_tick_us; /* see roster_tick */
    int64_t clock_us;                /* how far the database's clock is ahead of ours */
    bool types_changed;              /* since the owner took note of it */
    struct names skills, prefixes, type_names;
    struct ticket_type *types;                         /* owned; by number in type_names */
    int64_t relax_us[PRIORITIES + 1][IMPORTANCES + 1]; /* age at which an importance is dropped */
    int64_t position_max_age_us;
    struct names place_names;     /* prefixes of postcodes */
    struct point *places;         /* owned; by number in place_names */
    struct names keys;            /* of the candidates below */
    struct candidates *sets;      /* owned; by number in keys */
    struct names short_keys;      /* of the shortlists, see shortlist.h */
    struct shortlist *shortlists; /* owned; by number in short_keys */
    uint32_t short_from;          /* for tests: instead of SHORT_FROM; 0: that */
    uint32_t better[BETTER_MAX];  /* slots of experts who may have got better, a ring */
    uint64_t n_better;            /* ever */
    size_t prefix_max;            /* length of the longest prefix */
    size_t place_max;             /* length of the longest prefix of a place */
    uint64_t types_digest;        /* of the rows that the types were made of */
};

/* Frees all that it owns; it can be used again. A zeroed roster is an empty one. */
void roster_free(struct roster *roster);

/* Adds an expert or replaces it. skills as "tv:3,internet:2", areas as "280,281". taken and woken
 * stay as they were. Pointers to experts stay valid until one is added. */
struct expert *roster_put(struct roster *roster, const struct expert *facts, const char *skills,
                          const char *areas);

/* Who is not there is not missed. */
void roster_remove(struct roster *roster, int32_t id);

/* Borrowed until an expert is added; NULL: nobody has this number. */
struct expert *roster_find(struct roster *roster, int32_t id);

/* Marks an expert who may have room for waiting tickets, or takes the mark away. */
void roster_wake(struct roster *roster, struct expert *expert, bool woken);

/* Whoever makes an expert better by any objective or filter (a slot freed, idle since another time,
 * another place), by more than the functions here do, says so. */
void roster_better(struct roster *roster, const struct expert *expert);

/* Free slots, 0 at least: capacity less load and what is planned; 0 when not active and available.
 */
int32_t expert_free(const struct expert *expert);

/* A new shift and absence; woken stays as it is. */
void roster_set_times(struct roster *roster, struct expert *expert, struct span shift,
                      struct span absence);

/* Marks those woken whose shift has begun or whose absence has ended since the last call. Returns
 * the ids (owned) of those whose shift is over or whose absence has begun or ended: what comes next
 * is not known here. */
size_t roster_tick(struct roster *roster, int64_t now_us, int32_t **ret_ids);
