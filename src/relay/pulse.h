/*
 * pulse.h - what must go on while the relay waits for Kafka: signals and the heartbeat, by the
 * loop, and the leader's session, which the server drops when it is idle for long.
 */
#pragma once

#include "err.h"
#include "loop.h"

struct pulse {
    struct loop *loop;
    long shutdown_ms;        /* after this what is half done is left so */
    void (*keep)(void *ctx); /* uses the session; called once a second at most */
    void *ctx;
    uint64_t kept_at_ms; /* 0 at first */
};

/* Call between all that may take a while. ERR_RETRY when asked to stop. p may be NULL. */
int pulse_beat(struct pulse *p, struct err *reterr);

/* The same for what must be brought to its end: false when asked to stop for longer than
 * shutdown_ms. */
bool pulse_go_on(struct pulse *p);
