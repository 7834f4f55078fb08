/*
 * verify.h - squad verify: proves the promises from tables and topics.
 *
 * verify_db.c reads PostgreSQL, verify_kafka.c reads Kafka, verify.c puts them
 * in order: the outbox as one snapshot shows it, the topics to the end they
 * have then (and on, while rows of that snapshot are missing), the rows that
 * came since, and last the tables. So a row that is committed meanwhile is
 * neither lost nor phantom.
 */
#pragma once

#include "command.h"
#include "db.h"
#include "ledger.h"

#include <stdint.h>
#include <stdio.h>

enum verify_check {
    CHECK_LOST,
    CHECK_DUPLICATED,
    CHECK_REORDERED,
    CHECK_PHANTOM,
    CHECK_DOUBLE_ASSIGNED,
    CHECK_OVERLOADED,
    CHECK_WRONG_EXPERT,
    CHECK_UNNOTIFIED,
    CHECK_STUCK,
    CHECKS,
};
extern const char *const verify_check_names[CHECKS]; /* as in JSON */

enum { VERIFY_SAMPLES = 20, VERIFY_TEXT_MAX = 200 };

struct verify_sample {
    char id[40];
    char what[VERIFY_TEXT_MAX];
};

struct verify {
    struct conf_common common;
    const char *acks_file; /* NULL: none */
    FILE *acks_from;       /* opened before anything else is done */
    long wait_s, grace_s;
    bool json;

    struct pg *pg;
    struct ledger *ledger;
    char *snapshot; /* of the outbox rows that must be in Kafka; owned */
    bool drained;

    int64_t tickets, outbox, kafka, assigned, parked, notified, review, dead, acks, missing_acks;
    int64_t count[CHECKS];
    int n_samples[CHECKS];
    struct verify_sample samples[CHECKS][VERIFY_SAMPLES];
};

/* Adds one finding, or n of them with one sample. */
void verify_found(struct verify *v, enum verify_check check, int64_t n, const char *id,
                  const char *what);

extern const struct pg_stmt verify_stmts[];
extern const size_t verify_n_stmts;

/* Hashes of what a record must repeat. traceparent may be NULL. */
struct verify_event {
    const char *topic, *key, *type, *payload, *traceparent;
    size_t topic_size, key_size, type_size, payload_size, traceparent_size;
};
uint64_t verify_content(const struct verify_event *event);

/* verify_db.c */
int verify_load_outbox(struct verify *v, struct err *reterr); /* and sets snapshot */
int verify_load_late(struct verify *v, struct err *reterr);
int verify_tables(struct verify *v, struct err *reterr); /* counts and checks, one snapshot */
int verify_open_acks(struct verify *v, struct err *reterr);
int verify_acks(struct verify *v, struct err *reterr);

struct backlog {
    int64_t unseen, notices, unpublished;
    bool relay_unknown; /* no relay has written its position; unpublished is 0 then */
};
/* What is still under way in the database, now. */
int verify_backlog(struct verify *v, struct backlog *ret, struct err *reterr);

/* verify_kafka.c */
int verify_read_topics(struct verify *v, uint64_t settle_ms, struct err *reterr);
int verify_drain(struct verify *v, struct err *reterr); /* sets drained */
extern const char *const verify_topics[]; /* suffixes in the order of ledger_place's topic; NULL */
