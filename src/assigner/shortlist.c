#include "shortlist.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    LISTS_MAX = 32768, /* then all are made anew */
    LIMIT_MIN = 32,
};

bool expert_can_work(const struct expert *e, const struct ticket_type *type, int64_t now_us)
{
    int64_t end_us = now_us + type->duration_us;
    return e->shift.from_us <= now_us && e->shift.to_us >= end_us &&
           !(e->absence.from_us < end_us && e->absence.to_us > now_us) && expert_free(e);
}

/* The list can not be trusted beyond the moment at which the clock makes an expert better. */
static void mind_clock(struct shortlist *l, const struct taste *t, const struct expert *e)
{
    const int64_t at[] = {e->shift.from_us, e->absence.to_us,
                          point_known(e->position) && point_known(t->place)
                              ? e->position_us + t->roster->position_max_age_us + 1
                              : INT64_MAX};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        if (at[i] > t->now_us && at[i] < l->to_us)
            l->to_us = at[i];
}

struct shortlist *shortlist_of(struct roster *r, const struct candidates *set,
                               const struct taste *t)
{
    uint32_t key[4] = {(uint32_t)(set - r->sets), t->priority <= 2, 0, 0};
    if (point_known(t->place)) {
        memcpy(&key[2], &t->place.lat, sizeof key[2]);
        memcpy(&key[3], &t->place.lon, sizeof key[3]);
    }
    if (r->short_keys.n >= LISTS_MAX)
        roster_forget_shortlists(r);
    uint32_t before = r->short_keys.n, number = names_put(&r->short_keys, key, sizeof key);
    if (number == before) {
        r->shortlists = mem_resize(r->shortlists, (size_t)before + 1, sizeof *r->shortlists);
        r->shortlists[number] = (struct shortlist){0};
    }
    return &r->shortlists[number];
}

void roster_forget_shortlists(struct roster *r)
{
    for (uint32_t i = 0; i < r->short_keys.n; i++)
        free(r->shortlists[i].heap);
    free(r->shortlists);
    r->shortlists = NULL;
    names_clear(&r->short_keys);
}

void shortlist_begin(struct shortlist *l, const struct candidates *set, const struct taste *t)
{
    uint32_t limit = LIMIT_MIN;
    while (limit * limit < 4 * (uint64_t)set->n)
        limit += limit / 4;
    if (limit != l->limit) {
        l->heap = mem_resize(l->heap, 2 * (size_t)limit, sizeof *l->heap);
        l->limit = limit;
    }
    l->n = 0;
    l->complete = true;
    l->from_us = t->now_us;
    l->to_us = INT64_MAX;
    l->seen = t->roster->n_better;
}

/* Worst on top while it is made: that one leaves when a better one comes. */
void shortlist_add(struct shortlist *l, const struct taste *t, uint32_t slot, int surplus)
{
    const struct expert *e = &t->roster->experts[slot];
    enum objective by;
    mind_clock(l, t, e);
    if (!expert_can_work(e, t->type, t->now_us))
        return;
    struct rank rank = rank_of(t, slot, surplus);
    if (l->n < l->limit) {
        rank_push(t, -1, l->heap, &l->n, rank);
        return;
    }
    if (rank_compare(t, &rank, &l->heap[0], &by) < 0) {
        struct rank out = l->heap[0];
        l->heap[0] = rank;
        rank_sift(t, -1, l->heap, l->n, 0);
        rank = out;
    }
    if (l->complete || rank_compare(t, &rank, &l->floor, &by) < 0)
        l->floor = rank;
    l->complete = false;
}

void shortlist_end(struct shortlist *l, const struct taste *t)
{
    for (uint32_t at = l->n / 2; at-- > 0;)
        rank_sift(t, 1, l->heap, l->n, at);
    l->made = true;
}

static bool reaches(const struct shortlist *l, const struct taste *t, const struct rank *rank)
{
    enum objective by;
    return l->complete || rank_compare(t, rank, &l->floor, &by) <= 0;
}

bool shortlist_ready(struct shortlist *l, const struct candidates *set, const struct taste *t)
{
    const struct roster *r = t->roster;
    uint64_t n = r->n_better - l->seen;
    if (!l->made || t->now_us < l->from_us || t->now_us >= l->to_us || n > BETTER_MAX ||
        n > set->n / 2)
        return l->made = false;
    for (; l->seen < r->n_better; l->seen++) {
        uint32_t slot = r->better[l->seen % BETTER_MAX], at = candidates_find(set, slot);
        if (at == CANDIDATES_NONE)
            continue;
        mind_clock(l, t, &r->experts[slot]);
        if (!expert_can_work(&r->experts[slot], t->type, t->now_us))
            continue;
        struct rank rank = rank_of(t, slot, set->surplus[at]);
        if (!reaches(l, t, &rank))
            continue;
        if (l->n == 2 * l->limit)
            return l->made = false;
        rank_push(t, 1, l->heap, &l->n, rank);
    }
    return t->now_us < l->to_us;
}

int shortlist_take(struct shortlist *l, const struct candidates *set, const struct taste *t,
                   struct rank *ret)
{
    enum objective by;
    while (l->n) {
        struct rank top = l->heap[0];
        uint32_t at = candidates_find(set, top.slot);
        if (at == CANDIDATES_NONE ||
            !expert_can_work(&t->roster->experts[top.slot], t->type, t->now_us)) {
            rank_pop(t, 1, l->heap, &l->n);
            continue;
        }
        struct rank now = rank_of(t, top.slot, set->surplus[at]);
        int order = rank_compare(t, &now, &top, &by);
        if (order > 0) {
            l->heap[0] = now;
            rank_sift(t, 1, l->heap, l->n, 0);
            continue;
        }
        if (order == 0 && !reaches(l, t, &now)) {
            l->made = false;
            return -1;
        }
        rank_pop(t, 1, l->heap, &l->n);
        if (order < 0) /* written before he got better: he is in it a second time */
            continue;
        *ret = now;
        return 1;
    }
    if (!l->complete)
        l->made = false;
    return l->complete ? 0 : -1;
}

void shortlist_give(struct shortlist *l, const struct taste *t, const struct rank *rank)
{
    rank_push(t, 1, l->heap, &l->n, *rank);
}
