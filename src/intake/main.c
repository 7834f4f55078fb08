/* squad-intake: accepts tickets over HTTP and stores them with their events. */
#include "admit.h"
#include "intake.h"
#include "log.h"
#include "opt.h"
#include "request.h"
#include "route.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { ADMIN_CONNECTIONS_MAX = 64 };

struct conf {
    struct conf_common common;
    const char *listen;
    long batch_max, queue_max, request_timeout_ms;
    long header_timeout_ms, body_timeout_ms, idle_timeout_ms;
    long connections_max, connections_per_ip_max;
    const char *admin_listen;
    long client_rate, client_burst, address_rate, address_burst;
    struct opt_list hosts, proxies;
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
    {.name = "admin-listen",
     .env = "SQUAD_ADMIN_LISTEN",
     .type = OPT_STR,
     .offset = offsetof(struct conf, admin_listen),
     .def = "",
     .metavar = "HOST:PORT",
     .help = "where to serve /metrics, /livez, /readyz: loopback"},
    INT_OPTION("client-rate", "SQUAD_CLIENT_RATE", client_rate, "100000", 0, 10000000, "N",
               "requests a second of a client; 0: no limit"),
    INT_OPTION("client-burst", "SQUAD_CLIENT_BURST", client_burst, "200000", 1, 10000000, "N",
               "requests of a client at once"),
    INT_OPTION("address-rate", "SQUAD_ADDRESS_RATE", address_rate, "100000", 0, 10000000, "N",
               "requests a second of an address; 0: no limit"),
    INT_OPTION("address-burst", "SQUAD_ADDRESS_BURST", address_burst, "200000", 1, 10000000, "N",
               "requests of an address at once"),
    {.name = "host",
     .env = "SQUAD_HOSTS",
     .type = OPT_LIST,
     .offset = offsetof(struct conf, hosts),
     .metavar = "NAME",
     .help = "Host that is served, others get 421 (default: any)"},
    {.name = "proxy",
     .env = "SQUAD_PROXIES",
     .type = OPT_LIST,
     .offset = offsetof(struct conf, proxies),
     .metavar = "ADDRESS",
     .help = "proxy whose X-Forwarded-For names the client's address"},
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

static int start_admin(struct intake *in, const struct conf *conf, struct err *reterr)
{
    return http_new(&in->admin,
                    &(struct http_options){
                        .loop = in->loop,
                        .intake = in,
                        .resources = admin_resources,
                        .listen = conf->admin_listen,
                        .option = "--admin-listen (SQUAD_ADMIN_LISTEN)",
                        .header_timeout_ms = conf->header_timeout_ms,
                        .body_timeout_ms = conf->body_timeout_ms,
                        .idle_timeout_ms = conf->idle_timeout_ms,
                        .connections_max = ADMIN_CONNECTIONS_MAX,
                        .connections_per_ip_max = ADMIN_CONNECTIONS_MAX,
                    },
                    reterr);
}

static int start(struct intake *in, const struct conf *conf, struct err *reterr)
{
    if (loop_new(&in->loop, reterr))
        return -1;
    in->request_timeout_ms = conf->request_timeout_ms;
    in->seal = seal_new();
    in->metrics.started_s = (uint64_t)wall_us() / 1000000;
    if (admit_new(&in->admit,
                  &(struct admit_options){
                      .hosts = conf->hosts,
                      .proxies = conf->proxies,
                      .address = {conf->address_rate, conf->address_burst},
                      .client = {conf->client_rate, conf->client_burst},
                  },
                  reterr))
        return -1;
    if (http_new(&in->http,
                 &(struct http_options){
                     .loop = in->loop,
                     .intake = in,
                     .resources = public_resources,
                     .listen = conf->listen,
                     .option = "--listen (SQUAD_LISTEN)",
                     .admit = in->admit,
                     .header_timeout_ms = conf->header_timeout_ms,
                     .body_timeout_ms = conf->body_timeout_ms,
                     .idle_timeout_ms = conf->idle_timeout_ms,
                     .connections_max = conf->connections_max,
                     .connections_per_ip_max = conf->connections_per_ip_max,
                 },
                 reterr))
        return -1;
    if (*conf->admin_listen && start_admin(in, conf, reterr))
        return -1;
    in->store = store_new(&(struct store_options){
        .metrics = &in->metrics,
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
    LOG(INFO, "serving HTTP", F_STR("address", http_address(in->http)),
        F_STR("admin", in->admin ? http_address(in->admin) : "none"));
    return 0;
}

static int wait_ms(struct intake *in)
{
    int ms = http_wait_ms(in->http), admin_ms = in->admin ? http_wait_ms(in->admin) : -1;
    if (ms < 0 || admin_ms < 0)
        return ms > admin_ms ? ms : admin_ms;
    return ms < admin_ms ? ms : admin_ms;
}

static void turn(struct intake *in)
{
    loop_once(in->loop, wait_ms(in));
    http_turn(in->http);
    if (in->admin)
        http_turn(in->admin);
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
    http_free(in->admin);
    store_free(in->store);
    lookup_free(in->lookup);
    seal_free(in->seal);
    admit_free(in->admit);
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
    /* Unless asked for: libpq would load and keep Kerberos, a megabyte. TLS is as it was. */
    setenv("PGGSSENCMODE", "disable", 0);
    raise_file_limit();
    if (start(&in, &conf, &err)) {
        log_err(LOG_ERROR, "could not start", &err);
        stop(&in);
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
