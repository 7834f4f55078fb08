#include "batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int compare_key(const struct batch_item *a, const struct batch_item *b)
{
    int c = memcmp(a->key_hash, b->key_hash, KEY_HASH_BYTES);
    return c ? c : (a->client_id > b->client_id) - (a->client_id < b->client_id);
}

static int compare(const void *pa, const void *pb)
{
    const struct batch_item *a = *(struct batch_item *const *)pa;
    const struct batch_item *b = *(struct batch_item *const *)pb;
    int c = compare_key(a, b);
    return c ? c : (a->arrival > b->arrival) - (a->arrival < b->arrival);
}

size_t batch_fold(struct batch_item **items, size_t n)
{
    size_t leaders = 0;
    struct batch_item *last = NULL;
    qsort(items, n, sizeof *items, compare);
    for (size_t i = 0; i < n; i++) {
        struct batch_item *item = items[i];
        item->same = NULL;
        if (leaders && compare_key(items[leaders - 1], item) == 0)
            last->same = item;
        else
            items[leaders++] = item;
        last = item;
    }
    return leaders;
}

bool batch_same_request(const struct batch_item *item, const uint8_t body_hash[BODY_HASH_BYTES])
{
    return item->is_call || memcmp(item->body_hash, body_hash, BODY_HASH_BYTES) == 0;
}

void bisect_start(struct bisect *b, size_t n)
{
    b->n = 0;
    bisect_again(b, 0, n);
}

bool bisect_next(struct bisect *b, size_t *ret_lo, size_t *ret_hi)
{
    if (b->n == 0)
        return false;
    b->n--;
    *ret_lo = b->stack[b->n].lo;
    *ret_hi = b->stack[b->n].hi;
    return true;
}

void bisect_again(struct bisect *b, size_t lo, size_t hi)
{
    if (lo == hi)
        return;
    assert(b->n < BISECT_DEPTH_MAX);
    b->stack[b->n++] = (struct bisect_range){lo, hi};
}

bool bisect_split(struct bisect *b, size_t lo, size_t hi)
{
    if (hi - lo <= 1)
        return false;
    size_t middle = lo + (hi - lo) / 2;
    bisect_again(b, middle, hi);
    bisect_again(b, lo, middle);
    return true;
}
