#include "consumer.h"

#include "log.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOPICS_MAX = 4,
    NAME_MAX_LEN = 200,
    COMMIT_INTERVAL_MS = 100,
};

struct consumer {
    rd_kafka_t *rk;
    rd_kafka_topic_partition_list_t *read;    /* owned: next offset of each partition read from */
    rd_kafka_topic_partition_list_t *settled; /* owned, or NULL: to be committed */
    rd_kafka_topic_partition_list_t *ended;   /* owned: partitions at their end */
    int assigned;
    uint64_t committed_ms;
    bool away; /* said that the brokers are away */
};

static void forget(struct consumer *c)
{
    rd_kafka_topic_partition_list_destroy(c->read);
    rd_kafka_topic_partition_list_destroy(c->ended);
    if (c->settled)
        rd_kafka_topic_partition_list_destroy(c->settled);
    c->read = rd_kafka_topic_partition_list_new(8);
    c->ended = rd_kafka_topic_partition_list_new(8);
    c->settled = NULL;
    c->assigned = 0;
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct consumer *c = opaque;
    if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && c->settled && !rd_kafka_assignment_lost(rk))
        rd_kafka_commit(rk, c->settled, 1);
    forget(c);
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        c->assigned = partitions->cnt;
        rd_kafka_assign(rk, partitions);
        LOG(INFO, "partitions assigned", F_INT("partitions", partitions->cnt));
    } else {
        rd_kafka_assign(rk, NULL);
        LOG(INFO, "partitions revoked", F_INT("partitions", partitions->cnt));
    }
}

static int subscribe(struct consumer *c, const char *const *topics, struct err *reterr)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(TOPICS_MAX);
    for (; *topics; topics++)
        rd_kafka_topic_partition_list_add(list, *topics, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(c->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? kafka_err(reterr, code, "subscribe") : 0;
}

static int join(struct consumer *c, const struct consumer_options *o, int timeout_ms,
                struct err *reterr)
{
    char group[NAME_MAX_LEN], member[NAME_MAX_LEN], names[TOPICS_MAX][NAME_MAX_LEN];
    const char *topics[TOPICS_MAX + 1] = {NULL};
    const struct conf_common *common = o->common;
    snprintf(group, sizeof group, "%s.%s", common->topic_prefix, o->name);
    snprintf(member, sizeof member, "%s.%s.%s", common->topic_prefix, o->name, common->instance);
    for (int i = 0; i < TOPICS_MAX && o->suffixes[i]; i++)
        topics[i] = kafka_topic(names[i], sizeof names[i], common->topic_prefix, o->suffixes[i]);
    const char *const pairs[] = {
        "group.id",
        group,
        "group.instance.id",
        member,
        "isolation.level",
        "read_committed",
        "enable.auto.commit",
        "false",
        "enable.auto.offset.store",
        "false",
        "auto.offset.reset",
        "earliest",
        "partition.assignment.strategy",
        "range",
        "enable.partition.eof",
        "true",
        "session.timeout.ms",
        "6000",
        "heartbeat.interval.ms",
        "1000",
        "fetch.error.backoff.ms",
        "50", /* default 500: a new record after an error */
        "queued.max.messages.kbytes",
        "4096", /* memory; default 64 MiB */
        "queued.min.messages",
        "10000",
        "fetch.message.max.bytes",
        "262144",
        NULL,
    };
    rd_kafka_conf_t *conf = kafka_conf(common, o->name, pairs, reterr);
    if (!conf)
        return -1;
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, c);
    if (kafka_open(&c->rk, RD_KAFKA_CONSUMER, conf, topics, timeout_ms, reterr))
        return -1;
    rd_kafka_poll_set_consumer(c->rk);
    return subscribe(c, topics, reterr);
}

int consumer_open(struct consumer **ret, const struct consumer_options *options, int timeout_ms,
                  struct err *reterr)
{
    struct consumer *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->read = rd_kafka_topic_partition_list_new(8);
    c->ended = rd_kafka_topic_partition_list_new(8);
    if (join(c, options, timeout_ms, reterr)) {
        consumer_close(c, timeout_ms);
        return -1;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(c->rk);
    uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, options->wake_fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);
    *ret = c;
    return 0;
}

static void note(rd_kafka_topic_partition_list_t *list, const rd_kafka_message_t *m, int64_t offset)
{
    const char *topic = rd_kafka_topic_name(m->rkt);
    rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(list, topic, m->partition);
    if (!p)
        p = rd_kafka_topic_partition_list_add(list, topic, m->partition);
    p->offset = offset;
}

static int give_up(struct err *reterr, rd_kafka_resp_err_t code, const char *text)
{
    err_set(reterr, ERR_RETRY, "could not consume: %s", text);
    if (reterr)
        reterr->code = code;
    return -1;
}

/* Errors that mend themselves are said once; the others end the handle. */
static int judge(struct consumer *c, const rd_kafka_message_t *m, struct err *reterr)
{
    char text[256];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(c->rk, text, sizeof text);
    if (fatal)
        return give_up(reterr, fatal, text);
    if (m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        m->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        return give_up(reterr, m->err, rd_kafka_message_errstr(m));
    if (!c->away)
        LOG(WARN, "Kafka is in trouble", F_STR("text", rd_kafka_message_errstr(m)));
    c->away = true;
    return 0;
}

int consumer_next(struct consumer *c, rd_kafka_message_t **ret, struct err *reterr)
{
    *ret = NULL;
    for (;;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, 0);
        if (!m)
            return 0;
        if (!m->err) {
            if (c->away)
                LOG(INFO, "Kafka is back");
            c->away = false;
            note(c->read, m, m->offset + 1);
            rd_kafka_topic_partition_list_del(c->ended, rd_kafka_topic_name(m->rkt), m->partition);
            *ret = m;
            return 0;
        }
        int failed = 0;
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            note(c->ended, m, m->offset);
        else
            failed = judge(c, m, reterr);
        rd_kafka_message_destroy(m);
        if (failed)
            return -1;
    }
}

void consumer_settle(struct consumer *c)
{
    if (!c->read->cnt)
        return;
    if (c->settled)
        rd_kafka_topic_partition_list_destroy(c->settled);
    c->settled = rd_kafka_topic_partition_list_copy(c->read);
}

void consumer_tick(struct consumer *c)
{
    if (!c->settled || now_ms() - c->committed_ms < COMMIT_INTERVAL_MS)
        return;
    c->committed_ms = now_ms();
    rd_kafka_commit(c->rk, c->settled, 1);
    rd_kafka_topic_partition_list_destroy(c->settled);
    c->settled = NULL;
}

bool consumer_at_end(const struct consumer *c)
{
    return c->assigned > 0 && c->ended->cnt >= c->assigned;
}

void consumer_close(struct consumer *c, int timeout_ms)
{
    if (!c)
        return;
    if (c->rk && c->settled)
        rd_kafka_commit(c->rk, c->settled, 1); /* closing waits for it */
    kafka_close(c->rk, timeout_ms);
    forget(c);
    rd_kafka_topic_partition_list_destroy(c->read);
    rd_kafka_topic_partition_list_destroy(c->ended);
    free(c);
}
