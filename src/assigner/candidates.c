#include "candidates.h"

#include "mem.h"
#include "shortlist.h"

#include <stdlib.h>
#include <string.h>

enum {
    AREA_MAX = 16,   /* CHECK of squad.expert_area and squad.ticket */
    SETS_MAX = 8192, /* then the sets are made anew */
};

/* Numbers of the prefixes that an area matches, shortest first. */
static size_t match_prefixes(const struct roster *r, const char *area, uint32_t ret[AREA_MAX])
{
    size_t n = 0, len = strlen(area);
    for (size_t size = 1; size <= len && size <= r->prefix_max && n < AREA_MAX; size++) {
        int64_t prefix = names_find(&r->prefixes, area, size);
        if (prefix != NAMES_NONE)
            ret[n++] = (uint32_t)prefix;
    }
    return n;
}

static bool serves(const struct expert *e, const uint32_t *prefixes, size_t n)
{
    for (size_t i = 0; i < e->n_areas; i++)
        for (size_t k = 0; k < n; k++)
            if (expert_areas(e)[i] == prefixes[k])
                return true;
    return false;
}

bool expert_serves(const struct roster *r, const struct expert *e, const char *area)
{
    uint32_t prefixes[AREA_MAX];
    return serves(e, prefixes, match_prefixes(r, area, prefixes));
}

int expert_surplus(const struct expert *e, const struct ticket_type *type, int dropped)
{
    int surplus = 0;
    for (size_t i = 0; i < type->n_needs; i++) {
        const struct skill_level *need = &type->needs[i];
        size_t k = 0;
        if (need->importance && need->importance >= dropped)
            continue;
        while (k < e->n_skills && e->skills[k].skill != need->skill)
            k++;
        if (k == e->n_skills || e->skills[k].level < need->level)
            return -1;
        surplus += e->skills[k].level - need->level;
    }
    return surplus;
}

static uint32_t place_in(const struct candidates *set, uint32_t slot)
{
    uint32_t low = 0, high = set->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (set->experts[mid] < slot)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t candidates_find(const struct candidates *set, uint32_t slot)
{
    uint32_t at = place_in(set, slot);
    return at < set->n && set->experts[at] == slot ? at : CANDIDATES_NONE;
}

static void set_insert(struct candidates *set, uint32_t at, uint32_t slot, int surplus)
{
    if (set->n == set->cap) {
        set->cap = set->cap ? set->cap + set->cap / 2 + 1 : 4;
        set->experts = mem_resize(set->experts, set->cap, sizeof *set->experts);
        set->surplus = mem_resize(set->surplus, set->cap, sizeof *set->surplus);
    }
    memmove(&set->experts[at + 1], &set->experts[at], (set->n - at) * sizeof *set->experts);
    memmove(&set->surplus[at + 1], &set->surplus[at], (set->n - at) * sizeof *set->surplus);
    set->experts[at] = slot;
    set->surplus[at] = (uint16_t)surplus;
    set->n++;
}

static void set_remove(struct candidates *set, uint32_t at)
{
    set->n--;
    memmove(&set->experts[at], &set->experts[at + 1], (set->n - at) * sizeof *set->experts);
    memmove(&set->surplus[at], &set->surplus[at + 1], (set->n - at) * sizeof *set->surplus);
}

void candidates_index(struct roster *r, uint32_t slot, int sign)
{
    const struct expert *e = &r->experts[slot];
    if (!e->active) {
        r->n_inactive += sign;
        return;
    }
    for (uint32_t i = 0; i < r->keys.n; i++) {
        struct candidates *set = &r->sets[i];
        if (!serves(e, set->prefixes, set->n_prefixes))
            continue;
        set->in_area += (uint32_t)sign;
        int surplus = expert_surplus(e, &r->types[set->type], set->dropped);
        if (surplus < 0)
            continue;
        uint32_t at = place_in(set, slot);
        if (sign > 0)
            set_insert(set, at, slot, surplus);
        else
            set_remove(set, at);
    }
}

void candidates_join_areas(struct roster *r, uint32_t slot)
{
    const struct expert *e = &r->experts[slot];
    if (r->prefixes.n > r->n_members) {
        r->members = mem_resize(r->members, r->prefixes.n, sizeof *r->members);
        memset(&r->members[r->n_members], 0, (r->prefixes.n - r->n_members) * sizeof *r->members);
        r->n_members = r->prefixes.n;
    }
    for (size_t i = 0; i < e->n_areas; i++) {
        struct members *m = &r->members[expert_areas(e)[i]];
        m->slots = mem_room(m->slots, m->n, &m->cap, sizeof *m->slots);
        m->slots[m->n++] = slot;
    }
}

void candidates_leave_areas(struct roster *r, uint32_t slot)
{
    const struct expert *e = &r->experts[slot];
    for (size_t i = 0; i < e->n_areas; i++) {
        struct members *m = &r->members[expert_areas(e)[i]];
        for (size_t k = 0; k < m->n; k++)
            if (m->slots[k] == slot) {
                m->slots[k] = m->slots[--m->n];
                break;
            }
    }
}

void candidates_forget(struct roster *r)
{
    for (uint32_t i = 0; i < r->keys.n; i++) {
        free(r->sets[i].experts);
        free(r->sets[i].surplus);
        free(r->sets[i].prefixes);
    }
    free(r->sets);
    r->sets = NULL;
    names_clear(&r->keys);
    roster_forget_shortlists(r);
}

/* A round of marks, so that an expert who matches two prefixes is counted once. */
static uint32_t new_round(struct roster *r)
{
    if (r->n_marks < r->n_slots || r->round == UINT32_MAX) {
        r->marks = mem_resize(r->marks, r->n_slots, sizeof *r->marks);
        memset(r->marks, 0, r->n_slots * sizeof *r->marks);
        r->n_marks = r->n_slots;
        r->round = 0;
    }
    return ++r->round;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void fill(struct roster *r, struct candidates *set)
{
    uint32_t round = new_round(r);
    for (size_t p = 0; p < set->n_prefixes; p++) {
        const struct members *m = &r->members[set->prefixes[p]];
        for (size_t i = 0; i < m->n; i++) {
            uint32_t slot = m->slots[i];
            const struct expert *e = &r->experts[slot];
            if (r->marks[slot] == round || !e->active)
                continue;
            r->marks[slot] = round;
            set->in_area++;
            if (expert_surplus(e, &r->types[set->type], set->dropped) >= 0)
                set_insert(set, set->n, slot, 0);
        }
    }
    if (set->n)
        qsort(set->experts, set->n, sizeof *set->experts, by_number);
    for (uint32_t i = 0; i < set->n; i++)
        set->surplus[i] = (uint16_t)expert_surplus(&r->experts[set->experts[i]],
                                                   &r->types[set->type], set->dropped);
}

const struct candidates *roster_candidates(struct roster *r, const struct ticket_type *type,
                                           int dropped, const char *area)
{
    /* Key: the type's number, what is dropped, then the prefixes that match, shortest first. */
    uint32_t key[AREA_MAX + 2] = {(uint32_t)(type - r->types), (uint32_t)dropped};
    size_t n = match_prefixes(r, area, key + 2);
    if (r->keys.n >= SETS_MAX)
        candidates_forget(r);
    uint32_t before = r->keys.n;
    uint32_t number = names_put(&r->keys, key, (n + 2) * sizeof *key);
    if (number == before) {
        r->sets = mem_resize(r->sets, (size_t)before + 1, sizeof *r->sets);
        struct candidates *set = &r->sets[number];
        *set = (struct candidates){.type = key[0], .dropped = dropped, .n_prefixes = n};
        set->prefixes = mem_resize(NULL, n ? n : 1, sizeof *set->prefixes);
        memcpy(set->prefixes, key + 2, n * sizeof *key);
        fill(r, set);
    }
    return &r->sets[number];
}
