#include "choose.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const filter_names[FILTERS] = {
    [FILTER_ACTIVE] = "inactive",   [FILTER_AREA] = "area",         [FILTER_SKILL] = "skill",
    [FILTER_SHIFT] = "shift",       [FILTER_ABSENT] = "absent",     [FILTER_PRESENCE] = "presence",
    [FILTER_EXCLUDED] = "excluded", [FILTER_CAPACITY] = "capacity",
};

/* An expert who passes all filters, and what the objectives need to know of him. */
struct rank {
    struct expert *expert;
    int32_t surplus; /* levels above what is needed */
    int32_t km;      /* UNKNOWN_KM: not looked at yet */
};

enum { UNKNOWN_KM = -1, FARTHEST_KM = INT32_MAX, KEEP_MAX = OFFERS_MAX + RIVALS_MAX };

struct contest {
    const struct roster *roster;
    const struct wish *wish;
    struct point place;
    bool place_looked_up;
    size_t n, keep;
    struct rank best[KEEP_MAX]; /* best first */
};

static bool is_excluded(const struct wish *wish, int32_t id)
{
    size_t low = 0, high = wish->n_excluded;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (wish->excluded[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < wish->n_excluded && wish->excluded[low] == id;
}

/* The filters that the index does not know. */
static enum filter moving_filter(const struct expert *e, const struct wish *wish)
{
    int64_t end_us = wish->now_us + wish->type->duration_us;
    if (e->shift.from_us > wish->now_us || e->shift.to_us < end_us)
        return FILTER_SHIFT;
    if (e->absence.from_us < end_us && e->absence.to_us > wish->now_us)
        return FILTER_ABSENT;
    if (!e->available)
        return FILTER_PRESENCE;
    if (wish->n_excluded && is_excluded(wish, e->id))
        return FILTER_EXCLUDED;
    return expert_free(e) ? FILTERS : FILTER_CAPACITY;
}

static int32_t km_of(struct contest *c, struct rank *r)
{
    const struct expert *e = r->expert;
    if (r->km != UNKNOWN_KM)
        return r->km;
    if (!c->place_looked_up)
        c->place = roster_place(c->roster, c->wish->area);
    c->place_looked_up = true;
    bool fresh = point_known(e->position) &&
                 c->wish->now_us - e->position_us <= c->roster->position_max_age_us;
    struct point from = fresh ? e->position : e->home;
    r->km = point_known(from) && point_known(c->place) ? distance_km(from, c->place) : FARTHEST_KM;
    return r->km;
}

static int order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Below 0: a is better. */
static int compare_by(struct contest *c, enum objective by, struct rank *a, struct rank *b)
{
    const struct expert *x = a->expert, *y = b->expert;
    switch (by) {
    case OBJECTIVE_STICKY:
        return (y->id == c->wish->sticky) - (x->id == c->wish->sticky);
    case OBJECTIVE_LOAD:
        return order_of((int64_t)(x->load + x->taken) * y->capacity,
                        (int64_t)(y->load + y->taken) * x->capacity);
    case OBJECTIVE_SKILL_FIT:
        return c->wish->type->priority <= 2 ? b->surplus - a->surplus : a->surplus - b->surplus;
    case OBJECTIVE_DISTANCE:
        return order_of(km_of(c, a), km_of(c, b));
    case OBJECTIVE_IDLE:
        return order_of(x->idle_since_us, y->idle_since_us);
    case OBJECTIVES:
        break;
    }
    return order_of(x->id, y->id);
}

static int compare(struct contest *c, struct rank *a, struct rank *b, enum objective *ret_by)
{
    for (int i = 0; i < c->wish->type->n_objectives; i++) {
        *ret_by = c->wish->type->objectives[i];
        int order = compare_by(c, *ret_by, a, b);
        if (order)
            return order;
    }
    *ret_by = OBJECTIVES;
    return compare_by(c, OBJECTIVES, a, b);
}

static void enter(struct contest *c, struct rank r)
{
    enum objective by;
    if (c->n == c->keep && compare(c, &r, &c->best[c->n - 1], &by) > 0)
        return;
    size_t i = c->n < c->keep ? c->n++ : c->n - 1;
    for (; i > 0 && compare(c, &r, &c->best[i - 1], &by) < 0; i--)
        c->best[i] = c->best[i - 1];
    c->best[i] = r;
}

static void run_contest(struct contest *c, struct roster *roster, bool held_only,
                        struct choice *ret)
{
    const struct wish *wish = c->wish;
    int dropped = roster_dropped(roster, wish->type, wish->now_us - wish->routable_us);
    const struct candidates *set = roster_candidates(roster, wish->type, dropped, wish->area);
    int32_t active = (int32_t)roster->n - roster->n_inactive;
    *ret = (struct choice){.experts = (int32_t)roster->n};
    ret->removed[FILTER_ACTIVE] = roster->n_inactive;
    ret->removed[FILTER_AREA] = active - (int32_t)set->in_area;
    ret->removed[FILTER_SKILL] = (int32_t)(set->in_area - set->n);
    for (uint32_t i = 0; i < set->n; i++) {
        struct expert *e = &roster->experts[set->experts[i]];
        enum filter f = moving_filter(e, wish);
        if (f != FILTERS) {
            ret->removed[f]++;
            continue;
        }
        ret->fit++;
        if (wish->yields && e->woken) {
            ret->yielded++;
            continue;
        }
        if (held_only && !e->held)
            continue;
        enter(c, (struct rank){.expert = e, .surplus = set->surplus[i], .km = UNKNOWN_KM});
    }
}

int choose_several(struct roster *roster, const struct wish *wish, bool held_only, int n,
                   struct expert *ret_experts[OFFERS_MAX], struct choice *ret)
{
    struct contest c = {.roster = roster, .wish = wish, .keep = (size_t)n + RIVALS_MAX};
    run_contest(&c, roster, held_only, ret);
    int taken = c.n < (size_t)n ? (int)c.n : n;
    for (int i = 0; i < taken; i++)
        ret_experts[i] = c.best[i].expert;
    ret->expert = taken ? c.best[0].expert : NULL;
    for (size_t i = (size_t)taken; i < c.n; i++) {
        struct rival *r = &ret->rivals[ret->n_rivals++];
        r->expert = c.best[i].expert->id;
        compare(&c, &c.best[taken - 1], &c.best[i], &r->by);
    }
    return taken;
}

void choose(struct roster *roster, const struct wish *wish, bool held_only, struct choice *ret)
{
    struct expert *one[OFFERS_MAX];
    choose_several(roster, wish, held_only, 1, one, ret);
}

int64_t wish_relaxes_us(const struct roster *roster, const struct wish *wish)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < wish->type->n_needs; i++) {
        uint8_t importance = wish->type->needs[i].importance;
        if (!importance)
            continue;
        int64_t at = wish->routable_us + roster->relax_us[wish->type->priority][importance];
        if (at > wish->now_us && at < next)
            next = at;
    }
    return next;
}

enum filter expert_filter(const struct roster *roster, const struct expert *e,
                          const struct wish *wish)
{
    int dropped = roster_dropped(roster, wish->type, wish->now_us - wish->routable_us);
    if (!e->active)
        return FILTER_ACTIVE;
    if (!expert_serves(roster, e, wish->area))
        return FILTER_AREA;
    if (expert_surplus(e, wish->type, dropped) < 0)
        return FILTER_SKILL;
    return moving_filter(e, wish);
}

void choice_why(const struct choice *c, int64_t now_us, char ret[CHOICE_TEXT_MAX])
{
    int64_t idle_us = now_us - c->expert->idle_since_us;
    int n = snprintf(ret, CHOICE_TEXT_MAX,
                     "{\"experts\":%" PRId32 ",\"fit\":%" PRId32 ",\"load\":%" PRId32
                     ",\"idle_s\":%" PRId64,
                     c->experts, c->fit, c->expert->load + c->expert->taken,
                     idle_us > 0 ? idle_us / 1000000 : 0);
    for (int i = 0; i < c->n_rivals; i++)
        n += snprintf(ret + n, (size_t)(CHOICE_TEXT_MAX - n),
                      "%s{\"expert\":%" PRId32 ",\"by\":\"%s\"}", i ? "," : ",\"rivals\":[",
                      c->rivals[i].expert,
                      c->rivals[i].by == OBJECTIVES ? "number" : objective_names[c->rivals[i].by]);
    snprintf(ret + n, (size_t)(CHOICE_TEXT_MAX - n), "%s", c->n_rivals ? "]}" : "}");
}

void choice_reason(const struct choice *c, char ret[CHOICE_TEXT_MAX])
{
    int n = snprintf(ret, CHOICE_TEXT_MAX, "{\"experts\":%" PRId32, c->experts);
    for (int f = 0; f < FILTERS; f++)
        n += snprintf(ret + n, (size_t)(CHOICE_TEXT_MAX - n), ",\"%s\":%" PRId32, filter_names[f],
                      c->removed[f]);
    snprintf(ret + n, (size_t)(CHOICE_TEXT_MAX - n), "}");
}
