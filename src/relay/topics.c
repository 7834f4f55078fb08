#include "topics.h"

#include "kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALL_MAX_MS = 5000, /* nothing else is done meanwhile */
    CALL_MIN_MS = 2000, /* also when the others have used up the time */
};

static const char *const suffixes[TOPIC_COUNT] = {"tickets", "experts", "notices", "dead",
                                                  "relay.progress"};

void topics_name(struct topics *t, const char *prefix)
{
    for (int i = 0; i < TOPIC_COUNT; i++)
        kafka_topic(t->name[i], sizeof t->name[i], prefix, suffixes[i]);
}

int topics_route(const char *aggregatetype)
{
    static const char *const types[] = {"ticket", "expert", "notice"};
    for (int i = 0; i < 3; i++)
        if (strcmp(aggregatetype, types[i]) == 0)
            return i;
    return -1;
}

/* 0: a topic has not told its limit; *ret_code says why, if it does. */
static int smallest_limit(const rd_kafka_ConfigResource_t **resources, size_t n,
                          rd_kafka_resp_err_t *ret_code)
{
    int limit = 0;
    for (size_t i = 0; i < n; i++) {
        size_t n_entries;
        *ret_code = rd_kafka_ConfigResource_error(resources[i]);
        if (*ret_code)
            return 0;
        const rd_kafka_ConfigEntry_t **e =
            rd_kafka_ConfigResource_configs(resources[i], &n_entries);
        for (size_t k = 0; k < n_entries; k++) {
            if (strcmp(rd_kafka_ConfigEntry_name(e[k]), "max.message.bytes") != 0)
                continue;
            int v = atoi(rd_kafka_ConfigEntry_value(e[k]));
            if (!limit || v < limit)
                limit = v;
        }
    }
    return limit;
}

static int load_limit(struct topics *t, rd_kafka_t *rk, int timeout_ms, struct err *reterr)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_ConfigResource_t *ask[TOPIC_COUNT];
    char text[128];
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text);
    for (int i = 0; i < TOPIC_COUNT; i++)
        ask[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, t->name[i]);
    rd_kafka_DescribeConfigs(rk, ask, TOPIC_COUNT, options, queue);
    rd_kafka_ConfigResource_destroy_array(ask, TOPIC_COUNT);
    rd_kafka_AdminOptions_destroy(options);

    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (!code) {
        size_t n;
        const rd_kafka_ConfigResource_t **got = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &n);
        t->message_max_bytes = smallest_limit(got, n, &code);
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    if (code)
        return kafka_err(reterr, code, "ask Kafka for the size limits of the topics");
    if (t->message_max_bytes < TOPIC_MESSAGE_MIN_BYTES) {
        err_fatal(reterr, EXIT_KAFKA,
                  "max.message.bytes of a topic of the relay is %d, it must be %d or more",
                  t->message_max_bytes, TOPIC_MESSAGE_MIN_BYTES);
        return err_hint(reterr, "Raise it by Kafka's kafka-configs.");
    }
    if (t->message_max_bytes > TOPIC_MESSAGE_MAX_BYTES)
        t->message_max_bytes = TOPIC_MESSAGE_MAX_BYTES;
    return 0;
}

int topics_ask(const struct topics *t, rd_kafka_t *rk, int ret_partitions[TOPIC_COUNT],
               struct pulse *pulse, int timeout_ms, struct err *reterr)
{
    uint64_t now = now_ms(), until = now + (uint64_t)timeout_ms;
    for (int i = 0; i < TOPIC_COUNT; i++, now = now_ms()) {
        int left_ms = now + CALL_MIN_MS < until ? (int)(until - now) : CALL_MIN_MS;
        if (pulse_beat(pulse, reterr) ||
            kafka_partitions(rk, t->name[i], left_ms < CALL_MAX_MS ? left_ms : CALL_MAX_MS,
                             &ret_partitions[i], reterr))
            return -1;
    }
    return pulse_beat(pulse, reterr);
}

int topics_load(struct topics *t, rd_kafka_t *rk, struct pulse *pulse, int timeout_ms,
                struct err *reterr)
{
    if (topics_ask(t, rk, t->partitions, pulse, timeout_ms, reterr))
        return -1;
    if (t->partitions[TOPIC_PROGRESS] != 1) {
        err_fatal(reterr, EXIT_KAFKA, "topic %s has %d partitions, it must have 1",
                  t->name[TOPIC_PROGRESS], t->partitions[TOPIC_PROGRESS]);
        return err_hint(reterr, "Run: squad topics");
    }
    return load_limit(t, rk, timeout_ms < CALL_MAX_MS ? timeout_ms : CALL_MAX_MS, reterr);
}
