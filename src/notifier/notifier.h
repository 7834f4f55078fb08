/*
 * notifier.h - the notifier's life: claim, deliver, record.
 */
#pragma once

#include "loop.h"
#include "opt.h"

struct notifier_conf {
    struct conf_common common;
    long concurrency;       /* notices in flight */
    long per_host;          /* likewise to one host */
    long gather_ms;         /* from one turn at the table to the next */
    long sweep_ms;          /* pace of the look at the table that needs no event */
    const char *public_url; /* of intake, as receivers see it */
    const char *company_webhook, *company_secret; /* for the manager and customers; may be NULL */
};

/* Runs until the loop is asked to stop, or (with --drain) until everything due is delivered.
 * Returns 0, or -1 with ERR_FATAL. */
int notifier_run(const struct notifier_conf *conf, struct loop *loop, struct err *reterr);
