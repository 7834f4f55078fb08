/*
 * reader.h - reads an outbox as the relay does, by its own code and queries,
 * and beside it as two popular ways do; writers for the tests.
 *
 * Everything asserts by itself. A row is named by its payload, {"n": N}.
 */
#pragma once

#include "outbox.h"
#include "world.h"

enum { READ_MAX = 60000 };

struct seen {
    int n;
    struct seen_row {
        int64_t seq;
        char key[16];
        int name;
    } row[READ_MAX];
};

struct reader {
    struct world *w;
    struct pg *pg; /* as squad_relay */
    struct position at;
    struct seen seen;       /* by the relay's way */
    struct seen above_id;   /* by `seq > last` */
    struct seen below_xmin; /* by `xid < xmin`, ordered by xid */
};

struct reader *reader_open(struct world *w); /* owned */
void reader_close(struct reader *r);

/* One read of at most max rows. Returns the number of rows. */
int reader_step(struct reader *r, int max);

/* Reads until nothing is left. */
void reader_drain(struct reader *r, int max);

/* A relay that is started anew: all it knows is the position's text. */
void reader_restart(struct reader *r);

/* Both naive ways, once. */
void reader_naive(struct reader *r);

/* The same until the watermark's way has read `rows` rows: others on the server hold it back too.
 */
void reader_naive_all(struct reader *r, long rows);

/* Times that a name is in what was seen, and the place of its first time (-1: none). */
int seen_count(const struct seen *s, int name);
int seen_at(const struct seen *s, int name);

/* Another connection of the world's database, as superuser. */
PGconn *writer_open(struct world *w);

/* Asserts success. */
void writer_run(PGconn *conn, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes the event `name` of a key. */
void writer_event(PGconn *conn, const char *key, int name);
