/*
 * kafka.h - librdkafka handles with squad's settings, its errors, and topics.
 *
 * What each setting is for stands beside it in kafka.c. Options given with -X
 * come last and win, but for the few that correctness rests on. Logs of librdkafka go through
 * log.h.
 */
#pragma once

#include "err.h"
#include "opt.h"

#include <librdkafka/rdkafka.h>

/* Makes a configuration with the common settings, then `pairs` (name, value,
 * ..., NULL), then the -X options. client_suffix names the handle, as "relay".
 * Returns owned (rd_kafka_new takes it), or NULL with ERR_FATAL EXIT_CONFIG. */
rd_kafka_conf_t *kafka_conf(const struct conf_common *common, const char *client_suffix,
                            const char *const *pairs, struct err *reterr);

/* Takes conf. Asks for the metadata of each of `topics` (NULL-terminated; may be
 * NULL) at once, because the first message to an unknown topic can be a second
 * late. A missing topic is ERR_FATAL EXIT_KAFKA with the hint to run squad
 * topics; an unreachable broker ERR_RETRY. */
int kafka_open(rd_kafka_t **ret, rd_kafka_type_t type, rd_kafka_conf_t *conf,
               const char *const *topics, int timeout_ms, struct err *reterr);

/* Destroys a handle; when that hangs (2.0.2 can) the process exits with
 * EXIT_DEADLINE after timeout_ms. NULL is fine. Purges a producer first. */
void kafka_close(rd_kafka_t *rk, int timeout_ms);

/* Destroys a consumer beside the program, which goes on: for one that is done for. It says nothing
 * to its group and calls nobody back; what it had under way is lost. NULL is fine. */
void kafka_discard(rd_kafka_t *rk);

/* Partitions of a topic. Missing: ERR_FATAL EXIT_KAFKA. */
int kafka_partitions(rd_kafka_t *rk, const char *topic, int timeout_ms, int *ret_count,
                     struct err *reterr);

/* The one place where a Kafka error becomes a kind. ERR_RETRY: the same call
 * again may do; ERR_REJECT: this record itself can not be taken; ERR_FATAL: the
 * handle is done for. */
enum err_kind kafka_err_kind(rd_kafka_resp_err_t code);

/* Another producer has the transactional id now. */
bool kafka_is_fenced(int code);

/* A right is missing: waiting does not give it. */
bool kafka_is_denied(int code);

/* Sets *reterr from a code, its kind by kafka_err_kind; fmt says what could not be done. Returns
 * -1. */
int kafka_err(struct err *reterr, rd_kafka_resp_err_t code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Takes a rd_kafka_error_t. Kind: fatal -> ERR_FATAL, retriable -> ERR_RETRY,
 * txn_requires_abort -> ERR_RETRY with err.unknown unset. */
int kafka_err_take(struct err *reterr, rd_kafka_error_t *error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Topic name into buf: PREFIX.SUFFIX. Suffixes: tickets experts notices relay.progress dead. */
const char *kafka_topic(char *buf, size_t size, const char *prefix, const char *suffix);

/* Header of a message as text, or NULL: borrowed from the message, not NUL-terminated. */
const char *kafka_header(const rd_kafka_message_t *msg, const char *name, size_t *ret_size);

static inline void kafka_message_freep(rd_kafka_message_t **m)
{
    if (*m)
        rd_kafka_message_destroy(*m);
}
