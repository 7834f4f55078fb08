#include "store.h"

#include "lane.h"
#include "mem.h"
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

enum {
    LANES = 2,
    SECOND_LANE_MIN = 96, /* fewer are faster with the next batch of the first */
    SKIPPED_MAX = 64,     /* of the queue, in one search for a batch */
    RUNNING_BUCKETS = 4096,
};

struct store {
    struct store_options o;
    struct lane *lane[LANES];
    uint64_t arrivals;
    /* waiting, in order of arrival */
    struct store_item *first, **last;
    long waiting;
    struct loop_timer deadline_timer;
    struct store_item *running[RUNNING_BUCKETS]; /* not answered yet, by key */
};

/* --- keys under way --- */

static struct store_item **running_bucket(struct store *s, const struct store_item *item)
{
    uint16_t bits;
    memcpy(&bits, item->batch.key_hash, sizeof bits);
    return &s->running[bits % RUNNING_BUCKETS];
}

static bool running(struct store *s, const struct store_item *item)
{
    for (const struct store_item *x = *running_bucket(s, item); x; x = x->running_next)
        if (x->batch.client_id == item->batch.client_id &&
            memcmp(x->batch.key_hash, item->batch.key_hash, KEY_HASH_BYTES) == 0)
            return true;
    return false;
}

static void running_add(struct store *s, struct store_item *item)
{
    struct store_item **bucket = running_bucket(s, item);
    item->running_next = *bucket;
    *bucket = item;
}

static void running_remove(struct store *s, struct store_item *item)
{
    struct store_item **at = running_bucket(s, item);
    while (*at != item)
        at = &(*at)->running_next;
    *at = item->running_next;
}

static void answer(void *ctx, struct store_item *item, const struct store_ticket *ticket)
{
    struct store *s = ctx;
    if (item->answered)
        return;
    item->answered = true;
    running_remove(s, item);
    s->o.metrics->tickets[ticket->outcome]++;
    item->answer(item, ticket);
}

static void queue_push(struct store *s, struct store_item *item)
{
    item->next = NULL;
    *s->last = item;
    s->last = &item->next;
    s->waiting++;
}

/* at is where the queue points to the item. */
static struct store_item *queue_take(struct store *s, struct store_item **at)
{
    struct store_item *item = *at;
    *at = item->next;
    if (!*at)
        s->last = at;
    s->waiting--;
    return item;
}

static void back(void *ctx, struct store_item *item)
{
    struct store *s = ctx;
    item->lane = NULL;
    if (item->answered)
        item->release(item);
    else
        queue_push(s, item);
}

static bool all_down(const struct store *s)
{
    for (int i = 0; i < LANES; i++)
        if (!lane_down(s->lane[i]))
            return false;
    return true;
}

enum store_refusal store_add(struct store *s, struct store_item *item)
{
    if (s->waiting >= s->o.queue_max)
        return STORE_FULL;
    if (all_down(s))
        return STORE_DOWN;
    if (!item->folds && running(s, item))
        return STORE_RUNNING;
    running_add(s, item);
    item->answered = false;
    item->collisions = 0;
    item->lane = NULL;
    item->batch.arrival = ++s->arrivals;
    uuid7_make(item->id);
    ticket_ref_make(item->id, item->ref);
    queue_push(s, item);
    if (!s->deadline_timer.at_ms)
        loop_timer_set(s->o.loop, &s->deadline_timer, item->deadline_ms);
    return STORE_TAKEN;
}

/* --- batches --- */

/* Its key is in the batch of a lane: there it would only wait for that one's commit, and then
 * clash. */
static bool key_is_out(struct store *s, const struct store_item *item)
{
    for (const struct store_item *x = *running_bucket(s, item); x; x = x->running_next)
        if (x->lane && memcmp(x->batch.key_hash, item->batch.key_hash, KEY_HASH_BYTES) == 0)
            return true;
    return false;
}

static void start_batch(struct store *s, struct lane *lane)
{
    struct batch_item *items[BATCH_MAX];
    size_t n = 0;
    int skipped = 0;
    for (struct store_item **at = &s->first; *at && n < (size_t)s->o.batch_max;) {
        if ((*at)->folds && !(*at)->answered && key_is_out(s, *at)) {
            at = &(*at)->next;
            if (++skipped == SKIPPED_MAX)
                break;
            continue;
        }
        struct store_item *item = queue_take(s, at);
        if (item->answered)
            item->release(item);
        else
            items[n++] = &item->batch;
    }
    for (size_t i = 0; i < n; i++)
        store_item_of(items[i])->lane = lane;
    if (n > 0)
        lane_start(lane, items, n);
}

void store_turn(struct store *s)
{
    long out = 0;
    for (int i = 0; i < LANES; i++)
        lane_turn(s->lane[i]);
    for (int i = 0; i < LANES; i++)
        out += lane_busy(s->lane[i]);
    for (int i = 0; i < LANES && s->waiting > (out ? SECOND_LANE_MIN - 1 : 0); i++)
        if (lane_idle(s->lane[i])) {
            start_batch(s, s->lane[i]);
            lane_turn(s->lane[i]);
            out += lane_busy(s->lane[i]);
        }
}

/* --- deadlines --- */

struct expiry {
    struct store *store;
    uint64_t now, next;
};

static void expire(void *ctx, struct store_item *item)
{
    struct expiry *e = ctx;
    if (item->answered)
        return;
    if (item->deadline_ms <= e->now)
        answer(e->store, item, &(struct store_ticket){.outcome = STORE_UNAVAILABLE});
    else if (item->deadline_ms < e->next)
        e->next = item->deadline_ms;
}

static void on_deadline(void *ctx)
{
    struct store *s = ctx;
    struct expiry e = {.store = s, .now = now_ms(), .next = UINT64_MAX};
    for (int i = 0; i < LANES; i++)
        lane_each(s->lane[i], expire, &e);
    for (struct store_item *item = s->first; item; item = item->next)
        expire(&e, item);
    while (s->first && s->first->answered) {
        struct store_item *item = queue_take(s, &s->first);
        item->release(item);
    }
    if (e.next != UINT64_MAX)
        loop_timer_set(s->o.loop, &s->deadline_timer, e.next);
}

struct store *store_new(const struct store_options *options)
{
    static const char *const names[LANES] = {"store-1", "store-2"};
    struct store *s = mem_new(1, sizeof *s);
    s->o = *options;
    s->last = &s->first;
    s->deadline_timer = (struct loop_timer){.fn = on_deadline, .ctx = s};
    for (int i = 0; i < LANES; i++)
        s->lane[i] = lane_new(&(struct lane_options){
            .store = &s->o, .name = names[i], .answer = answer, .back = back, .ctx = s});
    return s;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    for (int i = 0; i < LANES; i++)
        lane_free(s->lane[i]);
    loop_timer_set(s->o.loop, &s->deadline_timer, 0);
    free(s);
}

bool store_up(const struct store *s)
{
    for (int i = 0; i < LANES; i++)
        if (lane_up(s->lane[i]))
            return true;
    return false;
}

long store_waiting(const struct store *s)
{
    return s->waiting;
}
