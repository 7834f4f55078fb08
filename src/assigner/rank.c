#include "rank.h"

enum { FARTHEST_KM = INT32_MAX };

bool taste_has(const struct ticket_type *type, enum objective objective)
{
    for (int i = 0; i < type->n_objectives; i++)
        if (type->objectives[i] == objective)
            return true;
    return false;
}

static int32_t km_of(const struct taste *t, const struct expert *e)
{
    if (!point_known(t->place))
        return FARTHEST_KM;
    bool fresh =
        point_known(e->position) && t->now_us - e->position_us <= t->roster->position_max_age_us;
    struct point from = fresh ? e->position : e->home;
    return point_known(from) ? distance_km(from, t->place) : FARTHEST_KM;
}

struct rank rank_of(const struct taste *t, uint32_t slot, int surplus)
{
    const struct expert *e = &t->roster->experts[slot];
    return (struct rank){.idle_since_us = e->idle_since_us,
                         .used = e->load + e->taken,
                         .capacity = e->capacity,
                         .surplus = surplus,
                         .km = km_of(t, e),
                         .id = e->id,
                         .slot = slot};
}

static int order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_by(const struct taste *t, enum objective by, const struct rank *a,
                      const struct rank *b)
{
    switch (by) {
    case OBJECTIVE_STICKY:
        return (b->id == t->sticky) - (a->id == t->sticky);
    case OBJECTIVE_LOAD:
        return order_of((int64_t)a->used * b->capacity, (int64_t)b->used * a->capacity);
    case OBJECTIVE_SKILL_FIT:
        return t->priority <= 2 ? b->surplus - a->surplus : a->surplus - b->surplus;
    case OBJECTIVE_DISTANCE:
        return order_of(a->km, b->km);
    case OBJECTIVE_IDLE:
        return order_of(a->idle_since_us, b->idle_since_us);
    case OBJECTIVES:
        break;
    }
    return order_of(a->id, b->id);
}

int rank_compare(const struct taste *t, const struct rank *a, const struct rank *b,
                 enum objective *ret_by)
{
    for (int i = 0; i < t->type->n_objectives; i++) {
        *ret_by = t->type->objectives[i];
        int order = compare_by(t, *ret_by, a, b);
        if (order)
            return order;
    }
    *ret_by = OBJECTIVES;
    return compare_by(t, OBJECTIVES, a, b);
}

static bool above(const struct taste *t, int sign, const struct rank *a, const struct rank *b)
{
    enum objective by;
    return sign * rank_compare(t, a, b, &by) < 0;
}

void rank_push(const struct taste *t, int sign, struct rank *heap, uint32_t *n, struct rank rank)
{
    uint32_t at = (*n)++;
    for (; at > 0 && above(t, sign, &rank, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = rank;
}

void rank_sift(const struct taste *t, int sign, struct rank *heap, uint32_t n, uint32_t at)
{
    struct rank rank = heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= n)
            break;
        if (child + 1 < n && above(t, sign, &heap[child + 1], &heap[child]))
            child++;
        if (!above(t, sign, &heap[child], &rank))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = rank;
}

void rank_pop(const struct taste *t, int sign, struct rank *heap, uint32_t *n)
{
    heap[0] = heap[--*n];
    if (*n)
        rank_sift(t, sign, heap, *n, 0);
}
