/*
 * admit.h - who is let in before anything is read: hosts, quotas of addresses
 * and of clients, origins of other sites.
 */
#pragma once

#include "err.h"
#include "limit.h"
#include "opt.h"
#include "request.h"

struct admit_options {
    struct opt_list hosts;   /* names this server has; none: any */
    struct opt_list proxies; /* IP addresses whose X-Forwarded-For is believed */
    struct limit_rate address, client;
};

struct admit;

/* *ret is owned; copies. A proxy that is not one IP address: ERR_FATAL EXIT_CONFIG. */
int admit_new(struct admit **ret, const struct admit_options *options, struct err *reterr);
void admit_free(struct admit *a);

/* The head has been read. True: go on. False: the reply is set (421, 429). */
bool admit_head(struct admit *a, struct request *r);

/* The client is known. True: go on. False: the reply is set (429). */
bool admit_client(struct admit *a, struct request *r, const struct client *client);

/* OPTIONS of an address whose methods are these: 204, with what CORS wants to know. */
void admit_preflight(struct request *r, const char *allow);

/* The page that the request comes from may read the answer: its origin is the client's or form's.
 * Called when the client is known. */
void admit_origin(struct request *r, const struct client *client);
