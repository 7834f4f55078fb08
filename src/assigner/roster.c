#include "roster.h"

#include "mem.h"
#include "shortlist.h"

#include <stdlib.h>
#include <string.h>

enum {
    AREA_MAX = 16,   /* CHECK of squad.expert_area and squad.ticket */
    SETS_MAX = 8192, /* then the sets are made anew */
    LIST_ITEMS_MAX = 65535,
    HOUR_S = 3600,
};

const char *const objective_names[OBJECTIVES] = {
    [OBJECTIVE_STICKY] = "sticky",       [OBJECTIVE_LOAD] = "load",
    [OBJECTIVE_SKILL_FIT] = "skill_fit", [OBJECTIVE_DISTANCE] = "distance",
    [OBJECTIVE_IDLE] = "idle",
};
const struct span span_always = {INT64_MIN, INT64_MAX};
const struct span span_never = {INT64_MAX, INT64_MAX};

static void forget_sets(struct roster *r)
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

static void free_expert(struct expert *e)
{
    free(e->skills);
    free(e->areas);
}

void roster_clear_types(struct roster *r)
{
    forget_sets(r);
    for (uint32_t i = 0; i < r->type_names.n; i++)
        free(r->types[i].needs);
    free(r->types);
    free(r->places);
    r->types = NULL;
    r->places = NULL;
    r->place_max = 0;
    names_clear(&r->type_names);
    names_clear(&r->place_names);
}

void roster_free(struct roster *r)
{
    roster_clear_types(r);
    for (size_t i = 0; i < r->n_slots; i++)
        free_expert(&r->experts[i]);
    for (size_t i = 0; i < r->n_members; i++)
        free(r->members[i].slots);
    free(r->experts);
    free(r->by_id);
    free(r->free_slots);
    free(r->members);
    free(r->marks);
    names_clear(&r->skills);
    names_clear(&r->prefixes);
    *r = (struct roster){0};
}

struct ticket_type *roster_add_type(struct roster *r, const char *type, int priority)
{
    uint32_t before = r->type_names.n;
    uint32_t number = names_put(&r->type_names, type, strlen(type));
    if (number < before)
        return &r->types[number];
    r->types = mem_resize(r->types, (size_t)before + 1, sizeof *r->types);
    struct ticket_type *t = &r->types[number];
    *t = (struct ticket_type){.priority = (int16_t)priority,
                              .duration_us = HOUR_S * INT64_C(1000000),
                              .offers_max = 1,
                              .n_objectives = OBJECTIVES};
    for (int i = 0; i < OBJECTIVES; i++)
        t->objectives[i] = (enum objective)i;
    return t;
}

void roster_add_need(struct roster *r, const char *type, const char *skill, int min_level,
                     int importance)
{
    struct ticket_type *t = roster_type(r, type);
    if (!t)
        return;
    t->needs = mem_resize(t->needs, (size_t)t->n_needs + 1, sizeof *t->needs);
    t->needs[t->n_needs++] =
        (struct skill_level){.skill = (uint16_t)names_put(&r->skills, skill, strlen(skill)),
                             .level = (uint8_t)min_level,
                             .importance = (uint8_t)importance};
}

struct ticket_type *roster_type(const struct roster *r, const char *type)
{
    int64_t number = names_find(&r->type_names, type, strlen(type));
    return number == NAMES_NONE ? NULL : &r->types[number];
}

/* Next item of a list separated by commas; false at its end. */
static bool next_item(const char **list, const char **ret_item, size_t *ret_size)
{
    if (!**list)
        return false;
    *ret_item = *list;
    *ret_size = strcspn(*list, ",");
    *list += *ret_size;
    if (**list == ',')
        ++*list;
    return true;
}

void roster_set_objectives(struct ticket_type *t, const char *list)
{
    const char *item;
    size_t size;
    t->n_objectives = 0;
    while (t->n_objectives < OBJECTIVES && next_item(&list, &item, &size))
        for (int i = 0; i < OBJECTIVES; i++)
            if (strlen(objective_names[i]) == size && memcmp(objective_names[i], item, size) == 0)
                t->objectives[t->n_objectives++] = (enum objective)i;
}

void roster_add_place(struct roster *r, const char *prefix, struct point point)
{
    size_t size = strlen(prefix);
    uint32_t number = names_put(&r->place_names, prefix, size);
    r->places = mem_resize(r->places, r->place_names.n, sizeof *r->places);
    r->places[number] = point;
    if (size > r->place_max)
        r->place_max = size;
}

struct point roster_place(const struct roster *r, const char *area)
{
    size_t size = strnlen(area, r->place_max);
    for (; size > 0; size--) {
        int64_t number = names_find(&r->place_names, area, size);
        if (number != NAMES_NONE)
            return r->places[number];
    }
    return point_unknown;
}

/* Place in by_id of the first expert whose id is not below. */
static size_t lower_bound(const struct roster *r, int32_t id)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->experts[r->by_id[mid]].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct expert *roster_find(struct roster *r, int32_t id)
{
    size_t i = lower_bound(r, id);
    return i < r->n && r->experts[r->by_id[i]].id == id ? &r->experts[r->by_id[i]] : NULL;
}

static void read_skills(struct roster *r, struct expert *e, const char *list)
{
    const char *item;
    size_t size;
    while (e->n_skills < LIST_ITEMS_MAX && next_item(&list, &item, &size)) {
        const char *colon = memchr(item, ':', size);
        if (!colon)
            continue;
        e->skills = mem_resize(e->skills, (size_t)e->n_skills + 1, sizeof *e->skills);
        e->skills[e->n_skills++] = (struct skill_level){
            .skill = (uint16_t)names_put(&r->skills, item, (size_t)(colon - item)),
            .level = (uint8_t)atoi(colon + 1)};
    }
}

static void read_areas(struct roster *r, struct expert *e, const char *list)
{
    const char *item;
    size_t size;
    while (e->n_areas < LIST_ITEMS_MAX && next_item(&list, &item, &size)) {
        e->areas = mem_resize(e->areas, (size_t)e->n_areas + 1, sizeof *e->areas);
        e->areas[e->n_areas++] = names_put(&r->prefixes, item, size);
        if (size > r->prefix_max)
            r->prefix_max = size;
    }
}

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
            if (e->areas[i] == prefixes[k])
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

int roster_dropped(const struct roster *r, const struct ticket_type *type, int priority,
                   int64_t age_us)
{
    int dropped = IMPORTANCES + 1, used = IMPORTANCES + 1;
    while (dropped > 1 && r->relax_us[priority][dropped - 1] <= age_us)
        dropped--;
    /* The least that makes a difference, so that equal sets are one. */
    for (size_t i = 0; i < type->n_needs; i++)
        if (type->needs[i].importance >= dropped && type->needs[i].importance < used)
            used = type->needs[i].importance;
    return used;
}

/* Index of the sets: who is in which. */
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

/* Takes an expert out of every set (sign -1), or puts him in (+1). */
static void index_expert(struct roster *r, uint32_t slot, int sign)
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

static void join_areas(struct roster *r, uint32_t slot)
{
    const struct expert *e = &r->experts[slot];
    if (r->prefixes.n > r->n_members) {
        r->members = mem_resize(r->members, r->prefixes.n, sizeof *r->members);
        memset(&r->members[r->n_members], 0, (r->prefixes.n - r->n_members) * sizeof *r->members);
        r->n_members = r->prefixes.n;
    }
    for (size_t i = 0; i < e->n_areas; i++) {
        struct members *m = &r->members[e->areas[i]];
        m->slots = mem_room(m->slots, m->n, &m->cap, sizeof *m->slots);
        m->slots[m->n++] = slot;
    }
}

static void leave_areas(struct roster *r, uint32_t slot)
{
    const struct expert *e = &r->experts[slot];
    for (size_t i = 0; i < e->n_areas; i++) {
        struct members *m = &r->members[e->areas[i]];
        for (size_t k = 0; k < m->n; k++)
            if (m->slots[k] == slot) {
                m->slots[k] = m->slots[--m->n];
                break;
            }
    }
}

static uint32_t new_slot(struct roster *r, int32_t id)
{
    uint32_t slot;
    if (r->n_free) {
        slot = r->free_slots[--r->n_free];
    } else {
        r->experts = mem_room(r->experts, r->n_slots, &r->cap, sizeof *r->experts);
        slot = (uint32_t)r->n_slots++;
    }
    size_t at = lower_bound(r, id);
    r->by_id = mem_room(r->by_id, r->n, &r->by_id_cap, sizeof *r->by_id);
    memmove(&r->by_id[at + 1], &r->by_id[at], (r->n - at) * sizeof *r->by_id);
    r->by_id[at] = slot;
    r->n++;
    return slot;
}

static bool same_facts(const struct expert *a, const struct expert *b)
{
    return a->active == b->active && a->n_skills == b->n_skills && a->n_areas == b->n_areas &&
           (!a->skills || !b->skills ||
            memcmp(a->skills, b->skills, a->n_skills * sizeof *a->skills) == 0) &&
           (!a->areas || !b->areas ||
            memcmp(a->areas, b->areas, a->n_areas * sizeof *a->areas) == 0);
}

static void tick_at(struct roster *r, int64_t at_us, int64_t now_us)
{
    if (at_us > now_us && at_us < r->next_tick_us)
        r->next_tick_us = at_us;
}

void roster_set_times(struct roster *r, struct expert *e, struct span shift, struct span absence)
{
    e->shift = shift;
    e->absence = absence;
    roster_better(r, e);
    tick_at(r, shift.from_us, r->ticked_us);
    tick_at(r, shift.to_us, r->ticked_us);
    tick_at(r, absence.from_us, r->ticked_us);
    tick_at(r, absence.to_us, r->ticked_us);
}

struct expert *roster_put(struct roster *r, const struct expert *facts, const char *skills,
                          const char *areas)
{
    struct expert fresh = *facts, *was = roster_find(r, facts->id);
    fresh.skills = NULL;
    fresh.areas = NULL;
    fresh.n_skills = fresh.n_areas = 0;
    fresh.taken = was ? was->taken : 0;
    fresh.woken = was && was->woken;
    fresh.held = was && was->held;
    read_skills(r, &fresh, skills);
    read_areas(r, &fresh, areas);
    bool same = was && same_facts(was, &fresh);
    uint32_t slot = was ? (uint32_t)(was - r->experts) : new_slot(r, facts->id);
    if (was && !same) {
        index_expert(r, slot, -1);
        leave_areas(r, slot);
    }
    if (was)
        free_expert(was);
    r->experts[slot] = fresh;
    if (!same) {
        index_expert(r, slot, 1);
        join_areas(r, slot);
    }
    roster_set_times(r, &r->experts[slot], fresh.shift, fresh.absence);
    return &r->experts[slot];
}

void roster_remove(struct roster *r, int32_t id)
{
    size_t at = lower_bound(r, id);
    if (at == r->n || r->experts[r->by_id[at]].id != id)
        return;
    uint32_t slot = r->by_id[at];
    index_expert(r, slot, -1);
    leave_areas(r, slot);
    roster_wake(r, &r->experts[slot], false);
    free_expert(&r->experts[slot]);
    r->experts[slot] = (struct expert){0};
    r->n--;
    memmove(&r->by_id[at], &r->by_id[at + 1], (r->n - at) * sizeof *r->by_id);
    r->free_slots = mem_room(r->free_slots, r->n_free, &r->free_cap, sizeof *r->free_slots);
    r->free_slots[r->n_free++] = slot;
}

void roster_wake(struct roster *r, struct expert *e, bool woken)
{
    r->n_woken += (size_t)woken - (size_t)e->woken;
    e->woken = woken;
    if (woken)
        roster_better(r, e);
}

void roster_better(struct roster *r, const struct expert *e)
{
    r->better[r->n_better++ % BETTER_MAX] = (uint32_t)(e - r->experts);
}

int32_t expert_free(const struct expert *e)
{
    int32_t n = e->capacity - e->load - e->taken;
    return e->active && e->available && n > 0 ? n : 0;
}

size_t roster_tick(struct roster *r, int64_t now_us, int32_t **ret_ids)
{
    size_t n = 0, cap = 0;
    *ret_ids = NULL;
    if (now_us < r->next_tick_us)
        return 0;
    r->next_tick_us = INT64_MAX;
    for (size_t i = 0; i < r->n; i++) {
        struct expert *e = &r->experts[r->by_id[i]];
        bool over = e->shift.to_us <= now_us || e->absence.to_us <= now_us ||
                    (e->absence.from_us > r->ticked_us && e->absence.from_us <= now_us);
        if (e->shift.from_us > r->ticked_us && e->shift.from_us <= now_us)
            roster_wake(r, e, true);
        tick_at(r, e->shift.from_us, now_us);
        tick_at(r, e->shift.to_us, now_us);
        tick_at(r, e->absence.from_us, now_us);
        tick_at(r, e->absence.to_us, now_us);
        if (over) {
            *ret_ids = mem_room(*ret_ids, n, &cap, sizeof **ret_ids);
            (*ret_ids)[n++] = e->id;
            if (e->absence.to_us <= now_us)
                roster_wake(r, e, true);
        }
    }
    r->ticked_us = now_us;
    return n;
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
        forget_sets(r);
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
