/* squad verify: the order of the proof, and what it prints. */
#include "verify.h"

#include "loop.h"
#include "out.h"
#include "ticket.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_WAIT_MS = 10000, SETTLE_MS = 5000 };

const char *const verify_check_names[CHECKS] = {
    "lost",       "duplicated",   "reordered",  "phantom", "double_assigned",
    "overloaded", "wrong_expert", "unnotified", "stuck",
};

static const char *const meanings[CHECKS] = {
    "tickets without event, events not on their topic, acknowledged references without ticket",
    "events on a topic twice, keys with two tickets",
    "events behind a later one of their key",
    "events on a topic that were never committed, effects without a cause",
    "tickets with two live assignments",
    "experts above capacity, or with a wrong count",
    "assignments to an expert without the skill, the area, or inactive",
    "live assignments whose expert was not told",
    "tickets that wait in silence, and rows that contradict each other",
};

void verify_found(struct verify *v, enum verify_check check, int64_t n, const char *id,
                  const char *what)
{
    v->count[check] += n;
    if (v->n_samples[check] == VERIFY_SAMPLES)
        return;
    struct verify_sample *s = &v->samples[check][v->n_samples[check]++];
    snprintf(s->id, sizeof s->id, "%s", id);
    snprintf(s->what, sizeof s->what, "%s", what);
}

uint64_t verify_content(const struct verify_event *e)
{
    uint64_t h = ledger_hash(0, e->topic, e->topic_size);
    h = ledger_hash(h, e->key, e->key_size);
    h = ledger_hash(h, e->type, e->type_size);
    h = ledger_hash(h, e->traceparent, e->traceparent_size);
    return ledger_hash(h, e->payload, e->payload_size);
}

static void where(char *buf, size_t size, uint64_t place)
{
    snprintf(buf, size, "%s[%d] offset %" PRId64, verify_topics[ledger_place_topic(place)],
             ledger_place_partition(place), ledger_place_offset(place));
}

/* With the row's seq and the record's place. */
static void describe(char *buf, size_t size, const struct ledger_finding *f)
{
    static const char *const sentences[LEDGER_KINDS] = {
        "is on no topic",       "is there again:",    "is behind a later one of its key:",
        "was never committed:", "has other content:",
    };
    char place[64] = "", seq[40] = "";
    if (f->place != LEDGER_NOWHERE)
        where(place, sizeof place, f->place);
    if (f->seq)
        snprintf(seq, sizeof seq, " with seq %" PRId64, f->seq);
    snprintf(buf, size, "event%s %s %s", seq, sentences[f->kind], place);
}

static void add_findings(struct verify *v, const struct ledger_result *r, enum ledger_kind kind,
                         enum verify_check check)
{
    uint64_t n = r->count[kind] < LEDGER_SAMPLES ? r->count[kind] : LEDGER_SAMPLES;
    v->count[check] += (int64_t)r->count[kind];
    for (uint64_t i = 0; i < n; i++) {
        const struct ledger_finding *f = &r->samples[kind][i];
        char id[UUID_TEXT_LEN + 1], what[VERIFY_TEXT_MAX];
        uuid_format(f->id, id);
        describe(what, sizeof what, f);
        verify_found(v, check, 0, id, what);
    }
}

static int prove_topics(struct verify *v, struct err *reterr)
{
    struct ledger_result r;
    uint64_t settle_ms = (uint64_t)v->wait_s * 1000;
    if (settle_ms < SETTLE_MS)
        settle_ms = SETTLE_MS;
    if (verify_load_outbox(v, reterr) || verify_read_topics(v, settle_ms, reterr) ||
        verify_load_late(v, reterr))
        return -1;
    out_progress("comparing");
    ledger_finish(v->ledger, &r);
    v->outbox = (int64_t)r.rows;
    v->dead = (int64_t)r.dead;
    add_findings(v, &r, LEDGER_LOST, CHECK_LOST);
    add_findings(v, &r, LEDGER_DUPLICATED, CHECK_DUPLICATED);
    add_findings(v, &r, LEDGER_REORDERED, CHECK_REORDERED);
    add_findings(v, &r, LEDGER_PHANTOM, CHECK_PHANTOM);
    add_findings(v, &r, LEDGER_ALTERED, CHECK_PHANTOM);
    return 0;
}

static int prove(struct verify *v, struct err *reterr)
{
    v->drained = true;
    if (v->wait_s && verify_drain(v, reterr))
        return -1;
    if (prove_topics(v, reterr) || verify_tables(v, reterr))
        return -1;
    return v->acks_file ? verify_acks(v, reterr) : 0;
}

static bool all_right(const struct verify *v)
{
    for (int i = 0; i < CHECKS; i++)
        if (v->count[i])
            return false;
    return v->drained;
}

static void print_json(const struct verify *v, bool ok)
{
    json_t *o = json_object();
    const struct {
        const char *name;
        int64_t value;
    } facts[] = {{"tickets", v->tickets},   {"outbox", v->outbox}, {"kafka", v->kafka},
                 {"assigned", v->assigned}, {"parked", v->parked}, {"notified", v->notified}};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        json_object_set_new(o, facts[i].name, json_integer((json_int_t)facts[i].value));
    for (int i = 0; i < CHECK_STUCK; i++)
        json_object_set_new(o, verify_check_names[i], json_integer((json_int_t)v->count[i]));
    json_object_set_new(o, "ok", json_boolean(ok));
    json_object_set_new(o, "review", json_integer((json_int_t)v->review));
    json_object_set_new(o, "dead", json_integer((json_int_t)v->dead));
    json_object_set_new(o, "stuck", json_integer((json_int_t)v->count[CHECK_STUCK]));
    json_object_set_new(o, "drained", json_boolean(v->drained));
    if (v->acks_file) {
        json_object_set_new(o, "acks", json_integer((json_int_t)v->acks));
        json_object_set_new(o, "missing_acks", json_integer((json_int_t)v->missing_acks));
    }
    out_json(o);
}

static void print_findings(const struct verify *v, FILE *out)
{
    for (int c = 0; c < CHECKS; c++) {
        if (!v->count[c])
            continue;
        fprintf(out, "\n%s: %" PRId64 " (%s)\n", verify_check_names[c], v->count[c], meanings[c]);
        for (int i = 0; i < v->n_samples[c]; i++)
            fprintf(out, "  %s  %s\n", v->samples[c][i].id, v->samples[c][i].what);
        if (v->count[c] > v->n_samples[c])
            fprintf(out, "  ... and %" PRId64 " more\n", v->count[c] - v->n_samples[c]);
    }
    if (!v->drained)
        fprintf(out, "\nthe backlog did not drain within %ld s\n", v->wait_s);
}

static void print_text(const struct verify *v, bool ok, int64_t us)
{
    char span[OUT_TEXT_MAX];
    printf("%" PRId64 " tickets: %" PRId64 " assigned, %" PRId64 " parked, %" PRId64
           " in review; %" PRId64 " notified\n",
           v->tickets, v->assigned, v->parked, v->review, v->notified);
    printf("%" PRId64 " outbox rows, %" PRId64 " events in Kafka (%" PRId64 " dead letters)\n",
           v->outbox, v->kafka, v->dead);
    if (v->acks_file)
        printf("%" PRId64 " acknowledged references, %" PRId64 " without a ticket\n", v->acks,
               v->missing_acks);
    for (int i = 0; i < CHECKS; i++)
        printf("  %-16s %s%" PRId64 "%s\n", verify_check_names[i],
               out_style(v->count[i] ? OUT_RED : OUT_PLAIN), v->count[i], out_style(OUT_PLAIN));
    print_findings(v, stdout);
    printf("%s%s%s (%s)\n", out_style(ok ? OUT_GREEN : OUT_RED),
           ok ? "ok: nothing lost, nothing doubled, everybody told" : "NOT ok",
           out_style(OUT_PLAIN), out_span(span, us));
}

static int run(const void *arg, char *const *operands, struct err *reterr)
{
    struct verify *v = calloc(1, sizeof *v);
    uint64_t begin_us = now_us();
    (void)operands;
    if (!v)
        abort();
    memcpy(v, arg, sizeof *v);
    v->ledger = ledger_new();
    struct pg_options options = {
        .conninfo = v->common.db, .stmts = verify_stmts, .n_stmts = verify_n_stmts};
    int code = verify_open_acks(v, reterr) || db_open(&v->pg, &options, CONNECT_WAIT_MS, reterr) ||
                       prove(v, reterr)
                   ? -1
                   : 0;
    out_progress_end();
    if (code == 0) {
        bool ok = all_right(v);
        code = ok ? EXIT_OK : EXIT_FOUND;
        if (v->json) {
            print_json(v, ok);
            print_findings(v, stderr);
        } else {
            print_text(v, ok, (int64_t)(now_us() - begin_us));
        }
    }
    if (v->acks_from && v->acks_from != stdin)
        fclose(v->acks_from);
    pg_close(v->pg);
    ledger_free(v->ledger);
    free(v->snapshot);
    free(v);
    return code;
}

static const struct opt opts[] = {
    {.name = "wait",
     .letter = 'w',
     .type = OPT_INT,
     .offset = offsetof(struct verify, wait_s),
     .max = 86400,
     .metavar = "SECONDS",
     .help = "wait so long for the backlog to drain first"},
    {.name = "acks",
     .type = OPT_STR,
     .offset = offsetof(struct verify, acks_file),
     .metavar = "FILE",
     .help = "references acknowledged to clients, one a line; - is stdin"},
    {.name = "grace",
     .type = OPT_INT,
     .offset = offsetof(struct verify, grace_s),
     .def = "30",
     .max = 86400,
     .metavar = "SECONDS",
     .help = "how long a step may take before it counts as stuck"},
    {.name = "json",
     .type = OPT_BOOL,
     .offset = offsetof(struct verify, json),
     .help = "print JSON; findings go to stderr"},
    OPT_COMMON_BASE(struct verify),
};

const struct command verify_command = {
    .name = "verify",
    .summary = "prove from tables and topics that nothing is lost, doubled or wrong",
    .examples = "  squad verify\n"
                "  squad verify --wait 60 --acks refs.txt\n"
                "  squad verify --json | jq .ok      # exit code 1 when something is wrong\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .conf_size = sizeof(struct verify),
    .run = run,
};
