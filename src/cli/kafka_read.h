/*
 * kafka_read.h - reads partitions read_committed from given offsets to their
 * end, and beyond. No group, nothing committed. One thread.
 */
#pragma once

#include "kafka.h"

#include <stdbool.h>
#include <stdint.h>

struct kafka_part {
    unsigned topic; /* index into the list given */
    int32_t partition;
    int64_t low;  /* first offset still there */
    int64_t end;  /* last stable offset at open: a read_committed reader gets no further */
    int64_t next; /* offset to be read next; set before kafka_read_start to begin elsewhere */
    bool at_end;  /* next has reached end */
};

struct kafka_reader;

/* Finds the partitions of `topics` (NULL-terminated, borrowed, at most 16) and
 * their offsets. next is low. A missing topic is ERR_FATAL EXIT_KAFKA; a broker
 * that does not answer within timeout_ms too. Returns owned. */
int kafka_read_open(struct kafka_reader **ret, const struct conf_common *common,
                    const char *const *topics, int timeout_ms, struct err *reterr);
void kafka_read_close(struct kafka_reader *reader); /* NULL is fine */

/* The partitions; valid until close. */
struct kafka_part *kafka_read_parts(struct kafka_reader *reader, size_t *ret_count);
rd_kafka_t *kafka_read_handle(struct kafka_reader *reader); /* borrowed */

/* Begins to read each partition at its kafka_part.next. */
int kafka_read_start(struct kafka_reader *reader, struct err *reterr);

/* The next message, owned by the caller, and its topic's index; *ret_msg NULL
 * when none came within timeout_ms or a partition reached its end. */
int kafka_read_next(struct kafka_reader *reader, int timeout_ms, rd_kafka_message_t **ret_msg,
                    unsigned *ret_topic, struct err *reterr);

/* True when every partition has been read to the end it had at open. */
bool kafka_read_done(const struct kafka_reader *reader);

/* A record that the relay puts between its own events; consumers skip it. */
bool kafka_is_barrier(const rd_kafka_message_t *msg);

/* ce_id as 16 bytes; false when there is none or it is not a UUID. */
bool kafka_event_id(const rd_kafka_message_t *msg, uint8_t ret_id[16]);
