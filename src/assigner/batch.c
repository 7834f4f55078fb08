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

void batch_swept(struct batch *b, const uint8_t ticket[16], const char *traceparent)
{
    struct job *j = add_job(b, ticket);
    j->swept = true;
    if (traceparent && strlen(traceparent) == TRACEPARENT_LEN)
        memcpy(j->traceparent, traceparent, TRACEPARENT_LEN);
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
    b->n = b->n_events = 0;
}

void batch_free(struct batch *b)
{
    free(b->jobs);
    free(b->events);
    *b = (struct batch){0};
}

static int by_turn(const void *a, const void *b)
{
    const struct job *x = *(struct job *const *)a, *y = *(struct job *const *)b;
    int px = x->type ? x->type->priority : 0, py = y->type ? y->type->priority : 0;
    if (px != py)
        return px < py ? -1 : 1;
    if (x->created_us != y->created_us)
        return x->created_us < y->created_us ? -1 : 1;
    return memcmp(x->ticket, y->ticket, sizeof x->ticket);
}

static void decide(struct roster *roster, struct job *j, bool held_only, int64_t now_us)
{
    struct wish wish = {
        .type = j->type, .area = j->area, .excluded = j->excluded, .n_excluded = j->n_excluded};
    struct choice choice;
    j->expert = NULL;
    *j->json = '\0';
    j->verdict = VERDICT_NONE;
    if (!j->open)
        return;
    if (!j->type) {
        j->verdict = VERDICT_REVIEW;
        return;
    }
    choose(roster, &wish, held_only, &choice);
    j->expert = choice.expert;
    if (choice.expert) {
        j->verdict = VERDICT_RESERVE;
        choice_why(&choice, now_us, j->json);
        choice.expert->taken++;
    } else {
        j->verdict = choice.fit ? VERDICT_AGAIN : VERDICT_PARK;
        choice_reason(&choice, j->json);
    }
}

void plan(struct roster *roster, struct job **order, size_t n, bool held_only, int64_t now_us)
{
    if (n)
        qsort(order, n, sizeof(struct job *), by_turn);
    for (size_t i = 0; i < n; i++)
        decide(roster, order[i], held_only, now_us);
}
