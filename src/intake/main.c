/* squad-intake: accepts tickets over HTTP and stores them with their events. */
#include "intake.h"
#include "log.h"
#include "opt.h"
#include "request.h"
#include "route.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>

struct conf {
    struct conf_common common;
    const char *listen;
    long batch_max, queue_max, request_timeout_ms;
    long header_timeout_ms, body_timeout_ms, idle_timeout_ms;
    long connections_max, connections_per_ip_max;
};

#define INT_OPTION(flag, variable, member, default_, least, most, unit, text)                      \
    {                                                                                              \
        .name = flag, .env = variable, .type = OPT_INT, .offset = offsetof(struct conf, member),   \
        .def = default_, .min = least, .max = most, .metavar = unit, .help = text                  \
    }

static const struct opt options[] = {
    {.name = "listen",
     .env = "SQUAD_LISTEN",
     .type = OPT_STR,
     .offset = offsetof(struct conf, listen),
     .def = "127.0.0.1:8080",
     .metavar = "HOST:PORT",
     .help = "where to serve HTTP"},
    INT_OPTION("batch-max", "SQUAD_BATCH_MAX", batch_max, "256", 1, BATCH_MAX, "N",
               "most tickets stored in one transaction"),
    INT_OPTION("queue-max", "SQUAD_QUEUE_MAX", queue_max, "4096", 1, 1000000, "N",
               "requests waiting beyond this get 503"),
    INT_OPTION("request-timeout", "SQUAD_REQUEST_TIMEOUT_MS", request_timeout_ms, "5000", 100,
               600000, "MS", "a request not stored by then gets 503"),
    INT_OPTION("header-timeout", "SQUAD_HEADER_TIMEOUT_MS", header_timeout_ms, "10000", 100, 600000,
               "MS", "time for a client to send a request's head"),
    INT_OPTION("body-timeout", "SQUAD_BODY_TIMEOUT_MS", body_timeout_ms, "10000", 100, 600000, "MS",
               "time to send a body, and to take the answer"),
    INT_OPTION("idle-timeout", "SQUAD_IDLE_TIMEOUT_MS", idle_timeout_ms, "75000", 100, 3600000,
               "MS", "time between two requests of a connection"),
    INT_OPTION("max-connections", "SQUAD_MAX_CONNECTIONS", connections_max, "4096", 1, 100000, "N",
               "connections at the same time"),
    INT_OPTION("max-connections-per-ip", "SQUAD_MAX_CONNECTIONS_PER_IP", connections_per_ip_max,
               "4096", 1, 100000, "N", "of these, from one address"),
    OPT_COMMON(struct conf),
};

static const struct opt_set option_set = {
    .program = "squad-intake",
    .summary = "Accepts tickets over HTTP and stores them, each with its event, in PostgreSQL.",
    .examples = "  squad-intake --listen 127.0.0.1:8080 --db 'host=db dbname=squad'\n",
    .opts = options,
    .n_opts = sizeof options / sizeof *options,
};

static void on_fatal(void *ctx, const struct err *err)
{
    struct intake *in = ctx;
    in->fatal = *err;
    loop_stop(in->loop);
}

/* A descriptor a connection, and some for ourselves. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int start(struct intake *in, const struct conf *conf, struct err *reterr)
{
    if (loop_new(&in->loop, reterr))
        return -1;
    in->request_timeout_ms = conf->request_timeout_ms;
    in->seal = seal_new();
    if (http_new(&in->http,
                 &(struct http_options){
                     .loop = in->loop,
                     .intake = in,
                     .resources = public_resources,
                     .listen = conf->listen,
                     .header_timeout_ms = conf->header_timeout_ms,
                     .body_timeout_ms = conf->body_timeout_ms,
                     .idle_timeout_ms = conf->idle_timeout_ms,
                     .connections_max = conf->connections_max,
                     .connections_per_ip_max = conf->connections_per_ip_max,
                 },
                 reterr))
        return -1;
    in->store = store_new(&(struct store_options){
        .loop = in->loop,
        .db = conf->common.db,
        .batch_max = conf->batch_max,
        .queue_max = conf->queue_max,
        .request_timeout_ms = conf->request_timeout_ms,
        .on_fatal = on_fatal,
        .ctx = in,
    });
    in->lookup = lookup_new(&(struct lookup_options){
        .loop = in->loop,
        .db = conf->common.db,
        .resources = public_resources,
        .seal = in->seal,
        .queue_max = conf->queue_max,
        .request_timeout_ms = conf->request_timeout_ms,
        .on_fatal = on_fatal,
        .ctx = in,
    });
    LOG(INFO, "serving HTTP", F_STR("address", http_address(in->http)));
    return 0;
}

static void turn(struct intake *in)
{
    loop_once(in->loop, http_wait_ms(in->http));
    http_turn(in->http);
    store_turn(in->store);
}

static int serve(struct intake *in)
{
    while (!loop_stopping(in->loop))
        turn(in);
    return in->fatal.kind ? -1 : 0;
}

/* Everyone who got in is answered; who has not sent a whole request by the deadline is not. */
static int finish(struct intake *in, long shutdown_ms)
{
    uint64_t deadline_ms = loop_stopping_since_ms(in->loop) + (uint64_t)shutdown_ms;
    in->draining = true;
    http_drain(in->http);
    watch_wake_all(lookup_watch(in->lookup));
    while (!http_drained(in->http)) {
        if (now_ms() > deadline_ms)
            return http_owes(in->http) ? -1 : 0;
        turn(in);
    }
    return 0;
}

static void stop(struct intake *in)
{
    http_free(in->http);
    store_free(in->store);
    lookup_free(in->lookup);
    seal_free(in->seal);
    request_pool_free();
    loop_free(in->loop);
}

int main(int argc, char **argv)
{
    struct conf conf = {0};
    struct intake in = {0};
    struct err err = {0};
    loop_block_signals();
    opt_start(&option_set, argc, argv, &conf);
    if (conf.common.drain)
        return EXIT_OK; /* nothing is ever left behind in this process */
    mallopt(M_ARENA_MAX, 1);
    raise_file_limit();
    if (start(&in, &conf, &err)) {
        log_err(LOG_ERROR, "could not start", &err);
        return (int)err.exit_code;
    }
    if (serve(&in)) {
        log_err(LOG_ERROR, "could not start", &in.fatal);
        return (int)in.fatal.exit_code;
    }
    if (finish(&in, conf.common.shutdown_ms)) {
        LOG(ERROR, "could not answer every request within the shutdown deadline");
        return EXIT_DEADLINE;
    }
    stop(&in);
    LOG(INFO, "stopped");
    return EXIT_OK;
}
