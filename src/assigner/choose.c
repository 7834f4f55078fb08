#include "choose.h"

#include "shortlist.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const filter_names[FILTERS] = {
    [FILTER_ACTIVE] = "inactive",   [FILTER_AREA] = "area",         [FILTER_SKILL] = "skill",
    [FILTER_SHIFT] = "shift",       [FILTER_ABSENT] = "absent",     [FILTER_PRESENCE] = "presence",
    [FILTER_EXCLUDED] = "excluded", [FILTER_CAPACITY] = "capacity",
};

enum { KEEP_MAX = OFFERS_MAX + RIVALS_MAX, ASIDE_MAX = 128 };

struct contest {
    struct roster *roster;
    const struct wish *wish;
    const struct candidates *set;
    struct taste taste;
    bool held_only;
    uint32_t n, keep;
    struct rank best[KEEP_MAX]; /* best first */
};

static int priority_of(const struct wish *wish)
{
    return wish->priority ? wish->priority : wish->type->priority;
}

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

static void enter(struct contest *c, const struct rank *r)
{
    enum objective by;
    if (c->n == c->keep && rank_compare(&c->taste, r, &c->best[c->n - 1], &by) > 0)
        return;
    uint32_t i = c->n < c->keep ? c->n++ : c->n - 1;
    for (; i > 0 && rank_compare(&c->taste, r, &c->best[i - 1], &by) < 0; i--)
        c->best[i] = c->best[i - 1];
    c->best[i] = *r;
}

/* Who is woken, or will be by the next tick because the clock has passed the beginning of the shift
 * or the end of the absence since the last one, is first for what waits. Who is locked is
 * nobody's. */
static bool is_left(const struct contest *c, const struct expert *e)
{
    int64_t ticked = c->roster->ticked_us, now = c->wish->now_us;
    if (e->locked)
        return true;
    return c->wish->yields &&
           (e->woken || (ticked && ((e->shift.from_us > ticked && e->shift.from_us <= now) ||
                                    (e->absence.to_us > ticked && e->absence.to_us <= now))));
}

/* Looks at every candidate, and counts. */
static void look_at_all(struct contest *c, struct shortlist *list, const struct taste *plain,
                        struct choice *ret)
{
    for (uint32_t i = 0; i < c->set->n; i++) {
        uint32_t slot = c->set->experts[i];
        const struct expert *e = &c->roster->experts[slot];
        enum filter f = moving_filter(e, c->wish);
        if (list)
            shortlist_add(list, plain, slot, c->set->surplus[i]);
        if (f != FILTERS) {
            ret->removed[f]++;
            continue;
        }
        ret->fit++;
        if (is_left(c, e)) {
            ret->yielded++;
            continue;
        }
        if (c->held_only && !e->held)
            continue;
        struct rank rank = rank_of(&c->taste, slot, c->set->surplus[i]);
        enter(c, &rank);
    }
    ret->counted = true;
}

static bool is_among(const struct rank *ranks, uint32_t n, uint32_t slot)
{
    for (uint32_t i = 0; i < n; i++)
        if (ranks[i].slot == slot)
            return true;
    return false;
}

/* Not for this ticket, or not now: but he stays in the shortlist. */
static bool is_passed_over(const struct contest *c, const struct expert *e)
{
    return (c->wish->n_excluded && is_excluded(c->wish, e->id)) || is_left(c, e);
}

static void enter_sticky(struct contest *c)
{
    const struct expert *e = c->wish->sticky ? roster_find(c->roster, c->wish->sticky) : NULL;
    uint32_t slot = e ? (uint32_t)(e - c->roster->experts) : 0;
    uint32_t at = e ? candidates_find(c->set, slot) : CANDIDATES_NONE;
    if (at == CANDIDATES_NONE || is_passed_over(c, e) ||
        !expert_can_work(e, c->wish->type, c->wish->now_us))
        return;
    struct rank rank = rank_of(&c->taste, slot, c->set->surplus[at]);
    enter(c, &rank);
}

/* False: the shortlist can not say. */
static bool ask_shortlist(struct contest *c, struct shortlist *list, const struct taste *plain)
{
    struct rank aside[ASIDE_MAX], next;
    uint32_t n = 0, others = 0;
    int got = shortlist_ready(list, c->set, plain) ? 1 : -1;
    if (got == 1)
        enter_sticky(c);
    while (got == 1 && others < c->keep) {
        got = n == ASIDE_MAX ? -1 : shortlist_take(list, c->set, plain, &next);
        if (got != 1 || is_among(aside, n, next.slot))
            continue;
        aside[n++] = next;
        const struct expert *e = &c->roster->experts[next.slot];
        if (is_passed_over(c, e) || e->id == c->wish->sticky)
            continue;
        enter(c, &next);
        others++;
    }
    while (n)
        shortlist_give(list, plain, &aside[--n]);
    return got >= 0 && c->n > 0;
}

static void run_contest(struct contest *c, struct choice *ret)
{
    struct roster *roster = c->roster;
    const struct wish *wish = c->wish;
    int dropped =
        roster_dropped(roster, wish->type, priority_of(wish), wish->now_us - wish->routable_us);
    c->set = roster_candidates(roster, wish->type, dropped, wish->area);
    c->taste = (struct taste){.roster = roster,
                              .type = wish->type,
                              .now_us = wish->now_us,
                              .sticky = wish->sticky,
                              .priority = priority_of(wish),
                              .place = taste_has(wish->type, OBJECTIVE_DISTANCE)
                                           ? roster_place(roster, wish->area)
                                           : point_unknown};
    int32_t active = (int32_t)roster->n - roster->n_inactive;
    *ret = (struct choice){.experts = (int32_t)roster->n, .able = (int32_t)c->set->n};
    ret->removed[FILTER_ACTIVE] = roster->n_inactive;
    ret->removed[FILTER_AREA] = active - (int32_t)c->set->in_area;
    ret->removed[FILTER_SKILL] = (int32_t)(c->set->in_area - c->set->n);
    if (c->held_only || c->set->n < (roster->short_from ? roster->short_from : SHORT_FROM)) {
        look_at_all(c, NULL, NULL, ret);
        return;
    }
    struct taste plain = c->taste; /* of every ticket */
    plain.sticky = 0;
    struct shortlist *list = shortlist_of(roster, c->set, &plain);
    if (ask_shortlist(c, list, &plain))
        return;
    c->n = 0;
    shortlist_begin(list, c->set, &plain);
    look_at_all(c, list, &plain, ret);
    shortlist_end(list, &plain);
}

int choose_several(struct roster *roster, const struct wish *wish, bool held_only, int n,
                   struct expert *ret_experts[OFFERS_MAX], struct choice *ret)
{
    struct contest c = {
        .roster = roster, .wish = wish, .held_only = held_only, .keep = (uint32_t)n + RIVALS_MAX};
    run_contest(&c, ret);
    int taken = c.n < (uint32_t)n ? (int)c.n : n;
    for (int i = 0; i < taken; i++)
        ret_experts[i] = &roster->experts[c.best[i].slot];
    ret->expert = taken ? ret_experts[0] : NULL;
    for (uint32_t i = (uint32_t)taken; i < c.n; i++) {
        struct rival *r = &ret->rivals[ret->n_rivals++];
        r->expert = c.best[i].id;
        rank_compare(&c.taste, &c.best[taken - 1], &c.best[i], &r->by);
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
        int64_t at = wish->routable_us + roster->relax_us[priority_of(wish)][importance];
        if (at > wish->now_us && at < next)
            next = at;
    }
    return next;
}

enum filter expert_filter(const struct roster *roster, const struct expert *e,
                          const struct wish *wish)
{
    int dropped =
        roster_dropped(roster, wish->type, priority_of(wish), wish->now_us - wish->routable_us);
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
                     "{\"experts\":%" PRId32 ",\"%s\":%" PRId32 ",\"load\":%" PRId32
                     ",\"idle_s\":%" PRId64,
                     c->experts, c->counted ? "fit" : "able", c->counted ? c->fit : c->able,
                     c->expert->load + c->expert->taken, idle_us > 0 ? idle_us / 1000000 : 0);
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
