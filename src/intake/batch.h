/*
 * batch.h - what a batch of tickets does before and after SQL: order, fold
 * equal keys, halve around a bad row.
 *
 * Pure: knows neither HTTP nor PostgreSQL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_HASH_BYTES = 16, BODY_HASH_BYTES = 32, BATCH_MAX = 512, BISECT_DEPTH_MAX = 32 };

/* What a ticket is to a batch. Embedded in its owner's struct. */
struct batch_item {
    uint8_t key_hash[KEY_HASH_BYTES];
    int32_t client_id;
    bool is_call; /* the key is a call: any body names the first ticket */
    uint8_t body_hash[BODY_HASH_BYTES];
    uint64_t arrival;        /* counts up; the first of equal keys leads */
    struct batch_item *same; /* next item with the same key, in order of arrival */
};

/* Sorts by key, then client, then arrival, and hangs each item whose key was
 * there before on the `same` chain of the first. Returns the number of leaders,
 * which stand first in items. Key first: a call has one key for all clients. */
size_t batch_fold(struct batch_item **items, size_t n);

/* True when a second request under this item's key may have the answer of a
 * ticket stored with body_hash. */
bool batch_same_request(const struct batch_item *item, const uint8_t body_hash[BODY_HASH_BYTES]);

/*
 * The ranges of a batch still to be run. A range that failed for its data is
 * split until the bad row stands alone; its neighbours go through.
 */
struct bisect {
    size_t n;
    struct bisect_range {
        size_t lo, hi; /* [lo, hi) */
    } stack[BISECT_DEPTH_MAX];
};

/* Begins with the one range of n rows. */
void bisect_start(struct bisect *b, size_t n);
bool bisect_next(struct bisect *b, size_t *ret_lo, size_t *ret_hi); /* takes it off */
void bisect_again(struct bisect *b, size_t lo, size_t hi);          /* puts it back as it was */
/* Puts back the two halves. False when the range is one row: that row is bad. */
bool bisect_split(struct bisect *b, size_t lo, size_t hi);
