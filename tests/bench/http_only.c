/*
 * Intake's HTTP loop alone: answers every ticket 201 without looking at it and without a database.
 *
 *   http_only HOST:PORT
 */
#include "http.h"
#include "intake.h"
#include "request.h"
#include "route.h"

#include <stdio.h>

static void answer(struct request *r)
{
    struct text *t = reply_start(r, 201, TYPE_JSON);
    text_str(t,
             "{\"ref\":\"K7QM3-ZT94W\",\"id\":\"0192f1d4-7b3c-7000-8000-000000000000\",\"state\":"
             "\"received\",\"created_at\":\"2026-01-02T03:04:05.000006Z\"}\n");
    reply_header(r, "Location", "/v1/tickets/K7QM3-ZT94W");
}

int main(int argc, char **argv)
{
    static const struct route routes[] = {{.method = "POST",
                                           .pattern = "/v1/tickets",
                                           .handle = answer,
                                           .takes = TAKES_JSON,
                                           .gives = GIVES_JSON}};
    static const struct resource resource = {.routes = routes, .n_routes = 1};
    static const struct resource *const resources[] = {&resource, NULL};
    struct intake in = {0};
    struct err err;
    if (argc != 2)
        return 2;
    loop_block_signals();
    if (loop_new(&in.loop, &err) || http_new(&in.http,
                                             &(struct http_options){.loop = in.loop,
                                                                    .intake = &in,
                                                                    .resources = resources,
                                                                    .listen = argv[1],
                                                                    .header_timeout_ms = 10000,
                                                                    .body_timeout_ms = 10000,
                                                                    .idle_timeout_ms = 60000,
                                                                    .connections_max = 4096,
                                                                    .connections_per_ip_max = 4096},
                                             &err)) {
        fprintf(stderr, "http_only: %s\n", err.text);
        return 1;
    }
    while (!loop_stopping(in.loop)) {
        loop_once(in.loop, http_wait_ms(in.http));
        http_turn(in.http);
    }
    return 0;
}
