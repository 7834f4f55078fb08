#include "publisher.h"

#include "crash.h"
#include "kafka.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    OPEN_TIMEOUT_MS = 10000,
    RATE_MS = 500,         /* the average of rows a second forgets in this time */
    GATHER_ROWS_A_S = 200, /* so many rows a second more are worth a millisecond of waiting */
    LOOK_PAUSE_MS = 1,
};

int publisher_topics(struct publisher *p, struct err *reterr)
{
    rd_kafka_t *rk;
    rd_kafka_conf_t *conf = kafka_conf(&p->conf->common, "relay", NULL, reterr);
    topics_name(&p->topics, p->conf->common.topic_prefix);
    if (!conf || kafka_open(&rk, RD_KAFKA_PRODUCER, conf, NULL, OPEN_TIMEOUT_MS, reterr))
        return -1;
    int failed = topics_load(&p->topics, rk, &p->pulse, OPEN_TIMEOUT_MS, reterr);
    kafka_close(rk, OPEN_TIMEOUT_MS);
    return failed;
}

int publisher_open(struct publisher *p, struct err *reterr)
{
    for (int i = 0; i < 2; i++) {
        struct producer_options o = {.common = &p->conf->common,
                                     .topics = &p->topics,
                                     .index = i,
                                     .transaction_ms = (int)p->conf->transaction_ms,
                                     .pulse = &p->pulse};
        if (producer_open(&p->pair[i], &o, OPEN_TIMEOUT_MS, reterr))
            return -1;
    }
    return markers_open(&p->markers, &p->conf->common, reterr);
}

void publisher_close(struct publisher *p)
{
    for (int i = 0; i < 2; i++) {
        producer_close(p->pair[i]);
        p->pair[i] = NULL;
    }
    markers_close(p->markers);
    p->markers = NULL;
}

bool publisher_disturbed(struct publisher *p)
{
    return producer_disturbed(p->pair[0]) || producer_disturbed(p->pair[1]);
}

int publisher_look(struct publisher *p, bool *ret_visible, struct err *reterr)
{
    return markers_look(p->markers, ret_visible, reterr);
}

int publisher_wait_visible(struct publisher *p, struct err *reterr)
{
    bool visible;
    for (;;) {
        if (markers_look(p->markers, &visible, reterr))
            return -1;
        if (visible)
            return 0;
        if (!pulse_go_on(&p->pulse))
            return kafka_err(reterr, RD_KAFKA_RESP_ERR__TIMED_OUT, "read what was committed");
        loop_once(p->pulse.loop, LOOK_PAUSE_MS);
    }
}

static bool keep_waiting(void *ctx)
{
    struct publisher *p = ctx;
    return pulse_go_on(&p->pulse);
}

static int send_row(struct publisher *p, struct producer *to, struct pg *pg,
                    const struct outbox_row *row, struct position *next, struct err *reterr)
{
    int topic = topics_route(row->aggregatetype);
    char type[61], meant_for[TOPIC_NAME_MAX + 80];
    const char *reason = poison_reason(&p->poison, row);
    struct err err = {0};
    snprintf(meant_for, sizeof meant_for, "%s.%ss", p->conf->common.topic_prefix,
             text_cut(type, sizeof type, row->aggregatetype));
    if (!reason && topic < 0)
        reason = "there is no topic for its aggregatetype";
    if (!reason) {
        if (producer_row(to, topic, row, &err) == 0)
            return 0;
        if (err.kind != ERR_REJECT) {
            if (reterr)
                *reterr = err;
            return -1;
        }
        reason = err.text;
    }
    next->dead++;
    CRASH_POINT("relay.dead.before");
    if (poison_record(pg, row, meant_for, reason, reterr))
        return -1;
    CRASH_POINT("relay.dead.after");
    poison_block(&p->poison, row);
    return producer_dead(to, row, meant_for, reason, reterr);
}

/* Kafka refuses batches, not rows: a refused one is tried again in halves, until it is one row. */
static void narrow(struct publisher *p, const struct producer *to, int n)
{
    int64_t seq = producer_refused(to);
    if (seq >= 0 && n == 1)
        poison_refuse(&p->poison, seq);
    else if (seq >= 0)
        p->batch_max = n / 2;
}

static void widen(struct publisher *p)
{
    int max = (int)p->conf->batch_max;
    p->batch_max = p->batch_max < max / 2 ? p->batch_max * 2 : max;
}

static void begins(struct publisher *p, int rows)
{
    uint64_t now = now_ms();
    double took_ms = now > p->began_at_ms ? (double)(now - p->began_at_ms) : 1;
    p->began_at_ms = now;
    p->rows_a_s += (rows * 1000 / took_ms - p->rows_a_s) * took_ms / (took_ms + RATE_MS);
}

/* Whatever markers of the last transaction may be missing, nothing stands behind it then: should it
 * have to be sent again, it is in order (resend.c). Librdkafka sends the records meanwhile. */
static int end(struct publisher *p, struct producer *to, const struct position *next,
               struct err *reterr)
{
    char *json = position_encode(next);
    int failed = producer_position(to, json, reterr);
    free(json);
    if (failed)
        return -1;
    if (publisher_wait_visible(p, reterr)) {
        if (reterr)
            reterr->unknown = true; /* it is open */
        return -1;
    }
    if (producer_commit(to, keep_waiting, p, reterr))
        return -1;
    markers_expect(p->markers, producer_ends(to));
    return 0;
}

int publisher_send(struct publisher *p, struct pg *pg, const struct outbox_batch *batch,
                   struct err *reterr)
{
    struct position next = {0};
    position_copy(&next, &p->at);
    outbox_advance(batch, &next);
    next.txn++;
    struct producer *to = p->pair[next.txn % 2];
    begins(p, batch->n);
    CRASH_POINT("relay.begin.before");
    int failed = producer_begin(to, next.txn, reterr);
    CRASH_POINT("relay.begin.after");
    for (int i = 0; i < batch->n && !failed; i++) {
        struct outbox_row row;
        outbox_row(batch, i, &row);
        failed = send_row(p, to, pg, &row, &next, reterr);
    }
    if (failed || end(p, to, &next, reterr)) {
        position_free(&next);
        narrow(p, to, batch->n);
        return -1;
    }
    widen(p);
    position_free(&p->at);
    p->at = next;
    return 0;
}

/* A transaction costs broker and relay about the same whether it holds one row or a hundred: the
 * more rows come, the longer they gather. A row after a calm does not wait. */
int publisher_gather_ms(const struct publisher *p, int rows)
{
    if (p->at.snapshot_cur || rows >= p->batch_max || p->conf->common.drain)
        return 0;
    long wanted = (long)(p->rows_a_s / GATHER_ROWS_A_S), since = (long)(now_ms() - p->began_at_ms);
    if (wanted > p->conf->gather_ms)
        wanted = p->conf->gather_ms;
    return since < wanted ? (int)(wanted - since) : 0;
}
