#include "loop.h"

#include "health.h"
#include "log.h"
#include "mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_PER_WAIT = 64 };

struct loop_source {
    loop_fn *fn; /* NULL: removed, to be freed after this round */
    void *ctx;
    int fd;
    bool owns_fd; /* a wakeup: its eventfd and its ctx are ours */
    struct loop_source *next;
};

struct loop {
    int epoll_fd, signal_fd;
    struct loop_source *sources, *removed;
    struct loop_timer *timers; /* sorted by at_ms */
    uint64_t stopping_since_ms;
};

uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t now_ms(void)
{
    return now_us() / 1000;
}

int64_t wall_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

void loop_block_signals(void)
{
    sigset_t set;
    stop_signals(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void on_signal(void *ctx, uint32_t events)
{
    struct loop *loop = ctx;
    struct signalfd_siginfo si;
    (void)events;
    while (read(loop->signal_fd, &si, sizeof si) == sizeof si) {
        if (loop->stopping_since_ms)
            _exit(EXIT_DEADLINE); /* asked twice: the person is in a hurry */
        LOG(INFO, "stopping", F_STR("signal", si.ssi_signo == SIGTERM ? "TERM" : "INT"));
        loop_stop(loop);
    }
}

int loop_new(struct loop **ret, struct err *reterr)
{
    sigset_t set;
    struct loop *loop = mem_new(1, sizeof *loop);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    stop_signals(&set);
    loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (loop->epoll_fd < 0 || loop->signal_fd < 0) {
        err_fatal(reterr, EXIT_FOUND, "could not make the event loop: %s", strerror(errno));
        loop_free(loop);
        return -1;
    }
    loop_add(loop, loop->signal_fd, EPOLLIN, on_signal, loop);
    *ret = loop;
    return 0;
}

static void free_sources(struct loop_source *s)
{
    while (s) {
        struct loop_source *next = s->next;
        if (s->owns_fd) {
            close(s->fd);
            free(s->ctx);
        }
        free(s);
        s = next;
    }
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    free_sources(loop->sources);
    free_sources(loop->removed);
    if (loop->signal_fd >= 0)
        close(loop->signal_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    free(loop);
}

struct loop_source *loop_add(struct loop *loop, int fd, uint32_t events, loop_fn *fn, void *ctx)
{
    struct loop_source *s = calloc(1, sizeof *s);
    struct epoll_event ev = {.events = events, .data.ptr = s};
    if (!s || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev))
        abort();
    *s = (struct loop_source){.fn = fn, .ctx = ctx, .fd = fd, .next = loop->sources};
    loop->sources = s;
    return s;
}

void loop_modify(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &ev))
        abort();
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    if (!source)
        return;
    /* The owner may have closed it already: then the kernel forgot it too. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    for (struct loop_source **p = &loop->sources; *p; p = &(*p)->next)
        if (*p == source) {
            *p = source->next;
            break;
        }
    source->fn = NULL;
    source->next = loop->removed;
    loop->removed = source;
}

static void timer_unlink(struct loop *loop, struct loop_timer *timer)
{
    for (struct loop_timer **p = &loop->timers; *p; p = &(*p)->next)
        if (*p == timer) {
            *p = timer->next;
            break;
        }
    timer->at_ms = 0;
    timer->next = NULL;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t at_ms)
{
    if (timer->at_ms)
        timer_unlink(loop, timer);
    if (!at_ms)
        return;
    timer->at_ms = at_ms;
    struct loop_timer **p = &loop->timers;
    while (*p && (*p)->at_ms <= at_ms)
        p = &(*p)->next;
    timer->next = *p;
    *p = timer;
}

struct wakeup {
    int fd;
    loop_fn *fn;
    void *ctx;
};

static void on_wakeup(void *ctx, uint32_t events)
{
    struct wakeup *w = ctx;
    uint64_t count;
    if (read(w->fd, &count, sizeof count) == sizeof count)
        w->fn(w->ctx, events);
}

int loop_wakeup(struct loop *loop, loop_fn *fn, void *ctx)
{
    struct wakeup *w = malloc(sizeof *w);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!w || fd < 0)
        abort();
    *w = (struct wakeup){fd, fn, ctx};
    loop_add(loop, fd, EPOLLIN, on_wakeup, w)->owns_fd = true;
    return fd;
}

static int run_timers(struct loop *loop)
{
    int n = 0;
    uint64_t now = now_ms();
    while (loop->timers && loop->timers->at_ms <= now) {
        struct loop_timer *t = loop->timers;
        timer_unlink(loop, t);
        t->fn(t->ctx);
        n++;
    }
    return n;
}

static int wait_ms(const struct loop *loop, int max_wait_ms)
{
    if (!loop->timers)
        return max_wait_ms;
    uint64_t now = now_ms(), at = loop->timers->at_ms;
    uint64_t left = at > now ? at - now : 0;
    if (max_wait_ms >= 0 && left > (uint64_t)max_wait_ms)
        return max_wait_ms;
    return left > 60000 ? 60000 : (int)left;
}

int loop_once(struct loop *loop, int max_wait_ms)
{
    struct epoll_event ev[EVENTS_PER_WAIT];
    int ran = 0;
    int n =
        epoll_wait(loop->epoll_fd, ev, EVENTS_PER_WAIT, wait_ms(loop, health_wait_ms(max_wait_ms)));
    health_beat(now_ms());
    for (int i = 0; i < n; i++) {
        struct loop_source *s = ev[i].data.ptr;
        if (s->fn) {
            s->fn(s->ctx, ev[i].events);
            ran++;
        }
    }
    ran += run_timers(loop);
    free_sources(loop->removed);
    loop->removed = NULL;
    return ran;
}

void loop_look(struct loop *loop)
{
    on_signal(loop, 0);
    health_beat(now_ms());
}

bool loop_stopping(const struct loop *loop)
{
    return loop->stopping_since_ms != 0;
}

void loop_stop(struct loop *loop)
{
    if (!loop->stopping_since_ms)
        loop->stopping_since_ms = now_ms();
}

uint64_t loop_stopping_since_ms(const struct loop *loop)
{
    return loop->stopping_since_ms;
}
