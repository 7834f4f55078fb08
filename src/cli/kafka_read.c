#include "kafka_read.h"

#include "mem.h"
#include "ticket.h"

#include <stdlib.h>
#include <string.h>

enum { TOPICS_MAX = 16, CLOSE_MS = 5000 };

struct kafka_reader {
    rd_kafka_t *rk;
    const char *topics[TOPICS_MAX];
    size_t n_topics;
    struct kafka_part *parts;
    size_t n_parts;
    size_t open_parts; /* not at_end */
    rd_kafka_topic_t *last_rkt;
    unsigned last_topic;
};

static const char *const settings[] = {
    "group.id",
    "squad-cli", /* never joined; the client wants one */
    "isolation.level",
    "read_committed",
    "enable.auto.commit",
    "false",
    "enable.auto.offset.store",
    "false",
    "enable.partition.eof",
    "true",
    "auto.offset.reset",
    "error",
    "fetch.wait.max.ms",
    "50",
    "fetch.error.backoff.ms",
    "50",
    "queued.max.messages.kbytes",
    "32768", /* bounds our memory, whatever the topics hold */
    "check.crcs",
    "true",
    NULL,
};

/* An unreachable broker is no reason to go on for a command. */
static int give_up(struct err *reterr)
{
    reterr->kind = ERR_FATAL;
    reterr->exit_code = EXIT_KAFKA;
    return -1;
}

static int add_topic(struct kafka_reader *r, unsigned topic, int timeout_ms, struct err *reterr)
{
    int count;
    if (kafka_partitions(r->rk, r->topics[topic], timeout_ms, &count, reterr))
        return give_up(reterr);
    r->parts = mem_resize(r->parts, (r->n_parts + (size_t)count), sizeof *r->parts);
    for (int i = 0; i < count; i++)
        r->parts[r->n_parts++] = (struct kafka_part){.topic = topic, .partition = i, .next = -1};
    return 0;
}

/* Asks where the partitions begin and end now. */
static int read_ends(struct kafka_reader *r, int timeout_ms, struct err *reterr)
{
    r->open_parts = 0;
    for (size_t i = 0; i < r->n_parts; i++) {
        struct kafka_part *p = &r->parts[i];
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            r->rk, r->topics[p->topic], p->partition, &p->low, &p->end, timeout_ms);
        if (code) {
            kafka_err(reterr, code, "read the offsets of topic %s", r->topics[p->topic]);
            return give_up(reterr);
        }
        if (p->next < p->low)
            p->next = p->low;
        p->at_end = p->next >= p->end;
        r->open_parts += !p->at_end;
    }
    return 0;
}

int kafka_read_open(struct kafka_reader **ret, const struct conf_common *common,
                    const char *const *topics, int timeout_ms, struct err *reterr)
{
    struct kafka_reader *r = mem_new(1, sizeof *r);
    rd_kafka_conf_t *conf = kafka_conf(common, "cli", settings, reterr);
    if (!conf || kafka_open(&r->rk, RD_KAFKA_CONSUMER, conf, NULL, timeout_ms, reterr)) {
        free(r);
        return -1;
    }
    for (; topics[r->n_topics] && r->n_topics < TOPICS_MAX; r->n_topics++) {
        r->topics[r->n_topics] = topics[r->n_topics];
        if (add_topic(r, (unsigned)r->n_topics, timeout_ms, reterr)) {
            kafka_read_close(r);
            return -1;
        }
    }
    if (read_ends(r, timeout_ms, reterr)) {
        kafka_read_close(r);
        return -1;
    }
    *ret = r;
    return 0;
}

void kafka_read_close(struct kafka_reader *r)
{
    if (!r)
        return;
    rd_kafka_assign(r->rk, NULL);
    kafka_close(r->rk, CLOSE_MS);
    free(r->parts);
    free(r);
}

struct kafka_part *kafka_read_parts(struct kafka_reader *r, size_t *ret_count)
{
    *ret_count = r->n_parts;
    return r->parts;
}

rd_kafka_t *kafka_read_handle(struct kafka_reader *r)
{
    return r->rk;
}

int kafka_read_start(struct kafka_reader *r, struct err *reterr)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)r->n_parts);
    r->open_parts = 0;
    for (size_t i = 0; i < r->n_parts; i++) {
        struct kafka_part *p = &r->parts[i];
        rd_kafka_topic_partition_list_add(list, r->topics[p->topic], p->partition)->offset =
            p->next;
        p->at_end = p->next >= p->end;
        r->open_parts += !p->at_end;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(r->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (!code)
        return 0;
    kafka_err(reterr, code, "begin to read");
    return give_up(reterr);
}

/* A topic object stays the same for messages of one topic, mostly in long runs. */
static unsigned topic_of(struct kafka_reader *r, const rd_kafka_message_t *m)
{
    if (m->rkt == r->last_rkt)
        return r->last_topic;
    const char *name = rd_kafka_topic_name(m->rkt);
    for (unsigned i = 0; i < r->n_topics; i++)
        if (strcmp(r->topics[i], name) == 0)
            r->last_topic = i;
    r->last_rkt = m->rkt;
    return r->last_topic;
}

static void moved(struct kafka_reader *r, unsigned topic, int32_t partition, int64_t next)
{
    for (size_t i = 0; i < r->n_parts; i++) {
        struct kafka_part *p = &r->parts[i];
        if (p->topic != topic || p->partition != partition)
            continue;
        p->next = next;
        if (!p->at_end && next >= p->end) {
            p->at_end = true;
            r->open_parts--;
        }
        return;
    }
}

int kafka_read_next(struct kafka_reader *r, int timeout_ms, rd_kafka_message_t **ret_msg,
                    unsigned *ret_topic, struct err *reterr)
{
    *ret_msg = NULL;
    rd_kafka_message_t *m = rd_kafka_consumer_poll(r->rk, timeout_ms);
    if (!m)
        return 0;
    rd_kafka_resp_err_t code = m->err;
    if (!code || code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        *ret_topic = topic_of(r, m);
        moved(r, *ret_topic, m->partition, code ? m->offset : m->offset + 1);
    }
    if (!code) {
        *ret_msg = m;
        return 0;
    }
    int rc = 0;
    if (code != RD_KAFKA_RESP_ERR__PARTITION_EOF && kafka_err_kind(code) != ERR_RETRY) {
        kafka_err(reterr, code, "read topic %s", m->rkt ? rd_kafka_topic_name(m->rkt) : "");
        rc = give_up(reterr);
    }
    rd_kafka_message_destroy(m);
    return rc;
}

bool kafka_read_done(const struct kafka_reader *r)
{
    return r->open_parts == 0;
}

bool kafka_is_barrier(const rd_kafka_message_t *msg)
{
    static const char type[] = "squad.relay.barrier.v1";
    size_t size;
    const char *value = kafka_header(msg, "ce_type", &size);
    return value && size == sizeof type - 1 && memcmp(value, type, size) == 0;
}

bool kafka_event_id(const rd_kafka_message_t *msg, uint8_t ret_id[16])
{
    size_t size;
    const char *value = kafka_header(msg, "ce_id", &size);
    return value && uuid_parse(value, size, ret_id);
}
