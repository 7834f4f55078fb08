#include "pg_attempt.h"

#include "mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { STACK_BYTES = 256 * 1024 };

/* Shared by the thread and its owner: the last one out frees it. */
struct pg_attempt {
    struct pg_options options;
    struct pg *pg;
    struct err err;
    int wake_fd;
    atomic_bool ended, left;
    atomic_int refs;
};

static void unref(struct pg_attempt *a)
{
    if (atomic_fetch_sub(&a->refs, 1) > 1)
        return;
    pg_close(a->pg);
    close(a->wake_fd);
    free(a);
}

static void *run(void *arg)
{
    struct pg_attempt *a = arg;
    uint64_t one = 1;
    pg_open(&a->pg, &a->options, &a->err);
    atomic_store(&a->ended, true);
    if (!atomic_load(&a->left) && write(a->wake_fd, &one, sizeof one) < 0)
        abort();
    unref(a);
    return NULL;
}

struct pg_attempt *pg_attempt_new(const struct pg_options *options, int wake_fd)
{
    struct pg_attempt *a = mem_new(1, sizeof *a);
    pthread_attr_t attr;
    pthread_t thread;
    a->options = *options;
    a->options.loop = NULL;
    a->wake_fd = dup(wake_fd);
    atomic_store(&a->refs, 2);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (a->wake_fd < 0 || pthread_create(&thread, &attr, run, a))
        abort();
    pthread_attr_destroy(&attr);
    return a;
}

bool pg_attempt_ended(const struct pg_attempt *a)
{
    return atomic_load(&a->ended);
}

int pg_attempt_take(struct pg_attempt *a, struct pg **ret, struct err *reterr)
{
    struct pg *pg = a->pg;
    if (!pg && reterr)
        *reterr = a->err;
    a->pg = NULL;
    unref(a);
    if (!pg)
        return -1;
    *ret = pg;
    return 0;
}

void pg_attempt_leave(struct pg_attempt *a)
{
    if (!a)
        return;
    atomic_store(&a->left, true);
    unref(a);
}
