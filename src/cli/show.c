/* squad ticket show: the timeline of one ticket across all programs. */
#include "show.h"

#include "find.h"
#include "mem.h"
#include "out.h"
#include "sql.h"
#include "table.h"
#include "ticket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_WAIT_MS = 5000, SLACK_US = 5000000, STATEMENT_MS = 30000 };

struct show_conf {
    struct conf_common common;
    bool json, no_kafka;
};

static const struct pg_stmt stmts[] = {
    {"show_ticket", sql_show_ticket, 2, false},   {"show_events", sql_show_events, 1, false},
    {"show_outbox", sql_show_outbox, 2, false},   {"outbox_at", sql_outbox_at, 1, false},
    {"outbox_range", sql_outbox_range, 0, false},
};

static int find_ticket(struct pg *pg, const char *text, PGresult **ret, struct err *reterr)
{
    struct ticket_name name;
    struct pg_params p = {0};
    if (find_ticket_name(text, &name, reterr))
        return -1;
    pg_param_text(&p, name.is_id ? NULL : name.ref);
    pg_param_text(&p, name.is_id ? text : NULL);
    if (pg_run(pg, "show_ticket", &p, ret, reterr))
        return -1;
    if (PQntuples(*ret) == 1)
        return 0;
    PQclear(*ret);
    *ret = NULL;
    return err_fatal(reterr, EXIT_FOUND, "there is no ticket %s", name.is_id ? text : name.ref);
}

/* A seq below all rows written after at_us: seq and time grow together but for the transactions
 * that overlap. */
static int seq_before(struct pg *pg, int64_t at_us, int64_t *ret, struct err *reterr)
{
    _cleanup_result_ PGresult *range = NULL;
    if (pg_run(pg, "outbox_range", NULL, &range, reterr))
        return -1;
    int64_t low = pg_get_int8(range, 0, 0), high = pg_get_int8(range, 0, 1);
    while (low < high) {
        _cleanup_result_ PGresult *res = NULL;
        struct pg_params p = {0};
        int64_t middle = low + (high - low) / 2;
        pg_param_int8(&p, middle);
        if (pg_run(pg, "outbox_at", &p, &res, reterr))
            return -1;
        if (PQntuples(res) && pg_get_int8(res, 0, 1) < at_us - SLACK_US)
            low = pg_get_int8(res, 0, 0) + 1;
        else
            high = middle;
    }
    *ret = low;
    return 0;
}

static int find_outbox(struct pg *pg, const PGresult *ticket, struct published **ret_events,
                       size_t *ret_n, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params p = {0};
    int64_t seq;
    if (seq_before(pg, pg_get_int8(ticket, 0, 8), &seq, reterr))
        return -1;
    pg_param_int8(&p, seq);
    pg_param_text(&p, pg_get_text(ticket, 0, 0));
    if (pg_run(pg, "show_outbox", &p, &res, reterr))
        return -1;
    *ret_n = (size_t)PQntuples(res);
    *ret_events = mem_new(*ret_n, sizeof **ret_events);
    for (int row = 0; row < PQntuples(res); row++) {
        struct published *e = *ret_events + row;
        e->topic = (unsigned)pg_get_int8(res, row, 1);
        e->written_us = pg_get_int8(res, row, 3);
        pg_get_uuid(res, row, 0, e->id);
        snprintf(e->type, sizeof e->type, "%s", pg_get_text(res, row, 2));
    }
    return 0;
}

/* The timeline is an array of {"at_us","kind","program","detail"} until it is sorted. */
static void add_event(json_t *events, int64_t at_us, const char *kind, const char *program,
                      json_t *detail)
{
    json_array_append_new(events, json_pack("{s:I,s:s,s:s,s:o}", "at_us", (json_int_t)at_us, "kind",
                                            kind, "program", program, "detail", detail));
}

static int add_tables(struct pg *pg, const PGresult *ticket, json_t *events, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params p = {0};
    pg_param_text(&p, pg_get_text(ticket, 0, 0));
    if (pg_run(pg, "show_events", &p, &res, reterr))
        return -1;
    for (int i = 0; i < PQntuples(res); i++) {
        json_t *detail = json_loads(pg_get_text(res, i, 3), 0, NULL);
        add_event(events, pg_get_int8(res, i, 0), pg_get_text(res, i, 1), pg_get_text(res, i, 2),
                  detail ? detail : json_object());
    }
    return 0;
}

/* The record's time is in whole milliseconds, so it can look earlier than the row's. */
static void add_published(const struct conf_common *common, const struct published *e,
                          json_t *events)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(e->id, id);
    json_t *detail = json_pack("{s:s,s:s,s:s+}", "type", e->type, "event_id", id, "topic",
                               common->topic_prefix, e->topic == 0 ? ".tickets" : ".notices");
    if (e->found) {
        json_object_set_new(detail, "partition", json_integer(e->partition));
        json_object_set_new(detail, "offset", json_integer(e->offset));
    }
    bool later = e->found && e->published_us > e->written_us;
    add_event(events, later ? e->published_us : e->written_us, e->found ? "published" : "written",
              e->found ? "relay" : "outbox", detail);
}

static int64_t at_of(const json_t *event)
{
    return json_integer_value(json_object_get(event, "at_us"));
}

/* Insertion sort: stable, and timelines are short. */
static void sort_events(json_t *events)
{
    for (size_t i = 1; i < json_array_size(events); i++) {
        size_t j = i;
        json_t *e = json_incref(json_array_get(events, i));
        while (j > 0 && at_of(json_array_get(events, j - 1)) > at_of(e))
            j--;
        json_array_remove(events, i);
        json_array_insert_new(events, j, e);
    }
}

static json_t *text_or_null(const PGresult *res, int col)
{
    const char *text = pg_get_text(res, 0, col);
    return text ? json_string(text) : json_null();
}

static json_t *int_or_null(const PGresult *res, int col)
{
    return pg_get_text(res, 0, col) ? json_integer((json_int_t)pg_get_int8(res, 0, col))
                                    : json_null();
}

static void print_json(const PGresult *t, json_t *events)
{
    char at[OUT_TEXT_MAX];
    size_t i;
    json_t *e, *list = json_array();
    int64_t before = 0;
    json_array_foreach(events, i, e)
    {
        int64_t us = at_of(e);
        json_array_append_new(list, json_pack("{s:s,s:O,s:O,s:O,s:f}", "at", out_rfc3339(at, us),
                                              "kind", json_object_get(e, "kind"), "program",
                                              json_object_get(e, "program"), "detail",
                                              json_object_get(e, "detail"), "since_ms",
                                              i ? (double)(us - before) / 1000 : 0.0));
        before = us;
    }
    json_t *ticket = json_object();
    static const struct {
        const char *name;
        int col;
        bool number;
    } fields[] = {{"id", 0, false},
                  {"ref", 1, false},
                  {"state", 2, false},
                  {"type", 3, false},
                  {"area", 4, false},
                  {"source", 5, false},
                  {"contract", 6, false},
                  {"client", 7, false},
                  {"priority", 9, true},
                  {"flags", 10, false},
                  {"attempts", 11, true},
                  {"assignment_id", 12, false},
                  {"assignment_state", 13, false},
                  {"expert_id", 14, true},
                  {"expert", 15, false}};
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        json_object_set_new(ticket, fields[k].name,
                            fields[k].number ? int_or_null(t, fields[k].col)
                                             : text_or_null(t, fields[k].col));
    json_object_set_new(ticket, "created_at", json_string(out_rfc3339(at, pg_get_int8(t, 0, 8))));
    out_json(json_pack("{s:o,s:o}", "ticket", ticket, "events", list));
}

static void print_head(const PGresult *t)
{
    const char *flags = pg_get_text(t, 0, 10), *assignment = pg_get_text(t, 0, 12);
    printf("%sticket %s%s is %s: %s in %s", out_style(OUT_BOLD), pg_get_text(t, 0, 1),
           out_style(OUT_PLAIN), pg_get_text(t, 0, 2), pg_get_text(t, 0, 3), pg_get_text(t, 0, 4));
    if (pg_get_text(t, 0, 9))
        printf(", priority %s", pg_get_text(t, 0, 9));
    if (flags && *flags)
        printf(", flagged %s", flags);
    printf("\n");
    if (assignment)
        printf("assignment %s is %s, expert %s: %s\n", assignment, pg_get_text(t, 0, 13),
               pg_get_text(t, 0, 14), pg_get_text(t, 0, 15));
    printf("\n");
}

static void print_text(const PGresult *t, json_t *events)
{
    static const struct table_column columns[] = {
        {"time", false}, {"after", true}, {"step", false}, {"program", false}, {"what", false}};
    struct table *table = table_new(columns, 5);
    size_t i;
    json_t *e;
    int64_t before = 0;
    json_array_foreach(events, i, e)
    {
        char at[OUT_TEXT_MAX], span[OUT_TEXT_MAX];
        const char *kind = json_string_value(json_object_get(e, "kind"));
        char *text = show_text(kind, json_object_get(e, "detail"));
        table_cell(table, "%s", out_time(at, at_of(e)));
        table_cell(table, "%s", i ? out_span(span, at_of(e) - before) : "");
        table_cell(table, "%s", show_label(kind));
        table_cell(table, "%s", json_string_value(json_object_get(e, "program")));
        table_cell(table, "%s", text);
        before = at_of(e);
        free(text);
    }
    print_head(t);
    table_print(table, stdout);
    table_free(table);
}

/* Kafka being away must not hide what the tables know. */
static void find_published(const struct show_conf *conf, struct published *events, size_t n)
{
    struct err err = {0};
    if (!conf->no_kafka && n && show_find_published(&conf->common, events, n, &err)) {
        out_progress_end();
        fprintf(stderr, "warning: %s; partitions and offsets are missing\n", err.text);
    }
    out_progress_end();
}

static int show(const struct show_conf *conf, struct pg *pg, const PGresult *ticket,
                struct err *reterr)
{
    struct published *published;
    size_t n;
    if (find_outbox(pg, ticket, &published, &n, reterr))
        return -1;
    json_t *events = json_array();
    int failed = add_tables(pg, ticket, events, reterr);
    if (!failed) {
        find_published(conf, published, n);
        for (size_t i = 0; i < n; i++)
            add_published(&conf->common, &published[i], events);
        sort_events(events);
        if (conf->json)
            print_json(ticket, events);
        else
            print_text(ticket, events);
    }
    json_decref(events);
    free(published);
    return failed ? -1 : EXIT_OK;
}

static int run(const void *arg, char *const *operands, struct err *reterr)
{
    const struct show_conf *conf = arg;
    struct pg_options options = {.conninfo = conf->common.db,
                                 .stmts = stmts,
                                 .n_stmts = sizeof stmts / sizeof *stmts,
                                 .statement_timeout_ms = STATEMENT_MS};
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *ticket = NULL;
    if (db_open(&pg, &options, CONNECT_WAIT_MS, reterr) ||
        find_ticket(pg, operands[0], &ticket, reterr))
        return -1;
    return show(conf, pg, ticket, reterr);
}

static const struct opt opts[] = {
    OPT_JSON(struct show_conf),
    {.name = "no-kafka",
     .type = OPT_BOOL,
     .offset = offsetof(struct show_conf, no_kafka),
     .help = "tables only; do not look for partitions and offsets"},
    OPT_COMMON_BASE(struct show_conf),
};

const struct command show_command = {
    .name = "ticket show",
    .summary = "one ticket's way through all programs, with times",
    .operands = "REF",
    .n_operands = 1,
    .examples = "  squad ticket show 4V7QK-9XW2M\n"
                "  squad ticket show '4v7qk 9xw2m' --json     # any spelling, or the ticket's id\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .conf_size = sizeof(struct show_conf),
    .run = run,
};
