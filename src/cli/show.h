/*
 * show.h - squad ticket show: one ticket's way, from tables and topics.
 *
 * show.c reads PostgreSQL and prints, show_kafka.c finds events on their
 * topics, show_text.c says what happened in words.
 */
#pragma once

#include "command.h"
#include "db.h"

#include <jansson.h>
#include <stdint.h>

struct published {
    uint8_t id[16];
    unsigned topic; /* 0: tickets, 1: notices */
    char type[64];
    int64_t written_us; /* into the outbox */
    bool found;
    int32_t partition;
    int64_t offset;
    int64_t published_us; /* timestamp of the record, in whole milliseconds */
};

/* Looks for the events on their topics, read_committed, within a bound of time
 * and records; what is not found keeps found unset. */
int show_find_published(const struct conf_common *common, struct published *events, size_t n,
                        struct err *reterr);

/* What an event of the timeline says, for people. Returns owned text. */
char *show_text(const char *kind, const json_t *detail);

/* The word for people: "assigned" for reserved, "notified" for offered. */
const char *show_label(const char *kind);
