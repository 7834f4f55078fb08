/*
 * http.h - libmicrohttpd in our loop: connections, deadlines, answers, drain.
 *
 * External epoll mode: its own epoll thread stalls when epoll_wait returns
 * exactly 128 events. A request that waits for PostgreSQL is suspended, and
 * time-outs do not run while it is; the deadlines are ours.
 */
#pragma once

#include "loop.h"

#include <stdbool.h>
#include <stddef.h>

struct http;
struct request;
struct resource;
struct intake;

struct http_options {
    struct loop *loop;
    struct intake *intake;
    const struct resource *const *resources; /* what is served */
    const char *listen;                      /* HOST:PORT, [HOST]:PORT or :PORT */
    const char *option;                      /* the option that it comes from, for its error */
    long header_timeout_ms, body_timeout_ms, idle_timeout_ms;
    long connections_max, connections_per_ip_max;
    struct admit *admit; /* hosts and quotas; NULL: everyone may */
};

/* Listens. Owned. Errors are ERR_FATAL EXIT_CONFIG and name the address. */
int http_new(struct http **ret, const struct http_options *options, struct err *reterr);

/* Every suspended request must have been answered. */
void http_free(struct http *h);

/* Address in use, as 127.0.0.1:8080; borrowed. */
const char *http_address(const struct http *h);

/* Does what libmicrohttpd has to do. Call once per turn of the loop, after
 * loop_once(loop, http_wait_ms(h)). */
void http_turn(struct http *h);
int http_wait_ms(struct http *h); /* -1: no bound */

/* The request's reply is known (or it is to be dispatched again): goes on at the next http_turn. */
void http_answer(struct request *r);

/* Lets nobody in any more; from now on every answer closes its connection. */
void http_drain(struct http *h);
/* Nothing is under way and nobody has sent anything for a moment: may stop. */
bool http_drained(struct http *h);
/* How many are open. */
long http_connections(const struct http *h);
/* A complete request has not been answered yet. */
bool http_owes(const struct http *h);
