/* What squad verify reads from Kafka. */
#include "group_lag.h"
#include "kafka_read.h"
#include "loop.h"
#include "out.h"
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CALL_MS = 5000,
    STALL_MS = 30000, /* without a message before the end: Kafka is away */
    DRAIN_PAUSE_MS = 100,
    NAME_MAX_BYTES = 200,
};

const char *const verify_topics[] = {"tickets", "experts", "notices", "dead", NULL};
static const char *const aggregates[] = {"ticket", "expert", "notice"};
enum { TOPIC_DEAD = 3, TOPICS = 4 };

static void header(const rd_kafka_message_t *m, const char *name, const char **ret_text,
                   size_t *ret_size)
{
    *ret_size = 0;
    *ret_text = kafka_header(m, name, ret_size);
}

static void add(struct verify *v, const rd_kafka_message_t *m, unsigned topic)
{
    struct ledger_record r = {.place = ledger_place(topic, m->partition, m->offset),
                              .dead = topic == TOPIC_DEAD};
    if (kafka_is_barrier(m))
        return;
    kafka_event_id(m, r.id); /* none: zeros, which no row has */
    if (!r.dead) {
        struct verify_event e = {.topic = aggregates[topic],
                                 .topic_size = strlen(aggregates[topic]),
                                 .key = m->key,
                                 .key_size = m->key_len,
                                 .payload = m->payload,
                                 .payload_size = m->len};
        header(m, "ce_type", &e.type, &e.type_size);
        header(m, "traceparent", &e.traceparent, &e.traceparent_size);
        r.content = verify_content(&e);
    }
    ledger_add_record(v->ledger, &r);
    v->kafka++;
}

/* Records that are gone can not be compared. */
static void warn_of_retention(struct kafka_reader *reader)
{
    size_t n;
    const struct kafka_part *parts = kafka_read_parts(reader, &n);
    for (size_t i = 0; i < n; i++)
        if (parts[i].low > 0)
            fprintf(stderr,
                    "warning: %s[%d] begins at offset %lld: retention has removed what was before; "
                    "it will count as lost\n",
                    verify_topics[parts[i].topic], parts[i].partition, (long long)parts[i].low);
}

static void show(struct verify *v, struct kafka_reader *reader)
{
    if (kafka_read_done(reader))
        out_progress("read %lld events from Kafka, waiting for %llu more", (long long)v->kafka,
                     (unsigned long long)ledger_missing(v->ledger));
    else
        out_progress("reading Kafka: %lld events", (long long)v->kafka);
}

/* To the end that the topics had at open, and on for settle_ms while rows are missing. */
static int read_all(struct verify *v, struct kafka_reader *reader, uint64_t settle_ms,
                    struct err *reterr)
{
    uint64_t last_ms = now_ms(), done_ms = 0;
    bool came = false; /* one since the clock was looked at */
    if (kafka_read_start(reader, reterr))
        return -1;
    for (unsigned n = 0;; n++) {
        rd_kafka_message_t *m;
        unsigned topic;
        if (kafka_read_next(reader, 20, &m, &topic, reterr))
            return -1;
        if (m) {
            add(v, m, topic);
            rd_kafka_message_destroy(m);
            came = true;
        }
        if (m && n % 1024) /* the clock is not free */
            continue;
        uint64_t now = now_ms();
        last_ms = came ? now : last_ms;
        came = false;
        show(v, reader);
        if (!kafka_read_done(reader)) {
            if (now - last_ms > STALL_MS)
                return err_fatal(reterr, EXIT_KAFKA, "could not read on: Kafka does not answer");
            continue;
        }
        done_ms = done_ms ? done_ms : now;
        if (!ledger_missing(v->ledger) || now - done_ms >= settle_ms)
            return 0;
    }
}

int verify_read_topics(struct verify *v, uint64_t settle_ms, struct err *reterr)
{
    char names[TOPICS][NAME_MAX_BYTES];
    const char *topics[TOPICS + 1] = {NULL};
    struct kafka_reader *reader = NULL;
    for (int i = 0; i < TOPICS; i++)
        topics[i] =
            kafka_topic(names[i], sizeof names[i], v->common.topic_prefix, verify_topics[i]);
    if (kafka_read_open(&reader, &v->common, topics, CALL_MS, reterr))
        return -1;
    warn_of_retention(reader);
    int rc = read_all(v, reader, settle_ms, reterr);
    kafka_read_close(reader);
    return rc;
}

static bool nothing_left(const struct backlog *b)
{
    return !b->unseen && !b->notices && !b->unpublished && !b->relay_unknown;
}

/* One look: tables, then the groups, then the tables again, because what a group has taken may
 * have made new work. */
static int look(struct verify *v, bool *ret_drained, struct err *reterr)
{
    struct backlog before, after;
    struct group_lag assigner = {0}, notifier = {0};
    *ret_drained = false;
    if (verify_backlog(v, &before, reterr))
        return -1;
    if (!nothing_left(&before)) {
        out_progress("waiting: %lld events to publish, %lld tickets to see, %lld notices to send%s",
                     (long long)before.unpublished, (long long)before.unseen,
                     (long long)before.notices,
                     before.relay_unknown ? "; no relay has run yet" : "");
        return 0;
    }
    if (group_lag_assigner(&v->common, &assigner, reterr) ||
        group_lag_notifier(&v->common, &notifier, reterr))
        return -1;
    if (assigner.events || notifier.events) {
        out_progress("waiting: %lld events for the assigner, %lld for the notifier",
                     (long long)assigner.events, (long long)notifier.events);
        return 0;
    }
    if (verify_backlog(v, &after, reterr))
        return -1;
    *ret_drained = nothing_left(&after);
    return 0;
}

int verify_drain(struct verify *v, struct err *reterr)
{
    uint64_t until = now_ms() + (uint64_t)v->wait_s * 1000;
    for (;;) {
        if (look(v, &v->drained, reterr))
            return -1;
        if (v->drained || now_ms() >= until)
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = DRAIN_PAUSE_MS * 1000000L}, NULL);
    }
}
