#include "progress.h"

#include "crash.h"
#include "kafka.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "settle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTITIONS_MAX = 512,
    STABLE_WAIT_MS = 3000, /* markers of a clean transaction are there within milliseconds */
    QUERY_TIMEOUT_MS = 5000,
    SCAN_TIMEOUT_MS = 15000,
    TAIL_OFFSETS = 64,
    TAIL_GROWTH = 32,
    TAIL_MAX_OFFSETS = 65536, /* of a data partition: a few transactions */
    SETTLE_ROUNDS_MAX = 6,
};

struct part {
    int topic, number;
    int64_t low, lso, hw;
    int64_t from, until; /* of the present scan */
    bool done;           /* scanned up to until */
    bool seen;           /* a record of a relay was seen */
    uint64_t hangs;      /* transaction of the record at lso, when that is below hw; 0: not ours */
};

struct recovery {
    const struct conf_common *common;
    const struct topics *topics;
    struct producer *const *pair;
    uint64_t known_txn;
    rd_kafka_t *committed, *uncommitted;
    struct part part[PARTITIONS_MAX];
    int n;
    struct settle settle;
    char *position; /* last one visible; owned */
};

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
    if (!conf || kafka_open(ret, RD_KAFKA_CONSUMER, conf, topics, QUERY_TIMEOUT_MS, reterr))
        return -1;
    rd_kafka_poll_set_consumer(*ret);
    return 0;
}

static int list_partitions(struct recovery *r, struct err *reterr)
{
    for (int t = 0; t < TOPIC_COUNT; t++)
        for (int i = 0; i < r->topics->partitions[t]; i++) {
            if (r->n == PARTITIONS_MAX)
                return err_fatal(reterr, EXIT_KAFKA, "the relay's topics have over %d partitions",
                                 PARTITIONS_MAX);
            r->part[r->n++] = (struct part){.topic = t, .number = i};
        }
    return 0;
}

/* query_watermark_offsets obeys the handle's isolation level: one reader gives the last stable
 * offset, the other the high watermark. */
static int load_offsets(struct recovery *r, bool *ret_stable, struct err *reterr)
{
    *ret_stable = true;
    for (int i = 0; i < r->n; i++) {
        struct part *p = &r->part[i];
        const char *topic = r->topics->name[p->topic];
        int64_t low;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            r->committed, topic, p->number, &p->low, &p->lso, QUERY_TIMEOUT_MS);
        if (!code)
            code = rd_kafka_query_watermark_offsets(r->uncommitted, topic, p->number, &low, &p->hw,
                                                    QUERY_TIMEOUT_MS);
        if (code)
            return kafka_err(reterr, code, "ask Kafka for the end of %s", topic);
        if (p->lso < p->hw)
            *ret_stable = false;
    }
    return 0;
}

static int wait_stable(struct recovery *r, bool *ret_stable, struct err *reterr)
{
    uint64_t until = now_ms() + STABLE_WAIT_MS;
    for (;;) {
        if (load_offsets(r, ret_stable, reterr))
            return -1;
        if (*ret_stable || now_ms() >= until)
            return 0;
        rd_kafka_consumer_poll(r->committed, 20);
    }
}

static uint64_t txn_of(const rd_kafka_message_t *msg)
{
    size_t size;
    char text[24] = "";
    const char *value = kafka_header(msg, "squad_txn", &size);
    if (!value || size >= sizeof text)
        return 0;
    memcpy(text, value, size);
    return strtoull(text, NULL, 10);
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

static void keep_value(char **at, const rd_kafka_message_t *msg)
{
    free(*at);
    *at = strndup(msg->payload ? msg->payload : "", msg->len);
    if (!*at)
        abort();
}

static bool is_position(const rd_kafka_message_t *msg)
{
    static const char key[] = PRODUCER_POSITION_KEY;
    return msg->key_len == sizeof key - 1 && memcmp(msg->key, key, msg->key_len) == 0;
}

static void on_hanging(struct recovery *r, struct part *p, const rd_kafka_message_t *msg)
{
    uint64_t txn = txn_of(msg);
    if (msg->offset == p->lso) {
        p->hangs = txn;
        if (txn)
            settle_hanging(&r->settle, txn);
    }
    settle_begun(&r->settle, txn);
}

static void on_visible(struct recovery *r, struct part *p, const rd_kafka_message_t *msg)
{
    uint64_t txn = txn_of(msg);
    bool position = p->topic == TOPIC_PROGRESS && is_position(msg);
    settle_visible(&r->settle, txn);
    if (position)
        keep_value(&r->position, msg);
    p->seen |= txn || position;
}

/* Reads every partition with from < until; a time-out is an error, never "empty". */
typedef void on_message_fn(struct recovery *r, struct part *p, const rd_kafka_message_t *msg);
static int scan(struct recovery *r, rd_kafka_t *reader, on_message_fn *on_message,
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
    uint64_t deadline = now_ms() + SCAN_TIMEOUT_MS;
    while (left > 0) {
        __attribute__((cleanup(kafka_message_freep))) rd_kafka_message_t *msg =
            rd_kafka_consumer_poll(reader, 200);
        if (now_ms() > deadline)
            return err_set(reterr, ERR_RETRY,
                           "could not read the relay's topics: no answer within %d s",
                           SCAN_TIMEOUT_MS / 1000);
        struct part *p = msg && msg->rkt ? find_part(r, msg) : NULL;
        if (!p || p->done)
            continue;
        if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR && msg->offset < p->until)
            on_message(r, p, msg);
        else if (msg->err && msg->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            return kafka_err(reterr, msg->err, "read topic %s", r->topics->name[p->topic]);
        if (msg->offset + (msg->err ? 0 : 1) >= p->until) {
            p->done = true;
            left--;
        }
    }
    rd_kafka_assign(reader, NULL);
    return 0;
}

/* The last visible records of every partition. Offsets are also taken by control records, by
 * records of aborted transactions and by what others wrote, so the tail is widened until something
 * of a relay is seen; to the beginning only where the position must be. */
static bool is_done(const struct part *p, int64_t width)
{
    return p->seen || (p->topic != TOPIC_PROGRESS && width > TAIL_MAX_OFFSETS);
}

static int scan_tails(struct recovery *r, struct err *reterr)
{
    for (int i = 0; i < r->n; i++)
        r->part[i].seen = false;
    for (int64_t width = TAIL_OFFSETS;; width *= TAIL_GROWTH) {
        int again = 0;
        for (int i = 0; i < r->n; i++) {
            struct part *p = &r->part[i];
            int64_t from = p->lso - width < p->low ? p->low : p->lso - width;
            p->until = p->lso;
            p->from = is_done(p, width) ? p->until : from;
        }
        if (scan(r, r->committed, on_visible, reterr))
            return -1;
        for (int i = 0; i < r->n; i++) {
            const struct part *p = &r->part[i];
            again += !is_done(p, width * TAIL_GROWTH) && p->from > p->low;
        }
        if (!again)
            return 0;
    }
}

static int scan_hanging(struct recovery *r, struct err *reterr)
{
    for (int i = 0; i < r->n; i++) {
        r->part[i].from = r->part[i].lso;
        r->part[i].until = r->part[i].hw;
        r->part[i].hangs = 0;
    }
    return scan(r, r->uncommitted, on_hanging, reterr);
}

static bool wait_always(void *ctx)
{
    uint64_t until = *(uint64_t *)ctx;
    return now_ms() < until;
}

/* Ends the lowest hanging transaction by a marker of its producer on every partition it hangs in.
 * Its position is not written again: behind it may stand that of a later transaction. */
static int send_barrier(struct recovery *r, enum settle_verdict verdict, struct err *reterr)
{
    uint64_t txn = r->settle.lowest_hanging, until = now_ms() + SCAN_TIMEOUT_MS;
    struct producer *p = r->pair[txn % 2];
    LOG(WARN, "a transaction hangs after a restart of Kafka; settling it", F_INT("txn", txn),
        F_STR("verdict", verdict == SETTLE_COMMIT ? "commit" : "abort"));
    CRASH_POINT("relay.settle.before");
    if (producer_begin(p, txn, reterr))
        return -1;
    for (int i = 0; i < r->n; i++) {
        const struct part *part = &r->part[i];
        if (part->hangs == txn && producer_barrier(p, part->topic, part->number, reterr))
            return -1;
    }
    int failed = verdict == SETTLE_COMMIT ? producer_commit(p, wait_always, &until, reterr)
                                          : producer_abort(p, SCAN_TIMEOUT_MS, reterr);
    CRASH_POINT("relay.settle.after");
    return failed;
}

static int settle_all(struct recovery *r, struct err *reterr)
{
    bool stable;
    if (wait_stable(r, &stable, reterr))
        return -1;
    for (int round = 0; !stable; round++) {
        r->settle = (struct settle){0};
        settle_visible(&r->settle, r->known_txn);
        if (scan_tails(r, reterr) || scan_hanging(r, reterr))
            return -1;
        enum settle_verdict verdict = settle_decide(&r->settle);
        if (verdict == SETTLE_NOTHING || round == SETTLE_ROUNDS_MAX)
            return err_set(reterr, ERR_RETRY,
                           "could not settle a transaction that hangs in the relay's topics");
        if (send_barrier(r, verdict, reterr) || wait_stable(r, &stable, reterr))
            return -1;
    }
    return 0;
}

static int read_position(struct recovery *r, struct position *ret, bool *ret_found,
                         struct err *reterr)
{
    r->settle = (struct settle){0};
    free(r->position);
    r->position = NULL;
    if (scan_tails(r, reterr))
        return -1;
    *ret_found = r->position != NULL;
    if (!r->position && r->settle.highest_visible) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position is missing, though transaction %" PRIu64 " of a relay is visible",
                  r->settle.highest_visible);
        return err_hint(reterr, "Was the topic %s emptied? See docs/operating.md.",
                        r->topics->name[TOPIC_PROGRESS]);
    }
    if (!r->position)
        return 0;
    if (position_decode(r->position, strlen(r->position), ret, reterr))
        return -1;
    if (ret->txn < r->settle.highest_visible) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position is of transaction %" PRIu64 ", but %" PRIu64 " is visible",
                  ret->txn, r->settle.highest_visible);
        position_free(ret);
        return err_hint(reterr, "Was the topic %s restored? See docs/operating.md.",
                        r->topics->name[TOPIC_PROGRESS]);
    }
    return 0;
}

int progress_recover(const struct conf_common *common, const struct topics *topics,
                     struct producer *const pair[2], uint64_t known_txn, struct position *ret,
                     bool *ret_found, struct err *reterr)
{
    struct recovery *r = mem_new(1, sizeof *r);
    r->common = common;
    r->topics = topics;
    r->pair = pair;
    r->known_txn = known_txn;
    int failed = open_reader(r, "read_committed", &r->committed, reterr) ||
                 open_reader(r, "read_uncommitted", &r->uncommitted, reterr) ||
                 list_partitions(r, reterr) || settle_all(r, reterr) ||
                 read_position(r, ret, ret_found, reterr);
    kafka_close(r->committed, QUERY_TIMEOUT_MS);
    kafka_close(r->uncommitted, QUERY_TIMEOUT_MS);
    free(r->position);
    free(r);
    return failed ? -1 : 0;
}
