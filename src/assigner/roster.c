#include "roster.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    AREA_MAX = 16,   /* CHECK of squad.expert_area and squad.ticket */
    SETS_MAX = 8192, /* then the sets are made anew */
    LIST_ITEMS_MAX = 65535,
};

static void forget_sets(struct roster *r)
{
    for (uint32_t i = 0; i < r->keys.n; i++)
        free(r->sets[i].experts);
    free(r->sets);
    r->sets = NULL;
    names_clear(&r->keys);
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
    r->types = NULL;
    names_clear(&r->type_names);
}

void roster_free(struct roster *r)
{
    roster_clear_types(r);
    for (size_t i = 0; i < r->n; i++)
        free_expert(&r->experts[i]);
    free(r->experts);
    names_clear(&r->skills);
    names_clear(&r->prefixes);
    *r = (struct roster){0};
}

void roster_add_type(struct roster *r, const char *type, int priority)
{
    uint32_t before = r->type_names.n;
    uint32_t number = names_put(&r->type_names, type, strlen(type));
    if (number < before)
        return;
    r->types = mem_resize(r->types, (size_t)before + 1, sizeof *r->types);
    r->types[number] = (struct ticket_type){.priority = (int16_t)priority};
}

void roster_add_need(struct roster *r, const char *type, const char *skill, int min_level)
{
    int64_t number = names_find(&r->type_names, type, strlen(type));
    if (number == NAMES_NONE)
        return;
    struct ticket_type *t = &r->types[number];
    t->needs = mem_resize(t->needs, (size_t)t->n_needs + 1, sizeof *t->needs);
    t->needs[t->n_needs++] =
        (struct skill_level){.skill = (uint16_t)names_put(&r->skills, skill, strlen(skill)),
                             .level = (uint8_t)min_level};
}

const struct ticket_type *roster_type(const struct roster *r, const char *type)
{
    int64_t number = names_find(&r->type_names, type, strlen(type));
    return number == NAMES_NONE ? NULL : &r->types[number];
}

/* Index of the first expert whose id is not below. */
static size_t lower_bound(const struct roster *r, int32_t id)
{
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->experts[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct expert *roster_find(struct roster *r, int32_t id)
{
    size_t i = lower_bound(r, id);
    return i < r->n && r->experts[i].id == id ? &r->experts[i] : NULL;
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

struct expert *roster_put(struct roster *r, const struct expert *facts, const char *skills,
                          const char *areas)
{
    struct expert fresh = *facts;
    fresh.skills = NULL;
    fresh.areas = NULL;
    fresh.n_skills = fresh.n_areas = 0;
    read_skills(r, &fresh, skills);
    read_areas(r, &fresh, areas);
    forget_sets(r);
    size_t i = lower_bound(r, facts->id);
    if (i < r->n && r->experts[i].id == facts->id) {
        fresh.taken = r->experts[i].taken;
        fresh.woken = r->experts[i].woken;
        free_expert(&r->experts[i]);
    } else {
        r->experts = mem_room(r->experts, r->n, &r->cap, sizeof *r->experts);
        memmove(&r->experts[i + 1], &r->experts[i], (r->n - i) * sizeof *r->experts);
        r->n++;
        fresh.taken = 0;
        fresh.woken = false;
    }
    r->experts[i] = fresh;
    return &r->experts[i];
}

void roster_remove(struct roster *r, int32_t id)
{
    size_t i = lower_bound(r, id);
    if (i == r->n || r->experts[i].id != id)
        return;
    forget_sets(r);
    free_expert(&r->experts[i]);
    r->n--;
    memmove(&r->experts[i], &r->experts[i + 1], (r->n - i) * sizeof *r->experts);
}

int32_t expert_free(const struct expert *e)
{
    int32_t n = e->capacity - e->load - e->taken;
    return e->active && n > 0 ? n : 0;
}

static bool serves(const struct expert *e, const uint32_t *prefixes, size_t n)
{
    for (size_t i = 0; i < e->n_areas; i++)
        for (size_t k = 0; k < n; k++)
            if (e->areas[i] == prefixes[k])
                return true;
    return false;
}

static bool can(const struct expert *e, const struct ticket_type *type)
{
    for (size_t i = 0; i < type->n_needs; i++) {
        size_t k = 0;
        while (k < e->n_skills && (e->skills[k].skill != type->needs[i].skill ||
                                   e->skills[k].level < type->needs[i].level))
            k++;
        if (k == e->n_skills)
            return false;
    }
    return true;
}

static void fill(const struct roster *r, struct candidates *set, const struct ticket_type *type,
                 const uint32_t *prefixes, size_t n)
{
    set->experts = mem_resize(NULL, r->n, sizeof *set->experts);
    for (size_t i = 0; i < r->n; i++) {
        const struct expert *e = &r->experts[i];
        if (!e->active)
            set->inactive++;
        else if (!serves(e, prefixes, n))
            set->area++;
        else if (!can(e, type))
            set->skill++;
        else
            set->experts[set->n++] = (uint32_t)i;
    }
    set->experts = mem_resize(set->experts, set->n, sizeof *set->experts);
}

const struct candidates *roster_candidates(struct roster *r, const struct ticket_type *type,
                                           const char *area)
{
    /* Key: the type's number, then the prefixes that match, shortest first. */
    uint32_t key[AREA_MAX + 1];
    size_t n = 1, len = strlen(area);
    key[0] = (uint32_t)(type - r->types);
    for (size_t size = 1; size <= len && size <= r->prefix_max && n <= AREA_MAX; size++) {
        int64_t prefix = names_find(&r->prefixes, area, size);
        if (prefix != NAMES_NONE)
            key[n++] = (uint32_t)prefix;
    }
    if (r->keys.n >= SETS_MAX)
        forget_sets(r);
    uint32_t before = r->keys.n;
    uint32_t number = names_put(&r->keys, key, n * sizeof *key);
    if (number == before) {
        r->sets = mem_resize(r->sets, (size_t)before + 1, sizeof *r->sets);
        r->sets[number] = (struct candidates){0};
        fill(r, &r->sets[number], type, key + 1, n - 1);
    }
    return &r->sets[number];
}
