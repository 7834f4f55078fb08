/*
 * conn.h - connections, from accept to close: the request that each of them is at, and its
 * deadline. libmicrohttpd only knows inactivity, and a byte a second would live for ever; so each
 * step of a request has an absolute deadline, and whoever misses it is cut off.
 */
#pragma once

#include "loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct MHD_Connection;
struct request;

struct conn {
    struct MHD_Connection *connection;
    uint64_t deadline_ms;    /* absolute; 0: none, a request is being worked on */
    struct request *request; /* one reference; NULL between requests */
    bool looked;             /* for a FIN, since the last request */
    struct conn *next, **prev;
};

/* All connections of a server. */
struct conns {
    struct loop *loop;
    struct loop_timer sweep_timer;
    struct conn *first, *spare;
    long n, n_requests;
    size_t bodies_bytes; /* what the bodies of their requests take, or will */
};

/* Begins to look after deadlines. Borrows the loop. */
void conns_init(struct conns *conns, struct loop *loop);

/* Every connection must have been closed. */
void conns_free(struct conns *conns);

/* A connection has been accepted. Owned by conns until conn_close. */
struct conn *conn_open(struct conns *conns, struct MHD_Connection *connection);

/* It is closed, and its request, if any, has no client any more. */
void conn_close(struct conns *conns, struct conn *conn);

/* What was stored as libmicrohttpd's socket context when the connection was accepted. */
struct conn *conn_of(struct MHD_Connection *connection);

/* From now on in in_ms milliseconds; 0: none. */
void conn_set_deadline(struct conn *conn, long in_ms);

/* A request begins on it; takes the reference. One before it ends. */
void conn_begin_request(struct conns *conns, struct conn *conn, struct request *request);

/* The request, if any, is done with, or its client has left. */
void conn_end_request(struct conns *conns, struct conn *conn);
