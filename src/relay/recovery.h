/*
 * recovery.h - what progress.c, scan.c and resend.c share while the relay's position is read back.
 */
#pragma once

#include "producer.h"
#include "pulse.h"
#include "settle.h"

enum { RECOVERY_PARTITIONS_MAX = 512, RECOVERY_QUERY_MS = 5000, RECOVERY_SCAN_MS = 15000 };

struct part {
    int topic, number;
    int64_t low, lso, hw;
    int64_t from, until; /* of the present scan */
    int64_t last;        /* offset of the last visible record of a relay; -1: none was seen */
    bool done;           /* scanned up to until */
    bool seen;           /* a record of a relay was seen */
    uint64_t hangs;      /* transaction of the record at lso, when that is below hw; 0: not ours */
};

struct recovery {
    const struct conf_common *common;
    const struct topics *topics;
    struct producer *const *pair;
    struct pulse *pulse;
    uint64_t known_txn;
    rd_kafka_t *committed, *uncommitted;
    struct part part[RECOVERY_PARTITIONS_MAX];
    int n;
    struct settle settle;
    char *position; /* last one visible; owned */
    void *ctx;      /* of a scan's callback */
};

/* Opens both readers and lists the partitions, the position's first. recovery_close also after an
 * error. */
int recovery_open(struct recovery *r, struct err *reterr);
void recovery_close(struct recovery *r);

/* Reads the offsets; *ret_stable: nothing is open below a high watermark. */
int recovery_offsets(struct recovery *r, bool *ret_stable, struct err *reterr);

/* The same until nothing is open below a high watermark, or for three seconds. */
int recovery_wait_stable(struct recovery *r, bool *ret_stable, struct err *reterr);

/* Takes the message (returns true) or leaves it. */
typedef bool recovery_message_fn(struct recovery *r, struct part *p, rd_kafka_message_t *msg);

/* Reads every partition with from < until. A time-out, or being asked to stop, is ERR_RETRY, never
 * "empty". */
int recovery_scan(struct recovery *r, rd_kafka_t *reader, recovery_message_fn *on_message,
                  struct err *reterr);

/* Reads the last visible records: position, and last and settle of what is visible. */
int recovery_scan_tails(struct recovery *r, struct err *reterr);

/* Number of the transaction in the header squad_txn; 0: not of a relay. */
uint64_t recovery_txn_of(const rd_kafka_message_t *msg);

/* Is it a position, and not what others wrote? */
bool recovery_is_position(const struct part *p, const rd_kafka_message_t *msg);

/* Number in a header; -1: there is none. */
int64_t recovery_number(const rd_kafka_message_t *msg, const char *header);

/* resend.c: sends again what an aborted barrier has taken with it: see there. Nothing may hang.
 * Reads the tails again when it has sent something. */
int recovery_resend(struct recovery *r, struct err *reterr);

/* producer_commit's keep_waiting: until *ctx, a monotonic time in ms, and not when stopping for
 * long. */
struct recovery_wait {
    struct recovery *r;
    uint64_t until_ms;
};
bool recovery_keep_waiting(void *ctx);
