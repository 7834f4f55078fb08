/* squad status: one screen of what is there, what waits, and where. */
#include "command.h"
#include "db.h"
#include "group_lag.h"
#include "loop.h"
#include "out.h"
#include "sql.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_WAIT_MS = 5000, STATEMENT_MS = 30000, EXPERTS_MAX = 1000, WATCH_MAX_S = 3600 };

struct status_conf {
    struct conf_common common;
    bool json, no_kafka;
    long watch_s, experts;
};

static const struct pg_stmt stmts[] = {
    {"status", sql_status, 1, false},
    {"status_parked", sql_status_parked, 0, false},
    {"status_experts", sql_status_experts, 1, false},
};

struct status {
    const struct status_conf *conf;
    PGresult *facts, *parked, *experts; /* owned */
    struct group_lag assigner, notifier;
    struct err kafka; /* kind ERR_NONE: it answered */
};

static void status_clear(struct status *s)
{
    PQclear(s->facts);
    PQclear(s->parked);
    PQclear(s->experts);
    *s = (struct status){.conf = s->conf};
}

static int read_tables(struct pg *pg, struct status *s, struct err *reterr)
{
    struct pg_params relay = {0}, limit = {0};
    pg_param_text(&relay, s->conf->common.topic_prefix);
    pg_param_int8(&limit, s->conf->experts);
    out_progress("counting rows");
    if (pg_run(pg, "status", &relay, &s->facts, reterr) ||
        pg_run(pg, "status_parked", NULL, &s->parked, reterr) ||
        pg_run(pg, "status_experts", &limit, &s->experts, reterr))
        return -1;
    return 0;
}

static void read_kafka(struct status *s)
{
    if (s->conf->no_kafka)
        return;
    out_progress("asking Kafka");
    if (group_lag_assigner(&s->conf->common, &s->assigner, &s->kafka) == 0)
        group_lag_notifier(&s->conf->common, &s->notifier, &s->kafka);
    out_progress_end();
}

static int64_t fact(const struct status *s, const char *name)
{
    return pg_get_int8(s->facts, 0, PQfnumber(s->facts, name));
}

static bool known(const struct status *s, const char *name)
{
    return !PQgetisnull(s->facts, 0, PQfnumber(s->facts, name));
}

/* ", oldest 3.2 s", or nothing. */
static const char *oldest(const struct status *s, const char *name, char buf[2 * OUT_TEXT_MAX])
{
    char span[OUT_TEXT_MAX];
    buf[0] = '\0';
    if (known(s, name))
        snprintf(buf, 2 * OUT_TEXT_MAX, ", oldest %s", out_span(span, fact(s, name)));
    return buf;
}

static void line(const char *title)
{
    printf("%s%-9s%s ", out_style(OUT_BOLD), title, out_style(OUT_PLAIN));
}

static void print_tickets(const struct status *s)
{
    char age[2 * OUT_TEXT_MAX];
    line("tickets");
    printf("%" PRId64 ": %" PRId64 " received, %" PRId64 " parked, %" PRId64 " in review, %" PRId64
           " quarantined, %" PRId64 " assigned, %" PRId64 " completed, %" PRId64 " canceled\n",
           fact(s, "tickets"), fact(s, "received"), fact(s, "parked"), fact(s, "review"),
           fact(s, "quarantined"), fact(s, "assigned"), fact(s, "completed"), fact(s, "canceled"));
    if (fact(s, "received"))
        printf("%10s%" PRId64 " not yet seen by an assigner%s\n", "", fact(s, "received"),
               oldest(s, "received_oldest_us", age));
    if (fact(s, "review"))
        printf("%10s%" PRId64 " need a person%s\n", "", fact(s, "review"),
               oldest(s, "review_oldest_us", age));
    if (fact(s, "quarantined"))
        printf("%10s%" PRId64 " quarantined%s; squad ticket quarantined lists them\n", "",
               fact(s, "quarantined"), oldest(s, "quarantined_oldest_us", age));
    if (!fact(s, "parked"))
        return;
    printf("%10s%" PRId64 " parked%s:", "", fact(s, "parked"), oldest(s, "parked_oldest_us", age));
    for (int i = 0; i < PQntuples(s->parked); i++)
        printf("%s %s %" PRId64, i ? "," : "", pg_get_text(s->parked, i, 0),
               pg_get_int8(s->parked, i, 1));
    printf("\n");
}

static void print_outbox(const struct status *s)
{
    char age[2 * OUT_TEXT_MAX], since[OUT_TEXT_MAX], copied[OUT_TEXT_MAX];
    line("outbox");
    printf("%" PRId64 " rows, latest seq %" PRId64 "; %" PRId64 " unpublished%s\n",
           fact(s, "outbox"), fact(s, "outbox_seq"), fact(s, "unpublished"),
           oldest(s, "unpublished_oldest_us", age));
    line("relay");
    if (!known(s, "leader")) {
        printf("%sno relay has published yet%s\n", out_style(OUT_YELLOW), out_style(OUT_PLAIN));
        return;
    }
    printf("%s leads since %s; position written %s ago; %" PRId64 " events in %" PRId64
           " transactions",
           pg_get_text(s->facts, 0, PQfnumber(s->facts, "leader")),
           out_span(since, fact(s, "leader_us")), out_span(copied, fact(s, "position_us")),
           fact(s, "relay_rows"), fact(s, "relay_transactions"));
    if (fact(s, "dead"))
        printf(", %s%" PRId64 " dead letters%s", out_style(OUT_RED), fact(s, "dead"),
               out_style(OUT_PLAIN));
    printf("\n");
}

static void print_group(const char *name, const struct group_lag *lag)
{
    printf("%s %s%" PRId64 " behind%s", name, lag->exact ? "" : "about ", lag->events,
           lag->committed || !lag->events ? "" : " (it has never run)");
}

static void print_kafka(const struct status *s)
{
    line("kafka");
    if (s->conf->no_kafka) {
        printf("not asked\n");
    } else if (s->kafka.kind) {
        printf("%s%s%s\n", out_style(OUT_RED), s->kafka.text, out_style(OUT_PLAIN));
    } else {
        print_group("assigner", &s->assigner);
        print_group(", notifier", &s->notifier);
        printf("\n");
    }
}

static void print_notices(const struct status *s)
{
    char age[2 * OUT_TEXT_MAX];
    line("notices");
    printf("%" PRId64 " pending, %" PRId64 " being sent or retried%s; %" PRId64
           " delivered, %" PRId64 " undeliverable\n",
           fact(s, "pending"), fact(s, "retrying"), oldest(s, "notice_oldest_us", age),
           fact(s, "delivered"), fact(s, "undeliverable"));
}

static void print_experts(const struct status *s)
{
    static const struct table_column columns[] = {
        {"expert", true}, {"name", false}, {"used", true}, {"slots", true}, {"skills", false}};
    int n = PQntuples(s->experts);
    line("experts");
    if (!n) {
        printf("none; squad seed puts in a few to try with\n");
        return;
    }
    printf("%" PRId64 ", %" PRId64 " of %" PRId64 " slots used\n", pg_get_int8(s->experts, 0, 5),
           pg_get_int8(s->experts, 0, 6), pg_get_int8(s->experts, 0, 7));
    struct table *table = table_new(columns, 5);
    for (int i = 0; i < n; i++) {
        const char *skills = pg_get_text(s->experts, i, 8);
        table_cell(table, "%" PRId64, pg_get_int8(s->experts, i, 0));
        table_cell(table, "%s%s", pg_get_text(s->experts, i, 1),
                   pg_get_bool(s->experts, i, 2) ? "" : " (inactive)");
        table_cell(table, "%" PRId64, pg_get_int8(s->experts, i, 3));
        table_cell(table, "%" PRId64, pg_get_int8(s->experts, i, 4));
        table_cell(table, "%s", skills ? skills : "");
    }
    table_print(table, stdout);
    table_free(table);
    if (n < pg_get_int8(s->experts, 0, 5))
        printf("  ... and %" PRId64 " more (--experts N)\n", pg_get_int8(s->experts, 0, 5) - n);
}

static void print_text(const struct status *s)
{
    char at[OUT_TEXT_MAX];
    printf("%s\n", out_time(at, wall_us()));
    print_tickets(s);
    print_outbox(s);
    print_kafka(s);
    print_notices(s);
    print_experts(s);
    fflush(stdout);
}

/* Names as in status.sql, grouped for people who read JSON. */
static const struct {
    const char *group, *name, *fact;
} json_facts[] = {
    {"tickets", "total", "tickets"},
    {"tickets", "received", "received"},
    {"tickets", "review", "review"},
    {"tickets", "quarantined", "quarantined"},
    {"tickets", "parked", "parked"},
    {"tickets", "assigned", "assigned"},
    {"tickets", "completed", "completed"},
    {"tickets", "canceled", "canceled"},
    {"tickets", "received_oldest_us", "received_oldest_us"},
    {"tickets", "review_oldest_us", "review_oldest_us"},
    {"tickets", "quarantined_oldest_us", "quarantined_oldest_us"},
    {"tickets", "parked_oldest_us", "parked_oldest_us"},
    {"outbox", "rows", "outbox"},
    {"outbox", "seq", "outbox_seq"},
    {"outbox", "unpublished", "unpublished"},
    {"outbox", "unpublished_oldest_us", "unpublished_oldest_us"},
    {"relay", "leader_for_us", "leader_us"},
    {"relay", "position_age_us", "position_us"},
    {"relay", "rows", "relay_rows"},
    {"relay", "transactions", "relay_transactions"},
    {"relay", "dead", "dead"},
    {"notices", "pending", "pending"},
    {"notices", "retrying", "retrying"},
    {"notices", "delivered", "delivered"},
    {"notices", "undeliverable", "undeliverable"},
    {"notices", "oldest_us", "notice_oldest_us"},
};

static json_t *json_lag(const struct status *s, const struct group_lag *lag)
{
    if (s->kafka.kind || s->conf->no_kafka)
        return json_null();
    return json_integer((json_int_t)lag->events);
}

static json_t *json_experts(const struct status *s)
{
    json_t *list = json_array();
    for (int i = 0; i < PQntuples(s->experts); i++)
        json_array_append_new(list, json_pack("{s:I,s:s,s:b,s:I,s:I}", "id",
                                              (json_int_t)pg_get_int8(s->experts, i, 0), "name",
                                              pg_get_text(s->experts, i, 1), "active",
                                              pg_get_bool(s->experts, i, 2), "load",
                                              (json_int_t)pg_get_int8(s->experts, i, 3), "capacity",
                                              (json_int_t)pg_get_int8(s->experts, i, 4)));
    return list;
}

static void print_json(const struct status *s)
{
    json_t *o = json_object(), *reasons = json_object();
    for (size_t i = 0; i < sizeof json_facts / sizeof *json_facts; i++) {
        json_t *group = json_object_get(o, json_facts[i].group);
        if (!group) {
            group = json_object();
            json_object_set_new(o, json_facts[i].group, group);
        }
        json_object_set_new(group, json_facts[i].name,
                            known(s, json_facts[i].fact)
                                ? json_integer((json_int_t)fact(s, json_facts[i].fact))
                                : json_null());
    }
    const char *leader = pg_get_text(s->facts, 0, PQfnumber(s->facts, "leader"));
    json_object_set_new(json_object_get(o, "relay"), "leader",
                        leader ? json_string(leader) : json_null());
    for (int i = 0; i < PQntuples(s->parked); i++)
        json_object_set_new(reasons, pg_get_text(s->parked, i, 0),
                            json_integer((json_int_t)pg_get_int8(s->parked, i, 1)));
    json_object_set_new(json_object_get(o, "tickets"), "parked_reasons", reasons);
    json_object_set_new(o, "lag",
                        json_pack("{s:o,s:o}", "assigner", json_lag(s, &s->assigner), "notifier",
                                  json_lag(s, &s->notifier)));
    json_object_set_new(o, "kafka_error", s->kafka.kind ? json_string(s->kafka.text) : json_null());
    json_object_set_new(o, "experts", json_experts(s));
    out_json(o);
}

static int show_once(struct pg *pg, struct status *s, struct err *reterr)
{
    int failed = read_tables(pg, s, reterr);
    out_progress_end();
    if (failed) {
        status_clear(s);
        return -1;
    }
    read_kafka(s);
    if (s->conf->watch_s && isatty(STDOUT_FILENO))
        printf("\033[H\033[2J");
    if (s->conf->json)
        print_json(s);
    else
        print_text(s);
    int code = s->kafka.kind ? EXIT_KAFKA : EXIT_OK;
    status_clear(s);
    return code;
}

static int run(const void *arg, char *const *operands, struct err *reterr)
{
    const struct status_conf *conf = arg;
    struct pg_options options = {.conninfo = conf->common.db,
                                 .stmts = stmts,
                                 .n_stmts = sizeof stmts / sizeof *stmts,
                                 .statement_timeout_ms = STATEMENT_MS};
    struct status s = {.conf = conf};
    _cleanup_pg_ struct pg *pg = NULL;
    (void)operands;
    if (db_open(&pg, &options, CONNECT_WAIT_MS, reterr))
        return -1;
    int code = show_once(pg, &s, reterr);
    while (code >= 0 && conf->watch_s) {
        sleep((unsigned)conf->watch_s);
        code = show_once(pg, &s, reterr);
    }
    return code;
}

static const struct opt opts[] = {
    {.name = "watch",
     .letter = 'w',
     .type = OPT_INT,
     .offset = offsetof(struct status_conf, watch_s),
     .max = WATCH_MAX_S,
     .metavar = "SECONDS",
     .help = "show it again and again, until interrupted"},
    {.name = "experts",
     .type = OPT_INT,
     .offset = offsetof(struct status_conf, experts),
     .def = "12",
     .min = 1,
     .max = EXPERTS_MAX,
     .metavar = "N",
     .help = "how many experts to list, the fullest first"},
    {.name = "no-kafka",
     .type = OPT_BOOL,
     .offset = offsetof(struct status_conf, no_kafka),
     .help = "tables only"},
    OPT_JSON(struct status_conf),
    OPT_COMMON_BASE(struct status_conf),
};

const struct command status_command = {
    .name = "status",
    .summary = "one screen: what is there, what waits, and for how long",
    .examples = "  squad status\n"
                "  squad status --watch 2\n"
                "  squad status --json | jq .lag\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .conf_size = sizeof(struct status_conf),
    .run = run,
};
