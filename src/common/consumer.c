#include "consumer.h"

#include "crash.h"
#include "log.h"
#include "loop.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOPICS_MAX = 4,
    NAME_MAX_LEN = 200,
    COMMIT_INTERVAL_MS = 100,
    CHECK_TIMEOUT_MS = 100,         /* of one look at a topic; the next finds the connection made */
    CHECK_MISSED_TIMEOUT_MS = 2000, /* when it seems to be missing */
    JOIN_PAUSE_MS = 500,            /* before it joins or looks again */
    DISCARDED_MS = 200, /* for those that were abandoned to be gone when the program ends */
    LOST_MAX = 10,      /* handles in a row that ended before they brought a message */
};

struct consumer {
    struct consumer_options options;
    char topics[TOPICS_MAX][NAME_MAX_LEN];
    int n_topics;
    rd_kafka_t *rk; /* NULL: to be opened again */
    bool joined;    /* else rk only looks whether the topics are there */
    bool missed;    /* the last rk did not find a topic */
    uint64_t tried_ms;
    int lost;
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

static int subscribe(struct consumer *c, struct err *reterr)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(TOPICS_MAX);
    for (int i = 0; i < c->n_topics; i++)
        rd_kafka_topic_partition_list_add(list, c->topics[i], RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(c->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? kafka_err(reterr, code, "subscribe") : 0;
}

static int open_client(struct consumer *c, struct err *reterr)
{
    const struct consumer_options *o = &c->options;
    const struct conf_common *common = o->common;
    char group[NAME_MAX_LEN], member[NAME_MAX_LEN];
    snprintf(group, sizeof group, "%s.%s", common->topic_prefix, o->name);
    snprintf(member, sizeof member, "%s.%s.%s", common->topic_prefix, o->name, common->instance);
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
    if (kafka_open(&c->rk, RD_KAFKA_CONSUMER, conf, NULL, 0, reterr))
        return -1;
    rd_kafka_poll_set_consumer(c->rk);
    return 0;
}

/* A broker that answers late is no reason to stay away: an answer behind the time-out is lost, and
 * over a long way each would be. The membership itself waits as long as it takes, and says so if a
 * topic is missing. */
static int look_for_topics(struct consumer *c, struct err *reterr)
{
    int timeout_ms = c->missed ? CHECK_MISSED_TIMEOUT_MS : CHECK_TIMEOUT_MS;
    for (int i = 0, count; i < c->n_topics; i++)
        if (kafka_partitions(c->rk, c->topics[i], timeout_ms, &count, reterr))
            return reterr->code == RD_KAFKA_RESP_ERR__TIMED_OUT && !c->missed ? 0 : -1;
    c->missed = false;
    return 0;
}

/* A failure that mends itself leaves the client open, so that it goes on connecting. */
static int join(struct consumer *c, struct err *reterr)
{
    if (!c->rk && open_client(c, reterr))
        return -1;
    if (look_for_topics(c, reterr) || subscribe(c, reterr))
        return -1;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(c->rk);
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, c->options.wake_fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);
    c->joined = true;
    return 0;
}

struct consumer *consumer_new(const struct consumer_options *options)
{
    struct consumer *c = mem_new(1, sizeof *c);
    c->options = *options;
    for (; c->n_topics < TOPICS_MAX && options->suffixes[c->n_topics]; c->n_topics++)
        kafka_topic(c->topics[c->n_topics], NAME_MAX_LEN, options->common->topic_prefix,
                    options->suffixes[c->n_topics]);
    c->read = rd_kafka_topic_partition_list_new(8);
    c->ended = rd_kafka_topic_partition_list_new(8);
    return c;
}

/* What was settled and not committed comes again. */
static void abandon(struct consumer *c)
{
    kafka_discard(c->rk);
    c->rk = NULL;
    c->joined = false;
    forget(c);
}

/* Joins when it is time to. A failure that mends itself is said once and no error. */
static int keep_joined(struct consumer *c, struct err *reterr)
{
    if (c->joined || (c->tried_ms && now_ms() - c->tried_ms < JOIN_PAUSE_MS))
        return 0;
    int failed = join(c, reterr);
    c->tried_ms = now_ms();
    if (!failed)
        return 0;
    if (reterr->kind == ERR_FATAL)
        return -1;
    if (!c->away)
        log_err(LOG_WARN, "waiting for Kafka", reterr);
    c->away = true;
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

/* Fenced, expired, or the topic was removed: this handle is done for. */
static int lose(struct consumer *c, const char *why, struct err *reterr)
{
    LOG(WARN, "the consumer joins again", F_STR("text", why));
    abandon(c);
    c->tried_ms = now_ms();
    if (++c->lost <= LOST_MAX)
        return 0;
    err_fatal(reterr, EXIT_FENCED,
              "another squad-%s uses the same --instance \"%s\" again and again", c->options.name,
              c->options.common->instance);
    return err_hint(reterr, "Give each of them a name of its own.");
}

/* Errors that mend themselves are said once; the others end the handle. */
static int judge(struct consumer *c, rd_kafka_resp_err_t code, const char *text, struct err *reterr)
{
    char fatal[256];
    if (rd_kafka_fatal_error(c->rk, fatal, sizeof fatal))
        return lose(c, fatal, reterr);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
        c->missed = true;
        return lose(c, text, reterr);
    }
    if (!c->away)
        LOG(WARN, "Kafka is in trouble", F_STR("text", text));
    c->away = true;
    return 0;
}

/* A message is handed on; true when it was something else. */
static bool is_news(struct consumer *c, rd_kafka_message_t *m)
{
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        note(c->ended, m, m->offset);
    if (m->err)
        return true;
    if (c->away)
        LOG(INFO, "Kafka is back");
    c->away = false;
    c->lost = 0;
    note(c->read, m, m->offset + 1);
    rd_kafka_topic_partition_list_del(c->ended, rd_kafka_topic_name(m->rkt), m->partition);
    return false;
}

int consumer_next(struct consumer *c, rd_kafka_message_t **ret, struct err *reterr)
{
    *ret = NULL;
    if (keep_joined(c, reterr))
        return -1;
    while (c->joined) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, 0);
        if (!m)
            return 0;
        if (!is_news(c, m)) {
            CRASH_POINT(".poll.after");
            *ret = m;
            return 0;
        }
        bool trouble = m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF;
        char text[256];
        snprintf(text, sizeof text, "%s", rd_kafka_message_errstr(m));
        rd_kafka_resp_err_t code = m->err;
        rd_kafka_message_destroy(m); /* before its handle may be closed */
        if (trouble && judge(c, code, text, reterr))
            return -1;
    }
    return 0;
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
    if (!c->joined || !c->settled || now_ms() - c->committed_ms < COMMIT_INTERVAL_MS)
        return;
    c->committed_ms = now_ms();
    CRASH_POINT(".offset.before");
    rd_kafka_commit(c->rk, c->settled, 1);
    CRASH_POINT(".offset.after");
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
    CRASH_POINT(".leave.before");
    kafka_close(c->rk, timeout_ms);
    CRASH_POINT(".leave.after");
    rd_kafka_wait_destroyed(DISCARDED_MS);
    rd_kafka_topic_partition_list_destroy(c->read);
    rd_kafka_topic_partition_list_destroy(c->ended);
    if (c->settled)
        rd_kafka_topic_partition_list_destroy(c->settled);
    free(c);
}
