#include "choose.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_excluded(const struct wish *wish, int32_t id)
{
    for (size_t i = 0; i < wish->n_excluded; i++)
        if (wish->excluded[i] == id)
            return true;
    return false;
}

static bool is_better(const struct expert *a, const struct expert *b)
{
    if (a->load + a->taken != b->load + b->taken)
        return a->load + a->taken < b->load + b->taken;
    if (a->idle_since_us != b->idle_since_us)
        return a->idle_since_us < b->idle_since_us;
    return a->id < b->id;
}

void choose(struct roster *roster, const struct wish *wish, bool held_only, struct choice *ret)
{
    const struct candidates *set = roster_candidates(roster, wish->type, wish->area);
    *ret = (struct choice){.experts = (int32_t)roster->n,
                           .inactive = set->inactive,
                           .area = set->area,
                           .skill = set->skill};
    for (uint32_t i = 0; i < set->n; i++) {
        struct expert *e = &roster->experts[set->experts[i]];
        if (is_excluded(wish, e->id)) {
            ret->excluded++;
        } else if (!expert_free(e)) {
            ret->capacity++;
        } else {
            ret->fit++;
            if ((e->held || !held_only) && (!ret->expert || is_better(e, ret->expert)))
                ret->expert = e;
        }
    }
}

void choice_why(const struct choice *c, int64_t now_us, char ret[CHOICE_TEXT_MAX])
{
    int64_t idle_us = now_us - c->expert->idle_since_us;
    snprintf(ret, CHOICE_TEXT_MAX,
             "{\"experts\":%" PRId32 ",\"fit\":%" PRId32 ",\"load\":%" PRId32 ",\"idle_s\":%" PRId64
             "}",
             c->experts, c->fit, c->expert->load + c->expert->taken,
             idle_us > 0 ? idle_us / 1000000 : 0);
}

void choice_reason(const struct choice *c, char ret[CHOICE_TEXT_MAX])
{
    snprintf(ret, CHOICE_TEXT_MAX,
             "{\"experts\":%" PRId32 ",\"inactive\":%" PRId32 ",\"area\":%" PRId32
             ",\"skill\":%" PRId32 ",\"excluded\":%" PRId32 ",\"capacity\":%" PRId32 "}",
             c->experts, c->inactive, c->area, c->skill, c->excluded, c->capacity);
}
