/*
 * hosts.h - how many notices are in flight to each host. Pure.
 *
 * A notice is claimed only when its host has room, so that none waits inside
 * libcurl while its time-out runs, and a host that hangs holds only its share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct host {
    char *name; /* as claim.sql makes it of the address */
    long in_flight;
    bool full; /* others of its notices may have been passed over; the owner sets and clears it */
    struct host *next;
};

enum { HOSTS_BUCKETS = 256 };
struct hosts { /* zeroed: empty */
    struct host *buckets[HOSTS_BUCKETS];
    size_t n;
};

/* One more is in flight to name (copied; NULL: to none, returns NULL). Borrowed until the release.
 */
struct host *hosts_take(struct hosts *hosts, const char *name);

/* One less; a host with none left is forgotten. NULL is fine. */
void hosts_release(struct hosts *hosts, struct host *host);

/* The next host after `host` (NULL: the first) in no special order; NULL at the end. */
const struct host *hosts_next(const struct hosts *hosts, const struct host *host);

void hosts_free(struct hosts *hosts);
