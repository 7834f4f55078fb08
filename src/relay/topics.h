/*
 * topics.h - the topics a relay writes: names, partitions, size limit.
 */
#pragma once

#include "err.h"
#include "opt.h"
#include "pulse.h"

#include <librdkafka/rdkafka.h>

enum topic { TOPIC_TICKETS, TOPIC_EXPERTS, TOPIC_NOTICES, TOPIC_DEAD, TOPIC_PROGRESS, TOPIC_COUNT };

enum {
    TOPIC_NAME_MAX = 200,
    TOPIC_MESSAGE_MIN_BYTES = 8192,
    TOPIC_MESSAGE_MAX_BYTES =
        32 * 1024 * 1024, /* the producer's queue: a larger one never enters */
};

struct topics {
    char name[TOPIC_COUNT][TOPIC_NAME_MAX];
    int partitions[TOPIC_COUNT];
    int message_max_bytes; /* the smallest max.message.bytes of them, or what the relay can send */
};

/* Fills names from the prefix. */
void topics_name(struct topics *t, const char *prefix);

/* Asks Kafka for the partitions of each, which also makes them known to the handle: the first
 * message to an unknown topic can be a second late. A missing topic: ERR_FATAL EXIT_KAFKA. */
int topics_ask(const struct topics *t, rd_kafka_t *rk, int ret_partitions[TOPIC_COUNT],
               struct pulse *pulse, int timeout_ms, struct err *reterr);

/* Asks Kafka for partitions and size limits. A missing topic, a progress topic with more than
 * one partition, or a limit below TOPIC_MESSAGE_MIN_BYTES: ERR_FATAL EXIT_KAFKA. */
int topics_load(struct topics *t, rd_kafka_t *rk, struct pulse *pulse, int timeout_ms,
                struct err *reterr);

/* Topic of an aggregatetype, or -1: it has none. */
int topics_route(const char *aggregatetype);
