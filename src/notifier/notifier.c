#include "notifier.h"

#include "consumer.h"
#include "crash.h"
#include "delivery.h"
#include "log.h"
#include "signature.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

enum {
    CLOSE_TIMEOUT_MS = 3000,
    RETRY_MS = 250,
    STATEMENT_TIMEOUT_MS = 30000,
    LOCK_TIMEOUT_MS = 250,  /* nobody is told, and no answer read, while it waits */
    CLAIM_MARGIN_MS = 5000, /* a claim outlives the attempt's own time-out by this */
    CLAIM_MAX = 64,         /* notices claimed in one statement */
    CLAIMS_A_TURN = 16,     /* what can not be sent takes no place, and must not keep the loop */
    PASS_MS = 50,           /* at most so often it looks past the notices of full hosts */
};

struct notifier {
    const struct notifier_conf *conf;
    struct loop *loop;
    struct pg *pg;
    struct consumer *consumer;
    struct sender *sender;
    struct hosts hosts;
    struct pg_array busy_hosts, busy_counts;
    struct company company;
    struct results results;
    char actor[96];
    long in_flight;
    bool due;    /* look at the table now */
    bool empty;  /* the last look found nothing more */
    bool hidden; /* a host is full: its notices may hide those of others */
    bool away;   /* said that PostgreSQL is away */
    uint64_t swept_ms, passed_ms, turned_ms;
    uint64_t delivered, failed;
};

static const struct pg_stmt stmts[] = {
    {"claim", sql_claim, 7, false},
    {"reclaim", sql_reclaim, 1, false},
    {"retry", sql_retry, 6, false},
    {"finish", sql_finish, 7, false},
};

static int connect_database(struct notifier *n, struct err *reterr)
{
    struct pg_params params = {0};
    struct pg_options o = {.conninfo = n->conf->common.db,
                           .program = "notifier",
                           .stmts = stmts,
                           .n_stmts = sizeof stmts / sizeof *stmts,
                           .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
                           .lock_timeout_ms = LOCK_TIMEOUT_MS,
                           .setup_sql = PG_STEADY_PLANS,
                           .loop = n->loop,
                           .shutdown_ms = n->conf->common.shutdown_ms};
    if (pg_open(&n->pg, &o, reterr))
        return -1;
    if (n->away)
        LOG(INFO, "PostgreSQL is back");
    n->away = false;
    n->due = true;
    /* Not after a mere cut: what is in flight is still ours. */
    pg_param_text(&params, n->actor);
    CRASH_POINT("notifier.reclaim.before");
    int failed = n->in_flight || n->results.n ? 0 : pg_run(n->pg, "reclaim", &params, NULL, reterr);
    CRASH_POINT("notifier.reclaim.after");
    return failed;
}

/* Events only wake: the table says what is due. */
static int take_events(struct notifier *n, struct err *reterr)
{
    for (;;) {
        rd_kafka_message_t *m = NULL;
        if (consumer_next(n->consumer, &m, reterr))
            return -1;
        if (!m)
            return 0;
        n->due = true;
        rd_kafka_message_destroy(m);
    }
}

/* Not at the first free place, but when some are free: then one claim fills them all. */
static void look_again(struct notifier *n, struct host *host)
{
    if (!host || !host->full || host->in_flight - 1 > n->conf->per_host * 3 / 4)
        return;
    host->full = false;
    n->due = true;
    n->empty = false;
}

static void on_answer(void *ctx, const struct answer *answer)
{
    struct notifier *n = ctx;
    look_again(n, ((struct delivery *)answer->ctx)->host);
    n->in_flight--;
    delivery_end(answer->ctx, answer, &n->hosts, &n->results);
    n->delivered += n->results.items[n->results.n - 1].delivered;
    n->failed += !n->results.items[n->results.n - 1].delivered;
}

static void busy_params(struct notifier *n, struct pg_params *params)
{
    pg_array_reset(&n->busy_hosts);
    pg_array_reset(&n->busy_counts);
    for (const struct host *h = NULL; (h = hosts_next(&n->hosts, h));) {
        pg_array_text(&n->busy_hosts, h->name);
        pg_array_int4(&n->busy_counts, (int32_t)h->in_flight);
    }
    pg_array_param(&n->busy_hosts, params);
    pg_array_param(&n->busy_counts, params);
    pg_param_int4(params, (int32_t)n->conf->per_host);
}

static int claim_some(struct notifier *n, int max, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_text(&params, n->actor);
    pg_param_int8(&params, CLAIM_MARGIN_MS);
    pg_param_int4(&params, max);
    busy_params(n, &params);
    pg_param_text(&params, n->company.webhook);
    CRASH_POINT("notifier.claim.before");
    if (pg_run(n->pg, "claim", &params, &res, reterr))
        return -1;
    if (PQntuples(res))
        CRASH_POINT("notifier.claim.after");
    n->swept_ms = now_ms();
    n->due = PQntuples(res) == max;
    n->hidden = false;
    n->empty = PQntuples(res) == 0;
    for (int row = 0; row < PQntuples(res); row++) {
        const struct delivery *d =
            delivery_begin(n->sender, &n->hosts, &n->results, &n->company, res, row);
        if (!d)
            continue;
        n->in_flight++;
        if (d->host && d->host->in_flight >= n->conf->per_host)
            n->hidden = d->host->full = true;
    }
    return 0;
}

/* Is it time for a look at the table? */
static bool is_due(struct notifier *n)
{
    uint64_t now = now_ms();
    if (n->hidden && now - n->passed_ms >= PASS_MS) {
        n->passed_ms = now;
        n->due = true;
    }
    return n->due || now - n->swept_ms >= (uint64_t)n->conf->sweep_ms;
}

/* A result that is still to be written has the place of its notice, unless it waits for others. */
static long room(const struct notifier *n)
{
    size_t held = results_held(&n->results);
    if (held >= RESULTS_HELD_MAX)
        return 0;
    return n->conf->concurrency - n->in_flight - (long)(n->results.n - held);
}

/* As many as there is room for. */
static int claim(struct notifier *n, struct err *reterr)
{
    for (int i = 0; i < CLAIMS_A_TURN && room(n) > 0 && is_due(n); i++)
        if (claim_some(n, room(n) < CLAIM_MAX ? (int)room(n) : CLAIM_MAX, reterr))
            return -1;
    return 0;
}

/* One turn. Stopping: nothing new is begun. */
static int cycle(struct notifier *n, struct err *reterr)
{
    n->turned_ms = now_ms();
    if (results_wait_ms(&n->results) == 0) {
        if (results_write(&n->results, n->pg, n->actor, reterr))
            return -1;
        n->empty = false; /* what waited for the end of an offer's message is due now */
    }
    if (loop_stopping(n->loop))
        return 0;
    if (take_events(n, reterr) || claim(n, reterr))
        return -1;
    if (!n->due) {
        consumer_settle(n->consumer);
        consumer_tick(n->consumer);
    }
    return 0;
}

/* Returns -1 when it is fatal. Only PostgreSQL gives other errors; Kafka may be away: then the
 * sweep does the work. */
static int in_trouble(struct notifier *n, const struct err *err)
{
    if (err->kind == ERR_FATAL)
        return -1;
    if (!n->away)
        log_err(LOG_WARN, "notifier waits for PostgreSQL", err);
    n->away = true;
    if (!pg_alive(n->pg)) {
        pg_close(n->pg);
        n->pg = NULL;
    }
    loop_once(n->loop, RETRY_MS);
    return 0;
}

static bool is_done(const struct notifier *n)
{
    if (n->in_flight || n->results.n)
        return false;
    return loop_stopping(n->loop) ||
           (n->conf->common.drain && n->empty && consumer_at_end(n->consumer));
}

static bool is_late(const struct notifier *n)
{
    return loop_stopping(n->loop) &&
           now_ms() - loop_stopping_since_ms(n->loop) >= (uint64_t)n->conf->common.shutdown_ms;
}

static void on_wakeup(void *ctx, uint32_t events)
{
    (void)ctx;
    (void)events;
}

/* There are notices for places that are free. */
static bool can_fill(const struct notifier *n)
{
    return n->due && n->in_flight <= n->conf->concurrency * 3 / 4;
}

/* A turn costs the database the same for one notice as for thirty. The first after a calm does not
 * wait, nor do those for whom places were wanting: else a fast host would be told as many in
 * gather_ms as it may have in flight. */
static void gather(struct notifier *n)
{
    for (uint64_t now; !loop_stopping(n->loop) && !can_fill(n) &&
                       (now = now_ms()) - n->turned_ms < (uint64_t)n->conf->gather_ms;)
        loop_once(n->loop, (int)(n->turned_ms + (uint64_t)n->conf->gather_ms - now));
}

/* Until the next turn, when nothing happens. */
static int wait_ms(const struct notifier *n)
{
    int results_ms = results_wait_ms(&n->results);
    if (n->due && room(n) > 0 && !loop_stopping(n->loop))
        return 0;
    return results_ms >= 0 && results_ms < n->conf->sweep_ms ? results_ms : (int)n->conf->sweep_ms;
}

static int run(struct notifier *n, struct err *reterr)
{
    while (!is_done(n)) {
        struct err err = {0};
        if (is_late(n))
            return err_fatal(reterr, EXIT_DEADLINE,
                             "%ld notices were under way at the deadline; they will be sent again",
                             n->in_flight + (long)n->results.n);
        int failed = n->pg ? 0 : connect_database(n, &err);
        if (!failed)
            failed = cycle(n, &err);
        if (failed && in_trouble(n, &err)) {
            *reterr = err;
            return -1;
        }
        loop_once(n->loop, failed || is_done(n) ? 0 : wait_ms(n));
        gather(n);
    }
    return 0;
}

/* A mistake here would use up, one by one, messages that are made only once. */
static int check_company(const struct notifier_conf *conf, struct err *reterr)
{
    const char *url = conf->company_webhook, *secret = conf->company_secret;
    char signature[SIGNATURE_LEN + 1];
    if (url && *url && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return err_fatal(
            reterr, EXIT_CONFIG,
            "option --company-webhook (SQUAD_COMPANY_WEBHOOK) must be an http or https URL");
    if (secret && *secret && !signature_make(secret, "check", 0, "", 0, signature))
        return err_fatal(
            reterr, EXIT_CONFIG,
            "option --company-secret (SQUAD_COMPANY_SECRET) must be whsec_ and base 64");
    return 0;
}

int notifier_run(const struct notifier_conf *conf, struct loop *loop, struct err *reterr)
{
    static const char *const topics[] = {"notices", NULL};
    struct notifier n = {
        .conf = conf,
        .loop = loop,
        .due = true,
        .company = {conf->public_url, conf->company_webhook, conf->company_secret}};
    if (check_company(conf, reterr))
        return -1;
    snprintf(n.actor, sizeof n.actor, "notifier/%s", conf->common.instance);
    pg_array_init(&n.busy_hosts, PG_TEXT);
    pg_array_init(&n.busy_counts, PG_INT4);
    n.consumer =
        consumer_new(&(struct consumer_options){.common = &conf->common,
                                                .name = "notifier",
                                                .suffixes = topics,
                                                .wake_fd = loop_wakeup(loop, on_wakeup, NULL)});
    if (sender_new(&n.sender, loop, conf->concurrency, conf->per_host, on_answer, &n, reterr)) {
        consumer_close(n.consumer, CLOSE_TIMEOUT_MS);
        return -1;
    }
    LOG(INFO, "notifier runs", F_INT("concurrency", conf->concurrency));
    int failed = run(&n, reterr);
    consumer_close(n.consumer, CLOSE_TIMEOUT_MS);
    sender_free(n.sender);
    pg_close(n.pg);
    results_free(&n.results);
    hosts_free(&n.hosts);
    pg_array_free(&n.busy_hosts);
    pg_array_free(&n.busy_counts);
    LOG(INFO, "attempts ended", F_INT("delivered", n.delivered), F_INT("failed", n.failed));
    return failed;
}
