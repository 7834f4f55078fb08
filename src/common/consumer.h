/*
 * consumer.h - a member of a Kafka consumer group whose work is recorded in
 * PostgreSQL: offsets are hints, sent late; the tables are the truth.
 *
 * read_committed, eager `range`, static membership: a program that comes back
 * within the session has its partitions again at once and its peers never stop.
 * Messages are taken one by one; batch calls lose offsets in librdkafka 2.0.2.
 */
#pragma once

#include "kafka.h"

struct consumer_options {
    const struct conf_common *common;
    const char *name;            /* group: PREFIX.name, member: PREFIX.name.INSTANCE */
    const char *const *suffixes; /* of the topics, as "tickets"; NULL-terminated */
    int wake_fd;                 /* of loop_wakeup: 8 bytes are written when messages have come */
};

struct consumer;

/* Joins the group with the first consumer_next. options is copied, what it points at borrowed.
 * Returns owned. */
struct consumer *consumer_new(const struct consumer_options *options);

/* Next message, owned (rd_kafka_message_destroy), or NULL in *ret when there is none now or the
 * brokers are away: that is said once, and it joins again by itself. Waits for 0.1 s a topic at
 * the most, 2 s after one was missing, and only to join. Always ERR_FATAL: EXIT_KAFKA, a topic is
 * missing; EXIT_CONFIG, an option of -X is wrong; EXIT_FENCED, another member of the same name has
 * taken over again and again. */
int consumer_next(struct consumer *c, rd_kafka_message_t **ret, struct err *reterr);

/* What consumer_next has returned so far needs no second reading. */
void consumer_settle(struct consumer *c);

/* Sends settled offsets, at most every 100 ms; call it once in a while. */
void consumer_tick(struct consumer *c);

/* True when partitions are assigned and each of them has been read to its end. */
bool consumer_at_end(const struct consumer *c);

/* Sends the last offsets and closes within timeout_ms. NULL is fine. */
void consumer_close(struct consumer *c, int timeout_ms);
