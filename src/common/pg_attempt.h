/*
 * pg_attempt.h - pg_open in a short-lived thread of its own: it blocks, and who waits for it
 * may go away meanwhile.
 */
#pragma once

#include "pg.h"

struct pg_attempt;

/* Begins. options is copied, but for the loop, which the caller turns; what it points at must live
 * on, also when the attempt is left. At the end 8 bytes are written to wake_fd, borrowed until
 * then. Returns owned. */
struct pg_attempt *pg_attempt_new(const struct pg_options *options, int wake_fd);

bool pg_attempt_ended(const struct pg_attempt *a);

/* After the end: what pg_open has returned. Frees the attempt. */
int pg_attempt_take(struct pg_attempt *a, struct pg **ret, struct err *reterr);

/* Frees it; a session that it still gets is closed. NULL is fine. */
void pg_attempt_leave(struct pg_attempt *a);
