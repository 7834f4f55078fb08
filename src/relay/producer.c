#include "producer.h"

#include "crash.h"
#include "kafka.h"
#include "log.h"
#include "mem.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMMIT_SLICE_MS = 2000,
    CLOSE_TIMEOUT_MS = 3000,
    QUEUE_FULL_WAIT_MS = 100,
    RECORD_OVERHEAD_BYTES = 1024, /* headers and batch framing */
    DEAD_VALUE_MAX_BYTES = 65536,
    DEAD_TEXT_MAX_BYTES = 255, /* of a key or a header: either may be what was too large */
    DEAD_OVERHEAD_BYTES = 4096,
};
_Static_assert((int)DEAD_OVERHEAD_BYTES < (int)TOPIC_MESSAGE_MIN_BYTES,
               "a dead letter always fits");

struct producer {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic[TOPIC_COUNT];
    const struct topics *topics;
    char txn[24];        /* number of the open transaction, as header value */
    struct pulse *pulse; /* may be NULL */
    bool disturbed;
    int64_t refused_seq;
    int64_t *ends[TOPIC_COUNT]; /* of the last transaction, by partition; 0: none */
};

static void note_end(struct producer *p, const rd_kafka_message_t *msg)
{
    int topic = 0;
    while (strcmp(p->topics->name[topic], rd_kafka_topic_name(msg->rkt)) != 0)
        topic++;
    /* More partitions than when the topics were asked, or a batch that was sent twice. */
    if (msg->partition >= p->topics->partitions[topic] || msg->offset < 0)
        p->disturbed = true;
    else if (p->ends[topic][msg->partition] <= msg->offset)
        p->ends[topic][msg->partition] = msg->offset + 1;
}

static void forget_ends(struct producer *p)
{
    for (int i = 0; i < TOPIC_COUNT; i++)
        memset(p->ends[i], 0, (size_t)p->topics->partitions[i] * sizeof *p->ends[i]);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    struct producer *p = opaque;
    (void)rk;
    if (!msg->err)
        note_end(p, msg);
    /* Purged and fenced records are told by the commit. */
    if (kafka_err_kind(msg->err) == ERR_REJECT && p->refused_seq < 0)
        p->refused_seq = (int64_t)(intptr_t)msg->_private;
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct producer *p = opaque;
    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__TRANSPORT)
        p->disturbed = true;
    LOG(DEBUG, "Kafka producer", F_INT("code", code), F_STR("text", reason));
}

static rd_kafka_conf_t *make_conf(struct producer *p, const struct producer_options *o,
                                  struct err *reterr)
{
    char id[TOPIC_NAME_MAX], timeout[16], limit[16], queue_kib[16];
    snprintf(id, sizeof id, "%s-relay-%c", o->common->topic_prefix, 'a' + o->index);
    snprintf(timeout, sizeof timeout, "%d", o->transaction_ms);
    snprintf(limit, sizeof limit, "%d", o->topics->message_max_bytes);
    snprintf(queue_kib, sizeof queue_kib, "%d", TOPIC_MESSAGE_MAX_BYTES / 1024);
    const char *const pairs[] = {
        "transactional.id",
        id,
        "transaction.timeout.ms",
        timeout,
        "message.timeout.ms",
        timeout,
        "message.max.bytes",
        limit, /* a row too large fails alone, at once */
        "linger.ms",
        "0", /* commit flushes; waiting first only costs latency */
        "compression.type",
        "lz4",
        "partitioner",
        "murmur2_random", /* as Java clients and Debezium place keys */
        "queue.buffering.max.messages",
        "20000",
        "queue.buffering.max.kbytes",
        queue_kib,
        "batch.num.messages",
        "5000",
        NULL,
    };
    rd_kafka_conf_t *conf = kafka_conf(o->common, "relay", pairs, reterr);
    if (!conf)
        return NULL;
    rd_kafka_conf_set_opaque(conf, p);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    return conf;
}

static int init_transactions(struct producer *p, int timeout_ms, struct err *reterr)
{
    uint64_t until = now_ms() + (uint64_t)timeout_ms;
    CRASH_POINT("relay.init.before");
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(p->rk, 1000);
        CRASH_POINT("relay.init.after");
        if (!error)
            return 0;
        bool again = pulse_beat(p->pulse, NULL) == 0 && rd_kafka_error_is_retriable(error) &&
                     now_ms() < until;
        kafka_err_take(reterr, error, "take over the relay's transactions");
        if (!again)
            return -1;
    }
}

int producer_open(struct producer **ret, const struct producer_options *options, int timeout_ms,
                  struct err *reterr)
{
    struct producer *p = mem_new(1, sizeof *p);
    p->topics = options->topics;
    p->pulse = options->pulse;
    p->refused_seq = -1;
    for (int i = 0; i < TOPIC_COUNT; i++)
        p->ends[i] = mem_new((size_t)p->topics->partitions[i], sizeof *p->ends[i]);
    rd_kafka_conf_t *conf = make_conf(p, options, reterr);
    int counts[TOPIC_COUNT];
    if (!conf || kafka_open(&p->rk, RD_KAFKA_PRODUCER, conf, NULL, timeout_ms, reterr) ||
        topics_ask(options->topics, p->rk, counts, p->pulse, timeout_ms, reterr)) {
        producer_close(p);
        return -1;
    }
    for (int i = 0; i < TOPIC_COUNT; i++)
        p->topic[i] = rd_kafka_topic_new(p->rk, options->topics->name[i], NULL);
    if (init_transactions(p, timeout_ms, reterr)) {
        producer_close(p);
        return -1;
    }
    rd_kafka_poll(p->rk, 0);
    p->disturbed = false;
    *ret = p;
    return 0;
}

void producer_close(struct producer *p)
{
    if (!p)
        return;
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (p->topic[i])
            rd_kafka_topic_destroy(p->topic[i]);
    kafka_close(p->rk, CLOSE_TIMEOUT_MS);
    for (int i = 0; i < TOPIC_COUNT; i++)
        free(p->ends[i]);
    free(p);
}

int producer_begin(struct producer *p, uint64_t txn, struct err *reterr)
{
    snprintf(p->txn, sizeof p->txn, "%" PRIu64, txn);
    p->refused_seq = -1;
    forget_ends(p);
    rd_kafka_error_t *error = rd_kafka_begin_transaction(p->rk);
    return error ? kafka_err_take(reterr, error, "begin a Kafka transaction") : 0;
}

/* Produces; takes headers. Waits while librdkafka's queue is full. */
static int produce(struct producer *p, int topic, int partition, const char *key, const void *value,
                   size_t size, rd_kafka_headers_t *headers, int64_t seq, struct err *reterr)
{
    CRASH_POINT("relay.produce.before");
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_producev(
            p->rk, RD_KAFKA_V_RKT(p->topic[topic]), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, size),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
            RD_KAFKA_V_OPAQUE((void *)(intptr_t)seq), RD_KAFKA_V_END);
        CRASH_POINT("relay.produce.after");
        if (!code)
            return 0;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            rd_kafka_headers_destroy(headers);
            if (code == RD_KAFKA_RESP_ERR__FATAL) /* which one: fencing is not got over as others */
                code = rd_kafka_fatal_error(p->rk, NULL, 0);
            return kafka_err(reterr, code, "send to topic %s", p->topics->name[topic]);
        }
        if (!pulse_go_on(p->pulse)) {
            rd_kafka_headers_destroy(headers);
            kafka_err(reterr, code, "send to topic %s", p->topics->name[topic]);
            if (reterr)
                reterr->unknown = true;
            return -1;
        }
        rd_kafka_poll(p->rk, QUEUE_FULL_WAIT_MS);
    }
}

static void header(rd_kafka_headers_t *h, const char *name, const char *value)
{
    if (value)
        rd_kafka_header_add(h, name, -1, value, -1);
}

/* CloudEvents 1.0.2, Kafka protocol binding, section 3.2: binary content mode. */
static rd_kafka_headers_t *event_headers(const struct producer *p, const struct outbox_row *row)
{
    /* "2026-11-24 13:05:01.213640+00" becomes RFC 3339. */
    char at[48];
    size_t n = strcspn(row->at, "+");
    snprintf(at, sizeof at, "%.*sZ", (int)(n < 40 ? n : 40), row->at);
    if (n > 10)
        at[10] = 'T';
    rd_kafka_headers_t *h = rd_kafka_headers_new(12);
    header(h, "ce_specversion", "1.0");
    header(h, "ce_id", row->id);
    header(h, "ce_type", row->type);
    header(h, "ce_source", "/squad");
    header(h, "ce_time", at);
    header(h, "content-type", "application/json");
    header(h, "traceparent", row->traceparent);
    header(h, "squad_txn", p->txn);
    return h;
}

int producer_row(struct producer *p, int topic, const struct outbox_row *row, struct err *reterr)
{
    size_t size = row->payload_size + strlen(row->aggregateid) + strlen(row->type) +
                  (row->traceparent ? strlen(row->traceparent) : 0) + RECORD_OVERHEAD_BYTES;
    if (size > (size_t)p->topics->message_max_bytes)
        return err_set(reterr, ERR_REJECT, "%zu bytes are too large for Kafka, the limit is %d",
                       size, p->topics->message_max_bytes);
    return produce(p, topic, RD_KAFKA_PARTITION_UA, row->aggregateid, row->payload,
                   row->payload_size, event_headers(p, row), row->seq, reterr);
}

static const char *cut(char *buf, const char *text)
{
    return text_cut(buf, DEAD_TEXT_MAX_BYTES + 1, text);
}

int producer_dead(struct producer *p, const struct outbox_row *row, const char *meant_for,
                  const char *reason, struct err *reterr)
{
    char seq[24], bytes[24], key[DEAD_TEXT_MAX_BYTES + 1], type[DEAD_TEXT_MAX_BYTES + 1],
        trace[DEAD_TEXT_MAX_BYTES + 1], text[DEAD_TEXT_MAX_BYTES + 1];
    size_t size = row->payload_size, room = (size_t)p->topics->message_max_bytes;
    struct outbox_row short_row = *row;
    short_row.type = cut(type, row->type);
    if (row->traceparent)
        short_row.traceparent = cut(trace, row->traceparent);
    snprintf(seq, sizeof seq, "%" PRId64, row->seq);
    snprintf(bytes, sizeof bytes, "%zu", size);
    rd_kafka_headers_t *h = event_headers(p, &short_row);
    header(h, "squad_dead_reason", cut(text, reason));
    header(h, "squad_dead_topic", meant_for);
    header(h, "squad_dead_seq", seq);
    header(h, "squad_dead_bytes", bytes);
    /* The whole row is in the outbox. */
    if (size > DEAD_VALUE_MAX_BYTES)
        size = DEAD_VALUE_MAX_BYTES;
    if (size > room - DEAD_OVERHEAD_BYTES)
        size = room - DEAD_OVERHEAD_BYTES;
    return produce(p, TOPIC_DEAD, RD_KAFKA_PARTITION_UA, cut(key, row->aggregateid), row->payload,
                   size, h, row->seq, reterr);
}

int producer_barrier(struct producer *p, int topic, int partition, int64_t from, struct err *reterr)
{
    char text[24];
    rd_kafka_headers_t *h = rd_kafka_headers_new(5);
    snprintf(text, sizeof text, "%" PRId64, from);
    header(h, PRODUCER_FROM_HEADER, from < 0 ? NULL : text);
    header(h, "ce_specversion", "1.0");
    header(h, "ce_type", "squad.relay.barrier.v1");
    header(h, "ce_source", "/squad");
    header(h, "squad_txn", p->txn);
    return produce(p, topic, partition, "barrier", "{}", 2, h, -1, reterr);
}

int producer_again(struct producer *p, int topic, int partition, const rd_kafka_message_t *msg,
                   struct err *reterr)
{
    rd_kafka_headers_t *had, *h = NULL;
    if (rd_kafka_message_headers(msg, &had) == RD_KAFKA_RESP_ERR_NO_ERROR)
        h = rd_kafka_headers_copy(had);
    if (!h)
        h = rd_kafka_headers_new(1);
    rd_kafka_header_remove(h, "squad_txn");
    header(h, "squad_txn", p->txn);
    char *key = strndup(msg->key ? msg->key : "", msg->key_len);
    if (!key)
        abort();
    int failed = produce(p, topic, partition, key, msg->payload, msg->len, h, -1, reterr);
    free(key);
    return failed;
}

int producer_position(struct producer *p, const char *json, struct err *reterr)
{
    rd_kafka_headers_t *h = rd_kafka_headers_new(1);
    header(h, "squad_txn", p->txn);
    CRASH_POINT("relay.progress.before");
    return produce(p, TOPIC_PROGRESS, 0, PRODUCER_POSITION_KEY, json, strlen(json), h, -1, reterr);
}

int producer_commit(struct producer *p, producer_wait_fn *keep_waiting, void *ctx,
                    struct err *reterr)
{
    CRASH_POINT("relay.commit.before");
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(p->rk, COMMIT_SLICE_MS);
        CRASH_POINT("relay.commit.after");
        if (!error)
            break;
        bool again = rd_kafka_error_is_retriable(error) && keep_waiting(ctx);
        kafka_err_take(reterr, error, "commit a Kafka transaction");
        if (!again) {
            if (reterr)
                reterr->unknown = true;
            return -1;
        }
    }
    rd_kafka_poll(p->rk, 0);
    return 0;
}

void producer_flush(struct producer *p, int timeout_ms)
{
    rd_kafka_flush(p->rk, timeout_ms);
}

int producer_abort(struct producer *p, int timeout_ms, struct err *reterr)
{
    rd_kafka_error_t *error = rd_kafka_abort_transaction(p->rk, timeout_ms);
    return error ? kafka_err_take(reterr, error, "abort a Kafka transaction") : 0;
}

rd_kafka_topic_partition_list_t *producer_ends(const struct producer *p)
{
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(8);
    for (int t = 0; t < TOPIC_COUNT; t++)
        for (int i = 0; i < p->topics->partitions[t]; i++)
            if (p->ends[t][i])
                rd_kafka_topic_partition_list_add(ends, p->topics->name[t], i)->offset =
                    p->ends[t][i];
    return ends;
}

bool producer_disturbed(struct producer *p)
{
    rd_kafka_poll(p->rk, 0);
    return p->disturbed;
}

int64_t producer_refused(const struct producer *p)
{
    return p->refused_seq;
}
