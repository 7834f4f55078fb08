/* pg_wait.h - pg.c's own: an answer is waited for with a bound, and with an ear for TERM. */
#pragma once

#include "loop.h"

#include <libpq-fe.h>

struct pg_wait {
    uint64_t until_ms; /* 0: without end */
    struct loop *loop; /* beats and hears signals meanwhile, and runs nothing; or NULL */
    long shutdown_ms;  /* with loop: after TERM it waits until this has passed, no longer */
};

/* The last result of what was sent on a connection that does not block. Owned; NULL when there was
 * none in time: then the connection is shut down, and *ret_silent true. */
PGresult *pg_wait(PGconn *conn, const struct pg_wait *wait, bool *ret_silent);
