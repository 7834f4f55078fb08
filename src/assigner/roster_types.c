#include "roster_types.h"

#include "candidates.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum { HOUR_S = 3600 };

const char *const objective_names[OBJECTIVES] = {
    [OBJECTIVE_STICKY] = "sticky",       [OBJECTIVE_LOAD] = "load",
    [OBJECTIVE_SKILL_FIT] = "skill_fit", [OBJECTIVE_DISTANCE] = "distance",
    [OBJECTIVE_IDLE] = "idle",
};

void roster_clear_types(struct roster *r)
{
    candidates_forget(r);
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

void roster_set_objectives(struct ticket_type *t, const char *list)
{
    const char *item;
    size_t size;
    t->n_objectives = 0;
    while (t->n_objectives < OBJECTIVES && names_next(&list, &item, &size))
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
