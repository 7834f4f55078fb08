/*
 * relay.h - the relay's life: stand by, recover, stream.
 */
#pragma once

#include "loop.h"
#include "opt.h"
#include "poison.h"

struct relay_conf {
    struct conf_common common;
    long batch_max;      /* rows in one Kafka transaction */
    long gather_ms;      /* at most, from the start of one transaction to that of the next */
    long tick_busy_ms;   /* pause after an empty read while rows come */
    long tick_idle_ms;   /* likewise when none have come for a while */
    long transaction_ms; /* transaction.timeout.ms */
    long leader_ms;      /* after this PostgreSQL drops the session of a leader that is frozen */
    int poison;          /* enum poison_policy */
};

/* Runs until the loop is asked to stop, or (with --drain) until everything is published. Returns
 * 0, or -1 with ERR_FATAL. */
int relay_run(const struct relay_conf *conf, struct loop *loop, struct err *reterr);
