/*
 * A barrier is a transaction itself. When relay or broker die before its commit is decided, Kafka
 * aborts it, and with it the transaction that it was to commit: rows that the position has passed
 * would be lost. Their records are still in the log. So a barrier says where they begin, and
 * whoever recovers next sends them again, in one transaction with the position. Nothing later was
 * committed meanwhile (markers.h), so they are in order.
 */
#include "kafka.h"
#include "log.h"
#include "mem.h"
#include "position.h"
#include "recovery.h"

#include <stdlib.h>
#include <string.h>

enum { UNSEEN_OFFSETS = 65536 }; /* looked at where nothing of a relay is visible */

struct barrier { /* aborted */
    const struct part *part;
    uint64_t txn;
    int64_t from, at; /* its transaction's records lie between these offsets */
};

struct record {
    const struct part *part;
    rd_kafka_message_t *msg; /* owned */
};

struct lost {
    struct barrier *barriers;
    struct record *records;
    size_t n_barriers, barriers_cap, n_records, records_cap;
    struct position at; /* the last one, visible or lost */
};

/* Of a relay, and behind all that is visible: aborted, because nothing hangs. */
static bool on_aborted(struct recovery *r, struct part *p, rd_kafka_message_t *msg)
{
    struct lost *lost = r->ctx;
    int64_t from = recovery_number(msg, PRODUCER_FROM_HEADER);
    if (from < 0)
        return false;
    lost->barriers =
        mem_room(lost->barriers, lost->n_barriers, &lost->barriers_cap, sizeof *lost->barriers);
    lost->barriers[lost->n_barriers++] =
        (struct barrier){.part = p, .txn = recovery_txn_of(msg), .from = from, .at = msg->offset};
    return false;
}

static int find_barriers(struct recovery *r, struct err *reterr)
{
    for (int i = 0; i < r->n; i++) {
        struct part *p = &r->part[i];
        int64_t unseen = p->lso - UNSEEN_OFFSETS;
        p->until = p->hw;
        p->from = p->last >= 0 ? p->last + 1 : unseen < p->low ? p->low : unseen;
    }
    return recovery_scan(r, r->uncommitted, on_aborted, reterr);
}

static bool is_kept(const struct lost *lost, const struct part *p, const rd_kafka_message_t *msg)
{
    size_t size, had_size;
    const char *id = kafka_header(msg, "ce_id", &size);
    for (size_t i = 0; id && i < lost->n_records; i++) {
        const char *had = lost->records[i].part == p
                              ? kafka_header(lost->records[i].msg, "ce_id", &had_size)
                              : NULL;
        if (had && had_size == size && memcmp(had, id, size) == 0)
            return true;
    }
    return false;
}

static bool on_lost(struct recovery *r, struct part *p, rd_kafka_message_t *msg)
{
    struct lost *lost = r->ctx;
    uint64_t txn = recovery_txn_of(msg);
    size_t here = 0, of_this = 0;
    for (size_t i = 0; i < lost->n_barriers; i++) {
        const struct barrier *b = &lost->barriers[i];
        here += b->part == p;
        of_this += b->part == p && b->txn == txn && b->from <= msg->offset && msg->offset < b->at;
    }
    if (!of_this || recovery_number(msg, PRODUCER_FROM_HEADER) >= 0)
        return false;
    /* Sent again once, and lost again: it is there twice. */
    if (here > 1 && is_kept(lost, p, msg))
        return false;
    lost->records =
        mem_room(lost->records, lost->n_records, &lost->records_cap, sizeof *lost->records);
    lost->records[lost->n_records++] = (struct record){.part = p, .msg = msg};
    return true;
}

static int collect(struct recovery *r, const struct lost *lost, struct err *reterr)
{
    for (int i = 0; i < r->n; i++)
        r->part[i].from = r->part[i].until = 0;
    for (size_t i = 0; i < lost->n_barriers; i++) {
        struct part *p = &r->part[lost->barriers[i].part - r->part];
        if (p->until == 0 || lost->barriers[i].from < p->from)
            p->from = lost->barriers[i].from < p->low ? p->low : lost->barriers[i].from;
        if (lost->barriers[i].at > p->until)
            p->until = lost->barriers[i].at;
    }
    return recovery_scan(r, r->uncommitted, on_lost, reterr);
}

static int later_position(struct position *at, const char *json, size_t size, struct err *reterr)
{
    struct position p = {0};
    if (position_decode(json, size, &p, reterr))
        return -1;
    if (p.txn <= at->txn) {
        position_free(&p);
        return 0;
    }
    position_free(at);
    *at = p;
    return 0;
}

/* The last position of all, which may be among what is lost. */
static int find_position(const struct recovery *r, struct lost *lost, struct err *reterr)
{
    if (r->position && later_position(&lost->at, r->position, strlen(r->position), reterr))
        return -1;
    for (size_t i = 0; i < lost->n_records; i++) {
        const rd_kafka_message_t *msg = lost->records[i].msg;
        if (recovery_is_position(lost->records[i].part, msg) &&
            later_position(&lost->at, msg->payload, msg->len, reterr))
            return -1;
    }
    return 0;
}

static int send_again(struct recovery *r, struct lost *lost, struct err *reterr)
{
    struct recovery_wait wait = {.r = r, .until_ms = now_ms() + RECOVERY_SCAN_MS};
    uint64_t passed = lost->at.txn++; /* what is later will be read from the outbox again */
    struct producer *p = r->pair[lost->at.txn % 2];
    char *json = position_encode(&lost->at);
    int failed = producer_begin(p, lost->at.txn, reterr);
    for (size_t i = 0; i < lost->n_records && !failed; i++) {
        const struct record *record = &lost->records[i];
        if (!recovery_is_position(record->part, record->msg) &&
            recovery_txn_of(record->msg) <= passed)
            failed =
                producer_again(p, record->part->topic, record->part->number, record->msg, reterr);
    }
    if (!failed)
        failed = producer_position(p, json, reterr) ||
                 producer_commit(p, recovery_keep_waiting, &wait, reterr);
    free(json);
    return failed ? -1 : 0;
}

static int resend(struct recovery *r, struct lost *lost, struct err *reterr)
{
    bool stable;
    if (recovery_scan_tails(r, reterr) || find_barriers(r, reterr))
        return -1;
    if (!lost->n_barriers)
        return 0;
    if (collect(r, lost, reterr) || find_position(r, lost, reterr))
        return -1;
    if (!lost->n_records)
        return 0;
    LOG(WARN, "a barrier was aborted; sending again what it was to commit",
        F_INT("txn", lost->barriers[0].txn), F_INT("records", lost->n_records));
    if (send_again(r, lost, reterr) || recovery_wait_stable(r, &stable, reterr))
        return -1;
    return stable ? 0 : err_set(reterr, ERR_RETRY, "the transaction that sent again hangs");
}

int recovery_resend(struct recovery *r, struct err *reterr)
{
    struct lost lost = {0};
    r->ctx = &lost;
    int failed = resend(r, &lost, reterr);
    for (size_t i = 0; i < lost.n_records; i++)
        rd_kafka_message_destroy(lost.records[i].msg);
    position_free(&lost.at);
    free(lost.records);
    free(lost.barriers);
    return failed;
}
