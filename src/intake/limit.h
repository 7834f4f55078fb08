/*
 * limit.h - how many requests a key (a client, an address) may make: a token
 * bucket each, in a table of fixed size.
 *
 * When the table is full, whoever has been quiet for longest is forgotten: that
 * bucket is the fullest. Pure but for the caller's clock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limit;

struct limit_rate {
    long per_s, burst; /* per_s 0: no limit */
};

/* What is left, for the headers RateLimit and RateLimit-Policy. */
struct limit_state {
    long burst, window_s; /* the bucket, and how long it takes to fill */
    long left, wait_s;    /* requests that would go through now; seconds until one more does */
};

struct limit *limit_new(void); /* owned */
void limit_free(struct limit *l);

/* Takes one request from the key's bucket. False: there is none left. */
bool limit_take(struct limit *l, uint64_t key, struct limit_rate rate, uint64_t now_us,
                struct limit_state *ret);

/* A key from bytes, not to be guessed by who sends them. */
uint64_t limit_key(const struct limit *l, const void *data, size_t n);
