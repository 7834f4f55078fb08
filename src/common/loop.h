/*
 * loop.h - one epoll set per process: sources, timers, signals.
 *
 * Signals are blocked in loop_block_signals, which main calls before any
 * library starts a thread, and arrive by signalfd: TERM and INT ask to stop, a
 * second one exits at once. Callbacks run on the calling thread only.
 */
#pragma once

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;

typedef void loop_fn(void *ctx, uint32_t epoll_events);
typedef void loop_timer_fn(void *ctx);

/* A timer lives in its owner's struct. Zeroed: not set. */
struct loop_timer {
    loop_timer_fn *fn;
    void *ctx;
    uint64_t at_ms; /* monotonic; 0: not set */
    struct loop_timer *next;
};

/* Blocks TERM, INT and PIPE. Call first in main. */
void loop_block_signals(void);

int loop_new(struct loop **ret, struct err *reterr); /* owned */
void loop_free(struct loop *loop);

/* Watches fd (borrowed) for EPOLL* events, level-triggered. Never fails short
 * of memory or descriptors, which abort. */
struct loop_source *loop_add(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *ctx);
void loop_modify(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_remove(struct loop *loop,
                 struct loop_source *source); /* NULL is fine; safe in callbacks */

/* Runs timer->fn once at at_ms (moves it when already set); 0 unsets it. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ms);

/* An eventfd source, for rd_kafka_queue_io_event_enable: returns the fd to
 * write to (8 bytes); fn runs on the loop after it was written. */
int loop_wakeup(struct loop *loop, loop_fn *fn, void *ctx);

/* Waits at most max_wait_ms (-1: no bound) for the next event or timer and runs
 * what is due. Returns the number of callbacks run, 0 also when it only beat the
 * heartbeat (health.h). */
int loop_once(struct loop *loop, int max_wait_ms);

/* Takes signals and beats, and runs nothing: for who waits for something of his own. */
void loop_look(struct loop *loop);

/* True after TERM or INT (or loop_stop). */
bool loop_stopping(const struct loop *loop);
void loop_stop(struct loop *loop);
uint64_t loop_stopping_since_ms(const struct loop *loop); /* 0 while running */

uint64_t now_ms(void); /* monotonic */
uint64_t now_us(void); /* monotonic */
int64_t wall_us(void); /* microseconds since 1970, UTC */
