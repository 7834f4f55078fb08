/*
 * assigner.h - the assigner's life: events wake it, the database decides.
 */
#pragma once

#include "loop.h"
#include "opt.h"

struct assigner_conf {
    struct conf_common common;
    long batch_max;         /* events in one transaction */
    long refresh_ms;        /* least often the roster is compared with the database */
    long sweep_ms;          /* pace of the net below the events */
    long sweep_age_ms;      /* so old a ticket is before the sweep takes it */
    bool no_advisory_locks; /* the constraints alone */
};

/* Runs until the loop is asked to stop, or (with --drain) until everything there is has been
 * decided. Returns 0, or -1 with ERR_FATAL. */
int assigner_run(const struct assigner_conf *conf, struct loop *loop, struct err *reterr);
