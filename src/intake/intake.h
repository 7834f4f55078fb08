/*
 * intake.h - the parts of the running program, wired in main.c.
 */
#pragma once

#include "http.h"
#include "lookup.h"
#include "loop.h"
#include "metrics.h"
#include "seal.h"
#include "store.h"

#include <stdbool.h>

struct intake {
    struct loop *loop;
    struct http *http, *admin; /* admin may be NULL */
    struct store *store;
    struct lookup *lookup;
    struct seal *seal;
    struct admit *admit;
    struct metrics metrics;
    long request_timeout_ms;
    bool draining;
    struct err fatal; /* kind ERR_FATAL: exit with its code */
};
