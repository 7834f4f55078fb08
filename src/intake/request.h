/*
 * request.h - one HTTP request from its first line to its answer.
 *
 * Shared by libmicrohttpd's callbacks and by whoever works on it: references
 * are counted, because a batch may outlive the client's patience. Pooled.
 */
#pragma once

#include "clients.h"
#include "gate.h"
#include "lookup.h"
#include "problem.h"
#include "store.h"
#include "text.h"

#include <microhttpd.h>

enum { ROUTE_PARAMS_MAX = 2, PARAM_MAX_BYTES = 160 };

struct route;
struct intake;

struct reply {
    unsigned status; /* 0: not known yet */
    bool is_problem, replayed, close;
    int retry_after_s; /* 0: none */
    const char *allow; /* static; or NULL */
    char location[48]; /* or empty */
    struct text body;
};

struct request {
    struct intake *intake;
    struct MHD_Connection *connection; /* NULL: the client is gone or was answered */
    int refs;
    bool seen, suspended, waited_for_clients, body_discarded;
    struct gate gate;
    const struct route *route;
    char param[ROUTE_PARAMS_MAX][PARAM_MAX_BYTES];
    char request_id[65], traceparent[56], actor[80];
    int32_t client_id;
    struct text body;
    struct ticket_fields fields;
    struct reply reply;
    struct clients_waiter waiter;
    union {
        struct store_item store;
        struct lookup_item lookup;
    };
    struct request *next; /* in the pool */
};

struct request *request_new(struct intake *intake); /* one reference */
void request_ref(struct request *r);
void request_unref(struct request *r);
void request_pool_free(void);

/* Takes X-Request-Id and traceparent over from the gate, or makes them. */
void request_identify(struct request *r);

/* The answer is an error. detail is a sentence. */
void reply_problem(struct request *r, enum problem p, const char *detail);
void reply_violations(struct request *r, const struct violations *v);

/* The answer is {"ref","id","state","created_at"}. */
void reply_ticket(struct request *r, unsigned status, const struct store_ticket *ticket);

/* The answer is JSON text. */
void reply_json(struct request *r, unsigned status, const char *json);
