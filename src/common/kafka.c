#include "kafka.h"

#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Name, value: settings every handle has. */
static const char *const common_settings[] = {
    "socket.nagle.disable",
    "true", /* else each small request waits 40 ms */
    "reconnect.backoff.ms",
    "50", /* a broker that is back is found at once, */
    "reconnect.backoff.max.ms",
    "500", /* not after the default 10 s */
    "socket.keepalive.enable",
    "true", /* a peer that vanished without a word */
    "topic.metadata.refresh.sparse",
    "true",
    "topic.metadata.refresh.interval.ms",
    "60000",
    "enable.random.seed",
    "true",
    NULL,
};

/* Settings that exactly-once, the order of a key or a group's membership rests on. */
static const char *const own_settings[] = {
    "transactional.id",
    "enable.idempotence",
    "isolation.level",
    "enable.auto.commit",
    "auto.commit.enable",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "auto.offset.reset",
    "group.id",
    "group.instance.id",
    "partitioner",
    "partition.assignment.strategy",
    "message.max.bytes",
    NULL,
};

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    /* What librdkafka calls an error is mostly a broker that is away for a moment; the caller
     * sees and judges it. */
    if (level <= 2)
        LOG(ERROR, "librdkafka", F_STR("facility", facility), F_STR("text", text));
    else
        LOG(DEBUG, "librdkafka", F_STR("facility", facility), F_STR("text", text));
}

static int set_option(rd_kafka_conf_t *conf, const char *name, const char *value,
                      struct err *reterr)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return 0;
    return err_fatal(reterr, EXIT_CONFIG, "could not configure the Kafka client: %s", text);
}

static int set_pairs(rd_kafka_conf_t *conf, const char *const *pairs, struct err *reterr)
{
    for (; pairs && *pairs; pairs += 2)
        if (set_option(conf, pairs[0], pairs[1], reterr))
            return -1;
    return 0;
}

static bool is_own(const char *name)
{
    for (const char *const *own = own_settings; *own; own++)
        if (strcmp(name, *own) == 0)
            return true;
    return false;
}

/* -X name=value. */
static int set_list(rd_kafka_conf_t *conf, const struct opt_list *list, struct err *reterr)
{
    for (size_t i = 0; i < list->n; i++) {
        char name[128];
        const char *eq = strchr(list->item[i], '=');
        size_t n = eq ? (size_t)(eq - list->item[i]) : 0;
        if (!n || n >= sizeof name)
            return err_fatal(reterr, EXIT_CONFIG, "--kafka-option is \"%s\": it must be NAME=VALUE",
                             list->item[i]);
        memcpy(name, list->item[i], n);
        name[n] = '\0';
        if (is_own(name))
            return err_fatal(reterr, EXIT_CONFIG,
                             "--kafka-option can not change %s: squad sets it itself", name);
        if (set_option(conf, name, eq + 1, reterr))
            return -1;
    }
    return 0;
}

rd_kafka_conf_t *kafka_conf(const struct conf_common *common, const char *client_suffix,
                            const char *const *pairs, struct err *reterr)
{
    char client_id[64];
    snprintf(client_id, sizeof client_id, "squad-%s", client_suffix);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (set_pairs(conf, common_settings, reterr) ||
        set_option(conf, "bootstrap.servers", common->kafka, reterr) ||
        set_option(conf, "client.id", client_id, reterr) || set_pairs(conf, pairs, reterr) ||
        set_list(conf, &common->kafka_x, reterr)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

int kafka_partitions(rd_kafka_t *rk, const char *topic, int timeout_ms, int *ret_count,
                     struct err *reterr)
{
    const struct rd_kafka_metadata *meta = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    if (!rkt)
        return kafka_err(reterr, rd_kafka_last_error(), "name topic %s", topic);
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &meta, timeout_ms);
    rd_kafka_topic_destroy(rkt);
    if (code)
        return kafka_err(reterr, code, "ask Kafka for topic %s", topic);
    code = meta->topic_cnt ? meta->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int count = meta->topic_cnt ? meta->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(meta);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        err_fatal(reterr, EXIT_KAFKA, "there is no topic %s", topic);
        return err_hint(reterr, "Run: squad topics");
    }
    if (code)
        return kafka_err(reterr, code, "ask Kafka for topic %s", topic);
    *ret_count = count;
    return 0;
}

int kafka_open(rd_kafka_t **ret, rd_kafka_type_t type, rd_kafka_conf_t *conf,
               const char *const *topics, int timeout_ms, struct err *reterr)
{
    char text[256];
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        /* A machine too busy to start its threads in time is no wrong option. */
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__INVALID_ARG)
            return err_set(reterr, ERR_RETRY, "could not make the Kafka client: %s", text);
        return err_fatal(reterr, EXIT_CONFIG, "could not make the Kafka client: %s", text);
    }
    for (; topics && *topics; topics++) {
        int count;
        if (kafka_partitions(rk, *topics, timeout_ms, &count, reterr)) {
            kafka_close(rk, 5000);
            return -1;
        }
    }
    *ret = rk;
    return 0;
}

struct watchdog {
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    bool done;
    int timeout_ms;
};

static void *watch(void *arg)
{
    struct watchdog *w = arg;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += w->timeout_ms / 1000;
    until.tv_nsec += (long)(w->timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        if (pthread_cond_clockwait(&w->done_cond, &w->lock, CLOCK_MONOTONIC, &until))
            break;
    if (!w->done) {
        LOG(WARN, "Kafka client does not close; leaving without it",
            F_INT("timeout_ms", w->timeout_ms));
        _exit(EXIT_DEADLINE);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void kafka_close(rd_kafka_t *rk, int timeout_ms)
{
    if (!rk)
        return;
    struct watchdog w = {.lock = PTHREAD_MUTEX_INITIALIZER,
                         .done_cond = PTHREAD_COND_INITIALIZER,
                         .timeout_ms = timeout_ms};
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, &w))
        abort();
    if (rd_kafka_type(rk) == RD_KAFKA_PRODUCER)
        rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                               RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy(rk);
    pthread_mutex_lock(&w.lock);
    w.done = true;
    pthread_cond_signal(&w.done_cond);
    pthread_mutex_unlock(&w.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&w.done_cond);
}

static void *destroy(void *arg)
{
    rd_kafka_destroy_flags(arg, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

void kafka_discard(rd_kafka_t *rk)
{
    pthread_t thread;
    if (!rk)
        return;
    if (pthread_create(&thread, NULL, destroy, rk))
        abort();
    pthread_detach(thread);
}

/* Codes that are neither "try again" (the default) nor listed here are transport troubles that
 * librdkafka or a new handle gets over. */
static const struct {
    rd_kafka_resp_err_t code;
    enum err_kind kind;
} error_kinds[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, ERR_NONE},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_REJECT},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, ERR_REJECT},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, ERR_REJECT},
    {RD_KAFKA_RESP_ERR__FATAL, ERR_FATAL},
    {RD_KAFKA_RESP_ERR__FENCED, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, ERR_FATAL}, /* KAFKA-18019 */
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ERR_FATAL},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, ERR_FATAL},
    {RD_KAFKA_RESP_ERR__SSL, ERR_FATAL},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, ERR_FATAL},
};

enum err_kind kafka_err_kind(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < sizeof error_kinds / sizeof *error_kinds; i++)
        if (error_kinds[i].code == code)
            return error_kinds[i].kind;
    return ERR_RETRY;
}

bool kafka_is_fenced(int code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

bool kafka_is_denied(int code)
{
    return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static int fill(struct err *reterr, enum err_kind kind, rd_kafka_resp_err_t code,
                const char *reason, const char *fmt, va_list ap)
{
    char what[256];
    vsnprintf(what, sizeof what, fmt, ap);
    err_set(reterr, kind, "could not %s: %s", what, reason);
    if (reterr) {
        reterr->code = code;
        reterr->exit_code = EXIT_KAFKA;
    }
    return -1;
}

int kafka_err(struct err *reterr, rd_kafka_resp_err_t code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(reterr, kafka_err_kind(code), code, rd_kafka_err2str(code), fmt, ap);
    va_end(ap);
    return -1;
}

int kafka_err_take(struct err *reterr, rd_kafka_error_t *error, const char *fmt, ...)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    enum err_kind kind = kafka_err_kind(code);
    if (rd_kafka_error_is_fatal(error))
        kind = ERR_FATAL;
    else if (kind != ERR_FATAL &&
             (rd_kafka_error_is_retriable(error) || rd_kafka_error_txn_requires_abort(error)))
        kind = ERR_RETRY;
    va_list ap;
    va_start(ap, fmt);
    fill(reterr, kind, code, rd_kafka_error_string(error), fmt, ap);
    va_end(ap);
    rd_kafka_error_destroy(error);
    return -1;
}

const char *kafka_topic(char *buf, size_t size, const char *prefix, const char *suffix)
{
    snprintf(buf, size, "%s.%s", prefix, suffix);
    return buf;
}

const char *kafka_header(const rd_kafka_message_t *msg, const char *name, size_t *ret_size)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(msg, &headers) ||
        rd_kafka_header_get_last(headers, name, &value, &size) || !value)
        return NULL;
    *ret_size = size;
    return value;
}
