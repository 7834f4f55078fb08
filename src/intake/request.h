/*
 * request.h - one HTTP request from its first line to its answer.
 *
 * Shared by libmicrohttpd's callbacks and by whoever works on it: references
 * are counted, because a batch may outlive the client's patience. Pooled.
 */
#pragma once

#include "clients.h"
#include "gate.h"
#include "limit.h"
#include "lookup.h"
#include "reply.h"
#include "store.h"
#include "text.h"
#include "watch.h"

#include <microhttpd.h>

enum { ROUTE_PARAMS_MAX = 2, PARAM_MAX_BYTES = 160 };

struct http;
struct route;
struct intake;

struct request {
    struct intake *intake;
    struct http *http;
    struct MHD_Connection *connection; /* NULL: the client is gone or was answered */
    int refs;
    bool seen, suspended, waited_for_clients;
    struct gate gate;
    const struct route *route;
    char param[ROUTE_PARAMS_MAX][PARAM_MAX_BYTES];
    const char *query; /* what stands behind the ?, as it came; or NULL */
    char request_id[65], traceparent[56], actor[80];
    int32_t client_id; /* 0: nobody known */
    uint64_t started_us, wait_until_ms;
    struct limit_state quota; /* of whom: "client", "address", or NULL: not to be told */
    const char *quota_of;
    bool origin_allowed; /* the page that it comes from may read the answer */
    struct text body;
    struct ticket_fields fields;
    struct reply reply;
    struct clients_waiter waiter;
    union {
        struct store_item store;
        struct lookup_item lookup;
        struct watcher watcher;
    };
    void (*asked)(struct request *r, const PGresult *res); /* see ask.h */
    struct kept *kept;
    struct request *next; /* in the pool */
};

struct request *request_new(struct intake *intake); /* one reference */
/* One reference more, and one less: the last one frees it. NULL is fine for the latter. */
void request_ref(struct request *r);
void request_unref(struct request *r);
void request_pool_free(void);

/* Takes X-Request-Id and traceparent over from the gate, or makes them. */
void request_identify(struct request *r);

/* A copy that lives as long as the request; borrowed. */
char *request_keep(struct request *r, const char *s, size_t n);
char *request_keepf(struct request *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Value of a parameter of the query, decoded; NULL: not there. Kept. */
const char *request_arg(struct request *r, const char *name);

/* A person's browser rather than a program: it likes text/html better than JSON. */
bool request_from_browser(const struct request *r);
