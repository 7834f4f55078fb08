#include "roster.h"

#include "candidates.h"
#include "mem.h"
#include "roster_types.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_ITEMS_MAX = 65535 };

const struct span span_always = {INT64_MIN, INT64_MAX};
const struct span span_never = {INT64_MAX, INT64_MAX};

/* Skills, and areas behind them, are one block: of 100,000 experts two would be 3 MiB more. */
_Static_assert(sizeof(struct skill_level) == sizeof(uint32_t), "one block of both");

uint32_t *expert_areas(const struct expert *e)
{
    return (uint32_t *)(void *)(e->skills + e->n_skills);
}

static void free_expert(struct expert *e)
{
    free(e->skills);
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
    while (e->n_skills < LIST_ITEMS_MAX && names_next(&list, &item, &size)) {
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
    while (e->n_areas < LIST_ITEMS_MAX && names_next(&list, &item, &size)) {
        e->skills = mem_resize(e->skills, (size_t)e->n_skills + e->n_areas + 1, sizeof *e->skills);
        expert_areas(e)[e->n_areas++] = names_put(&r->prefixes, item, size);
        if (size > r->prefix_max)
            r->prefix_max = size;
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
           (!a->skills || memcmp(a->skills, b->skills,
                                 ((size_t)a->n_skills + a->n_areas) * sizeof *a->skills) == 0);
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
    fresh.n_skills = fresh.n_areas = 0;
    fresh.taken = was ? was->taken : 0;
    fresh.woken = was && was->woken;
    fresh.held = was && was->held;
    fresh.locked = was && was->locked;
    read_skills(r, &fresh, skills);
    read_areas(r, &fresh, areas);
    bool same = was && same_facts(was, &fresh);
    uint32_t slot = was ? (uint32_t)(was - r->experts) : new_slot(r, facts->id);
    if (was && !same) {
        candidates_index(r, slot, -1);
        candidates_leave_areas(r, slot);
    }
    if (was)
        free_expert(was);
    r->experts[slot] = fresh;
    if (!same) {
        candidates_index(r, slot, 1);
        candidates_join_areas(r, slot);
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
    candidates_index(r, slot, -1);
    candidates_leave_areas(r, slot);
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
