#include "metrics.h"

#include "intake.h"
#include "request.h"
#include "resources.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint64_t us_bounds[METRICS_BUCKETS] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 5000000, 30000000};
static const uint64_t size_bounds[METRICS_BUCKETS] = {1,  2,   4,   8,   16,  32,
                                                      64, 128, 192, 256, 384, 512};

static void observe(struct histogram *h, const uint64_t bounds[METRICS_BUCKETS], uint64_t value)
{
    int i = 0;
    while (i < METRICS_BUCKETS && value > bounds[i])
        i++;
    h->bucket[i]++;
    h->sum += value;
}

void metrics_answered(struct metrics *m, const struct request *r)
{
    size_t i = 1;
    unsigned digit = r->reply.status / 100;
    if (!r->route)
        i = 0;
    else
        while (i < METRICS_ROUTES_MAX - 1 && m->routes[i].route && m->routes[i].route != r->route)
            i++;
    m->routes[i].route = r->route;
    m->routes[i].by_class[digit < 6 ? digit : 5]++;
    if (!r->wait_until_ms) /* a long poll is slow by wish */
        observe(&m->request_us, us_bounds, now_us() - r->started_us);
}

void metrics_batch(struct metrics *m, size_t tickets, uint64_t us)
{
    observe(&m->batch_tickets, size_bounds, tickets);
    observe(&m->batch_us, us_bounds, us);
}

/* --- the page --- */

static void line(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(struct text *t, const char *fmt, ...)
{
    char s[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s, sizeof s, fmt, ap);
    va_end(ap);
    text_str(t, s);
    text_str(t, "\n");
}

static void head(struct text *t, const char *name, const char *type, const char *help)
{
    line(t, "# HELP %s %s", name, help);
    line(t, "# TYPE %s %s", name, type);
}

static void gauge(struct text *t, const char *name, const char *help, double value)
{
    head(t, name, "gauge", help);
    line(t, "%s %.15g", name, value);
}

/* unit divides values and bounds: 1e6 makes seconds of microseconds. */
static void put_histogram(struct text *t, const char *name, const char *help,
                          const struct histogram *h, const uint64_t bounds[METRICS_BUCKETS],
                          double unit)
{
    uint64_t n = 0;
    head(t, name, "histogram", help);
    for (int i = 0; i < METRICS_BUCKETS; i++) {
        n += h->bucket[i];
        line(t, "%s_bucket{le=\"%g\"} %llu", name, (double)bounds[i] / unit, (unsigned long long)n);
    }
    n += h->bucket[METRICS_BUCKETS];
    line(t, "%s_bucket{le=\"+Inf\"} %llu", name, (unsigned long long)n);
    line(t, "%s_sum %.15g", name, (double)h->sum / unit);
    line(t, "%s_count %llu", name, (unsigned long long)n);
}

static void put_requests(struct text *t, const struct metrics *m)
{
    head(t, "squad_http_requests_total", "counter",
         "Requests answered, by route and class of status.");
    for (size_t i = 0; i < METRICS_ROUTES_MAX; i++)
        for (int c = 1; c < 6; c++)
            if (m->routes[i].by_class[c])
                line(t,
                     "squad_http_requests_total{method=\"%s\",route=\"%s\",status=\"%dxx\"} %llu",
                     m->routes[i].route ? m->routes[i].route->method : "",
                     m->routes[i].route ? m->routes[i].route->pattern : "", c,
                     (unsigned long long)m->routes[i].by_class[c]);
}

static void put_tickets(struct text *t, const struct metrics *m)
{
    static const char *const outcomes[] = {"created", "replayed", "other_body", "refused",
                                           "unavailable"};
    head(t, "squad_tickets_total", "counter", "Tickets handed to PostgreSQL, by outcome.");
    for (int i = 0; i < 5; i++)
        line(t, "squad_tickets_total{outcome=\"%s\"} %llu", outcomes[i],
             (unsigned long long)m->tickets[i]);
    head(t, "squad_rate_limited_total", "counter",
         "Requests answered 429, by whose quota was used up.");
    line(t, "squad_rate_limited_total{by=\"address\"} %llu", (unsigned long long)m->limited[0]);
    line(t, "squad_rate_limited_total{by=\"client\"} %llu", (unsigned long long)m->limited[1]);
}

static double resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void put_gauges(struct text *t, const struct intake *in)
{
    gauge(t, "squad_store_waiting", "Tickets waiting for a batch.",
          (double)store_waiting(in->store));
    gauge(t, "squad_lookup_waiting", "Other requests waiting for PostgreSQL.",
          (double)lookup_waiting(in->lookup));
    gauge(t, "squad_long_polls", "Requests that wait for a change.",
          (double)watch_count(lookup_watch(in->lookup)));
    gauge(t, "squad_connections", "Open connections of clients.",
          (double)http_connections(in->http));
    gauge(t, "squad_postgres_up", "1 when both sessions with PostgreSQL stand.",
          store_up(in->store) && lookup_up(in->lookup));
    gauge(t, "squad_draining", "1 when the process is about to stop.", in->draining);
    gauge(t, "process_resident_memory_bytes", "Memory in use.", resident_bytes());
    gauge(t, "process_start_time_seconds", "When the process began, since 1970.",
          (double)in->metrics.started_s);
    head(t, "squad_build_info", "gauge", "Version of the program.");
    line(t, "squad_build_info{version=\"%s\",schema=\"%d\"} 1", SQUAD_VERSION, pg_schema_version);
}

static void get_metrics(struct request *r)
{
    const struct metrics *m = &r->intake->metrics;
    struct text *t = reply_start(r, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8");
    put_requests(t, m);
    put_histogram(t, "squad_http_request_seconds",
                  "From the head of a request to its answer; without long polls.", &m->request_us,
                  us_bounds, 1e6);
    put_tickets(t, m);
    put_histogram(t, "squad_store_batch_tickets", "Tickets in a transaction.", &m->batch_tickets,
                  size_bounds, 1);
    put_histogram(t, "squad_store_batch_seconds", "From sending a batch to its commit.",
                  &m->batch_us, us_bounds, 1e6);
    put_gauges(t, r->intake);
}

static const struct route routes[] = {
    {"GET", "/metrics", get_metrics, 0, TAKES_NOTHING, GIVES_TEXT | GIVES_JSON},
};

const struct resource metrics_resource = {routes, sizeof routes / sizeof *routes, NULL, 0};
