#include "recovery.h"

#include "kafka.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    STABLE_WAIT_MS = 3000, /* markers of a clean transaction are there within milliseconds */
    TAIL_OFFSETS = 64,
    TAIL_GROWTH = 32,
    TAIL_MAX_OFFSETS = 65536, /* of a data partition: a few transactions */
};

bool recovery_keep_waiting(void *ctx)
{
    const struct recovery_wait *w = ctx;
    return pulse_go_on(w->r->pulse) && now_ms() < w->until_ms;
}

static int open_reader(const struct recovery *r, const char *isolation, rd_kafka_t **ret,
                       struct err *reterr)
{
    const char *const pairs[] = {
        "group.id",
        "squad-relay-reader", /* needed by assign(); no group is joined */
        "enable.auto.commit",
        "false",
        "enable.auto.offset.store",
        "false",
        "enable.partition.eof",
        "true",
        "auto.offset.reset",
        "error",
        "fetch.wait.max.ms",
        "10",
        "socket.timeout.ms", /* query_watermark_offsets has no other bound in 2.0.2 */
        "5000",
        "isolation.level",
        isolation,
        NULL,
    };
    rd_kafka_conf_t *conf = kafka_conf(r->common, "relay", pairs, reterr);
    const char *const topics[] = {r->topics->name[TOPIC_PROGRESS], NULL};
    if (!conf || kafka_open(ret, RD_KAFKA_CONSUMER, conf, topics, RECOVERY_QUERY_MS, reterr))
        return -1;
    rd_kafka_poll_set_consumer(*ret);
    return 0;
}

static int list_partitions(struct recovery *r, struct err *reterr)
{
    for (int t = TOPIC_COUNT - 1; t >= 0; t--) /* the position's first */
        for (int i = 0; i < r->topics->partitions[t]; i++) {
            if (r->n == RECOVERY_PARTITIONS_MAX)
                return err_fatal(reterr, EXIT_KAFKA, "the relay's topics have over %d partitions",
                                 RECOVERY_PARTITIONS_MAX);
            r->part[r->n++] = (struct part){.topic = t, .number = i};
        }
    return 0;
}

int recovery_open(struct recovery *r, struct err *reterr)
{
    return open_reader(r, "read_committed", &r->committed, reterr) ||
                   open_reader(r, "read_uncommitted", &r->uncommitted, reterr) ||
                   list_partitions(r, reterr)
               ? -1
               : 0;
}

void recovery_close(struct recovery *r)
{
    kafka_close(r->committed, RECOVERY_QUERY_MS);
    kafka_close(r->uncommitted, RECOVERY_QUERY_MS);
    free(r->position);
}

/* query_watermark_offsets obeys the handle's isolation level: one reader gives the last stable
 * offset, the other the high watermark. */
int recovery_offsets(struct recovery *r, bool *ret_stable, struct err *reterr)
{
    *ret_stable = true;
    for (int i = 0; i < r->n; i++) {
        struct part *p = &r->part[i];
        const char *topic = r->topics->name[p->topic];
        if (pulse_beat(r->pulse, reterr)) /* nothing is begun here that could be cut off */
            return -1;
        int64_t low;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            r->committed, topic, p->number, &p->low, &p->lso, RECOVERY_QUERY_MS);
        if (!code)
            code = rd_kafka_query_watermark_offsets(r->uncommitted, topic, p->number, &low, &p->hw,
                                                    RECOVERY_QUERY_MS);
        if (code)
            return kafka_err(reterr, code, "ask Kafka for the end of %s", topic);
        if (p->lso < p->hw)
            *ret_stable = false;
    }
    return 0;
}

int recovery_wait_stable(struct recovery *r, bool *ret_stable, struct err *reterr)
{
    uint64_t until = now_ms() + STABLE_WAIT_MS;
    for (;;) {
        if (recovery_offsets(r, ret_stable, reterr))
            return -1;
        if (*ret_stable || now_ms() >= until)
            return 0;
        rd_kafka_consumer_poll(r->committed, 20);
    }
}

int64_t recovery_number(const rd_kafka_message_t *msg, const char *header)
{
    size_t size;
    char text[24] = "";
    const char *value = kafka_header(msg, header, &size);
    if (!value || size == 0 || size >= sizeof text)
        return -1;
    memcpy(text, value, size);
    return strtoll(text, NULL, 10);
}

uint64_t recovery_txn_of(const rd_kafka_message_t *msg)
{
    int64_t txn = recovery_number(msg, "squad_txn");
    return txn > 0 ? (uint64_t)txn : 0;
}

static struct part *find_part(struct recovery *r, const rd_kafka_message_t *msg)
{
    const char *topic = rd_kafka_topic_name(msg->rkt);
    for (int i = 0; i < r->n; i++)
        if (r->part[i].number == msg->partition &&
            strcmp(r->topics->name[r->part[i].topic], topic) == 0)
            return &r->part[i];
    return NULL;
}

int recovery_scan(struct recovery *r, rd_kafka_t *reader, recovery_message_fn *on_message,
                  struct err *reterr)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(r->n);
    int left = 0;
    for (int i = 0; i < r->n; i++) {
        struct part *p = &r->part[i];
        p->done = p->from >= p->until;
        if (p->done)
            continue;
        rd_kafka_topic_partition_list_add(list, r->topics->name[p->topic], p->number)->offset =
            p->from;
        left++;
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(reader, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return kafka_err(reterr, code, "read the relay's topics");
    uint64_t deadline = now_ms() + RECOVERY_SCAN_MS;
    while (left > 0) {
        __attribute__((cleanup(kafka_message_freep))) rd_kafka_message_t *msg =
            rd_kafka_consumer_poll(reader, 200);
        if (pulse_beat(r->pulse, reterr))
            return -1;
        if (now_ms() > deadline)
            return err_set(reterr, ERR_RETRY,
                           "could not read the relay's topics: no answer within %d s",
                           RECOVERY_SCAN_MS / 1000);
        struct part *p = msg && msg->rkt ? find_part(r, msg) : NULL;
        if (!p || p->done)
            continue;
        if (msg->err && msg->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            return kafka_err(reterr, msg->err, "read topic %s", r->topics->name[p->topic]);
        if (msg->offset + (msg->err ? 0 : 1) >= p->until) {
            p->done = true;
            left--;
        }
        if (!msg->err && msg->offset < p->until && on_message(r, p, msg))
            msg = NULL;
    }
    rd_kafka_assign(reader, NULL);
    return 0;
}

static void keep_value(char **at, const rd_kafka_message_t *msg)
{
    free(*at);
    *at = strndup(msg->payload ? msg->payload : "", msg->len);
    if (!*at)
        abort();
}

bool recovery_is_position(const struct part *p, const rd_kafka_message_t *msg)
{
    static const char key[] = PRODUCER_POSITION_KEY;
    return p->topic == TOPIC_PROGRESS && msg->key_len == sizeof key - 1 &&
           memcmp(msg->key, key, msg->key_len) == 0;
}

static bool on_visible(struct recovery *r, struct part *p, rd_kafka_message_t *msg)
{
    uint64_t txn = recovery_txn_of(msg);
    bool position = recovery_is_position(p, msg);
    settle_visible(&r->settle, txn);
    if (position)
        keep_value(&r->position, msg);
    p->seen |= txn || position;
    if (txn || position)
        p->last = msg->offset;
    return false;
}

static bool is_done(const struct part *p, int64_t width)
{
    return p->seen || (p->topic != TOPIC_PROGRESS && width > TAIL_MAX_OFFSETS);
}

/* The last visible records of every partition. Offsets are also taken by control records, by
 * records of aborted transactions and by what others wrote, so the tail is widened until something
 * of a relay is seen; to the beginning only where the position must be. */
int recovery_scan_tails(struct recovery *r, struct err *reterr)
{
    for (int i = 0; i < r->n; i++) {
        r->part[i].seen = false;
        r->part[i].last = -1;
    }
    for (int64_t width = TAIL_OFFSETS;; width *= TAIL_GROWTH) {
        int again = 0;
        for (int i = 0; i < r->n; i++) {
            struct part *p = &r->part[i];
            int64_t from = p->lso - width < p->low ? p->low : p->lso - width;
            p->until = p->lso;
            p->from = is_done(p, width) ? p->until : from;
        }
        if (recovery_scan(r, r->committed, on_visible, reterr))
            return -1;
        for (int i = 0; i < r->n; i++) {
            const struct part *p = &r->part[i];
            again += !is_done(p, width * TAIL_GROWTH) && p->from > p->low;
        }
        if (!again)
            return 0;
    }
}
