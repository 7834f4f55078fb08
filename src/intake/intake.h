/*
 * intake.h - the parts of the running program, wired in main.c.
 */
#pragma once

#include "http.h"
#include "lookup.h"
#include "loop.h"
#include "seal.h"
#include "store.h"

#include <stdbool.h>

struct intake {
    struct loop *loop;
    struct http *http;
    struct store *store;
    struct lookup *lookup;
    struct seal *seal;
    long request_timeout_ms;
    bool draining;
    struct err fatal; /* kind ERR_FATAL: exit with its code */
};
