/*
 * intake.h - the parts of the running program, wired in main.c.
 */
#pragma once

#include "http.h"
#include "lookup.h"
#include "loop.h"
#include "store.h"

#include <stdbool.h>

struct intake {
    struct loop *loop;
    struct http *http;
    struct store *store;
    struct lookup *lookup;
    long request_timeout_ms;
    bool draining;
    struct err fatal; /* kind ERR_FATAL: exit with its code */
};
