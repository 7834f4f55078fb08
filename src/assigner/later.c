#include "later.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

void later_add(struct later *l, const uint8_t ticket[16],
               const char traceparent[TRACEPARENT_LEN + 1], uint64_t due_ms)
{
    if (l->n == LATER_MAX)
        return;
    for (size_t i = 0; i < l->n; i++)
        if (memcmp(l->tickets[i].id, ticket, sizeof l->tickets[i].id) == 0)
            return;
    l->tickets = mem_room(l->tickets, l->n, &l->cap, sizeof *l->tickets);
    struct later_ticket *t = &l->tickets[l->n++];
    memcpy(t->id, ticket, sizeof t->id);
    memcpy(t->traceparent, traceparent, sizeof t->traceparent);
    t->due_ms = due_ms;
}

void later_take(struct later *l, uint64_t now, struct batch *batch)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (l->tickets[i].due_ms <= now)
            batch_swept(batch, l->tickets[i].id, l->tickets[i].traceparent);
        else
            l->tickets[kept++] = l->tickets[i];
    }
    l->n = kept;
}

void later_free(struct later *l)
{
    free(l->tickets);
    *l = (struct later){0};
}
