/*
 * ledger.h - compares what the outbox holds with what a reader of the topics
 * has read: lost, duplicated, reordered and phantom events.
 *
 * Pure: knows neither libpq nor Kafka, and nothing of how the relay works.
 * Rows and records are reduced to 64-bit hashes; 48 bytes a row, an index of 8
 * to 16 bytes a row, and at the end 4 bytes a row to sort. Rows may come after
 * their records: a record without a row is judged at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEDGER_SAMPLES = 20 };

/* Hashes a field into h (begin with 0). NULL differs from an empty text. */
uint64_t ledger_hash(uint64_t h, const void *data, size_t size);

struct ledger_row {
    uint8_t id[16];
    int64_t seq;
    uint64_t content; /* hash of everything that the record must repeat */
    uint64_t group;   /* hash of what keeps its order: topic and key */
    bool required;    /* false: it may be missing, because it was committed later */
};

struct ledger_record {
    uint8_t id[16];
    uint64_t content;
    uint64_t place; /* ledger_place() */
    bool dead;      /* on the dead-letter topic: content and order do not count */
};

enum ledger_kind {
    LEDGER_LOST,
    LEDGER_DUPLICATED,
    LEDGER_REORDERED,
    LEDGER_PHANTOM, /* no such row */
    LEDGER_ALTERED, /* a row's id with other content: counts as phantom, the row as lost */
    LEDGER_KINDS,
};

struct ledger_finding {
    enum ledger_kind kind;
    uint8_t id[16];
    int64_t seq;    /* of the row; 0: no row */
    uint64_t place; /* of the record; LEDGER_NOWHERE: no record */
};

#define LEDGER_NOWHERE UINT64_MAX

struct ledger_result {
    uint64_t rows;    /* required, or found on a topic */
    uint64_t records; /* on the topics */
    uint64_t dead;    /* of these, on the dead-letter topic */
    uint64_t count[LEDGER_KINDS];
    struct ledger_finding samples[LEDGER_KINDS][LEDGER_SAMPLES]; /* the first of each kind */
};

struct ledger;
/* Owned; empty. */
struct ledger *ledger_new(void);
void ledger_free(struct ledger *ledger); /* NULL is fine */

/* False: there is a row with this id already (it is left as it was). */
bool ledger_add_row(struct ledger *ledger, const struct ledger_row *row);

/* Records of one partition must come in the order of their offsets. */
void ledger_add_record(struct ledger *ledger, const struct ledger_record *record);

/* Required rows that no record has shown yet. */
uint64_t ledger_missing(const struct ledger *ledger);

/* Judges. Call once, after the last row and record. */
void ledger_finish(struct ledger *ledger, struct ledger_result *ret);

/* Where a record stands, in a number that grows along a partition. */
uint64_t ledger_place(unsigned topic, int32_t partition, int64_t offset);
unsigned ledger_place_topic(uint64_t place);
int32_t ledger_place_partition(uint64_t place);
int64_t ledger_place_offset(uint64_t place);
