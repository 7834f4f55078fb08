/*
 * health.h - the heartbeat file: how a program shows that its loop turns.
 *
 * A program started with --heartbeat FILE writes the monotonic time into FILE
 * once a second, from its loop. The same program started with --health reads
 * FILE and says by its exit code whether the loop is stuck. PostgreSQL or Kafka
 * being away is not ill health: a restart would not bring them back.
 *
 * One heartbeat a process, as the log; not thread-safe.
 */
#pragma once

#include "err.h"

#include <stdint.h>

enum { HEALTH_BEAT_MS = 1000, HEALTH_STALE_MS = 10000 };

/* Makes or opens the file and beats for the first time. Error: EXIT_CONFIG. */
int health_open(const char *path, struct err *reterr);

/* The loop calls this each turn; writes when the last beat is HEALTH_BEAT_MS old.
 * Does nothing without a file. */
void health_beat(uint64_t now_ms);

/* How long the loop may sleep: wait_ms (-1: no bound), but not past the next beat. */
int health_wait_ms(int wait_ms);

/* 0 when the file at path has a beat not older than HEALTH_STALE_MS at now_ms, else
 * -1 with EXIT_FOUND and what is wrong. */
int health_check(const char *path, uint64_t now_ms, struct err *reterr);
