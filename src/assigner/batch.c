#include "batch.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

static struct job *add_job(struct batch *b, const uint8_t ticket[16])
{
    b->jobs = mem_room(b->jobs, b->n, &b->cap, sizeof *b->jobs);
    struct job *j = &b->jobs[b->n++];
    memset(j, 0, sizeof *j);
    memcpy(j->ticket, ticket, sizeof j->ticket);
    return j;
}

void batch_event(struct batch *b, const uint8_t ticket[16], const uint8_t event[16],
                 const char *traceparent, size_t traceparent_len)
{
    struct job *j = add_job(b, ticket);
    if (traceparent && traceparent_len == TRACEPARENT_LEN)
        memcpy(j->traceparent, traceparent, TRACEPARENT_LEN);
    b->events = mem_room(b->events, b->n_events, &b->events_cap, sizeof *b->events);
    struct event *e = &b->events[b->n_events++];
    *e = (struct event){0};
    memcpy(e->id, event, sizeof e->id);
    memcpy(e->ticket, ticket, sizeof e->ticket);
}

struct job *batch_swept(struct batch *b, const uint8_t ticket[16], const char *traceparent)
{
    struct job *j = add_job(b, ticket);
    j->swept = true;
    if (traceparent && strlen(traceparent) == TRACEPARENT_LEN)
        memcpy(j->traceparent, traceparent, TRACEPARENT_LEN);
    return j;
}

static int by_ticket(const void *a, const void *b)
{
    const struct job *x = a, *y = b;
    return memcmp(x->ticket, y->ticket, sizeof x->ticket);
}

static int by_ticket_and_id(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    int order = memcmp(x->ticket, y->ticket, sizeof x->ticket);
    return order ? order : memcmp(x->id, y->id, sizeof x->id);
}

void batch_fold(struct batch *b)
{
    size_t n = 0, event = 0, kept = 0;
    if (b->n)
        qsort(b->jobs, b->n, sizeof *b->jobs, by_ticket);
    if (b->n_events)
        qsort(b->events, b->n_events, sizeof *b->events, by_ticket_and_id);
    for (size_t i = 0; i < b->n; i++) {
        if (n && by_ticket(&b->jobs[n - 1], &b->jobs[i]) == 0) {
            struct job *j = &b->jobs[n - 1];
            j->swept |= b->jobs[i].swept;
            j->first |= b->jobs[i].first;
            if (!*j->traceparent)
                memcpy(j->traceparent, b->jobs[i].traceparent, sizeof j->traceparent);
        } else {
            b->jobs[n++] = b->jobs[i];
        }
    }
    b->n = n;
    for (size_t i = 0; i < b->n_events; i++)
        if (!kept || by_ticket_and_id(&b->events[kept - 1], &b->events[i]) != 0)
            b->events[kept++] = b->events[i];
    b->n_events = kept;
    for (size_t i = 0; i < b->n; i++) {
        struct job *j = &b->jobs[i];
        j->event = (uint32_t)event;
        while (event < b->n_events &&
               memcmp(b->events[event].ticket, j->ticket, sizeof j->ticket) == 0)
            event++;
        j->events = (uint32_t)event - j->event;
    }
}

struct job *batch_find(struct batch *b, const uint8_t ticket[16])
{
    size_t low = 0, high = b->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = memcmp(b->jobs[mid].ticket, ticket, 16);
        if (order == 0)
            return &b->jobs[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

void batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->jobs[i].excluded);
    b->n = b->n_events = 0;
}

void batch_free(struct batch *b)
{
    batch_clear(b);
    free(b->jobs);
    free(b->events);
    *b = (struct batch){0};
}

static int order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int priority_of(const struct job *j)
{
    return j->priority || !j->type ? j->priority : j->type->priority;
}

int compare_turns(const struct job *a, const struct job *b, int64_t now_us)
{
    int pa = priority_of(a), pb = priority_of(b);
    int order = (a->due_us > now_us) - (b->due_us > now_us);
    if (!order)
        order = pa - pb;
    if (!order)
        order = order_of(a->due_us, b->due_us);
    if (!order)
        order = order_of(a->created_us, b->created_us);
    return order ? order : memcmp(a->ticket, b->ticket, sizeof a->ticket);
}

static int by_turn(const void *a, const void *b, void *now_us)
{
    return compare_turns(*(struct job *const *)a, *(struct job *const *)b, *(int64_t *)now_us);
}

static void decide(struct roster *roster, struct job *j, bool held_only, int64_t now_us)
{
    struct wish wish = {.type = j->type,
                        .priority = j->priority,
                        .area = j->area,
                        .routable_us = j->routable_us,
                        .now_us = now_us,
                        .sticky = j->sticky,
                        .excluded = j->excluded,
                        .n_excluded = j->n_excluded,
                        .yields = !j->first};
    struct choice choice;
    j->n_experts = 0;
    *j->json = '\0';
    j->retry_us = INT64_MAX;
    j->verdict = VERDICT_NONE;
    if (!j->open)
        return;
    if (!j->type) {
        j->verdict = VERDICT_REVIEW;
        return;
    }
    int n = j->waited || j->due_us <= now_us ? j->type->offers_max : 1;
    j->n_experts = choose_several(roster, &wish, held_only, n, j->experts, &choice);
    if (j->n_experts) {
        j->verdict = VERDICT_RESERVE;
        choice_why(&choice, now_us, j->json);
        for (int i = 0; i < j->n_experts; i++)
            j->experts[i]->taken++;
    } else {
        int64_t relaxes_us = wish_relaxes_us(roster, &wish);
        j->verdict = !choice.fit                   ? VERDICT_PARK
                     : choice.fit > choice.yielded ? VERDICT_AGAIN
                     : j->waited                   ? VERDICT_NONE /* as it is, with its reason */
                                                   : VERDICT_YIELD;
        j->retry_us = relaxes_us < j->excluded_us ? relaxes_us : j->excluded_us;
        choice_reason(&choice, j->json);
    }
}

void plan(struct roster *roster, struct job **order, size_t n, bool held_only, int64_t now_us)
{
    if (n)
        qsort_r(order, n, sizeof(struct job *), by_turn, &now_us);
    for (size_t i = 0; i < n; i++)
        decide(roster, order[i], held_only, now_us);
}
