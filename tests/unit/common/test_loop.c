#include "loop.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static char order[8];

static void on_timer(void *ctx)
{
    strncat(order, ctx, sizeof order - strlen(order) - 1);
}

Test(loop, timers_run_in_order_of_time_and_can_be_moved)
{
    struct loop *loop;
    struct err e;
    cr_assert_eq(loop_new(&loop, &e), 0);
    struct loop_timer a = {.fn = on_timer, .ctx = "a"}, b = {.fn = on_timer, .ctx = "b"},
                      c = {.fn = on_timer, .ctx = "c"};
    uint64_t t = now_ms();
    loop_timer_set(loop, &a, t + 20);
    loop_timer_set(loop, &b, t + 10);
    loop_timer_set(loop, &c, t + 5);
    loop_timer_set(loop, &c, t + 30);
    while (strlen(order) < 3)
        loop_once(loop, 100);
    cr_assert_str_eq(order, "bac");
    loop_timer_set(loop, &a, now_ms() + 5);
    loop_timer_set(loop, &a, 0);
    loop_once(loop, 15);
    cr_assert_str_eq(order, "bac");
    loop_free(loop);
}

struct pair {
    struct loop *loop;
    struct loop_source *one, *two;
    int calls;
};

static void on_either(void *ctx, uint32_t events)
{
    struct pair *p = ctx;
    (void)events;
    p->calls++;
    loop_remove(p->loop, p->one);
    loop_remove(p->loop, p->two);
}

Test(loop, a_source_removed_in_a_callback_is_not_called)
{
    struct err e;
    struct pair p = {0};
    int fds[2][2];
    cr_assert_eq(loop_new(&p.loop, &e), 0);
    cr_assert_eq(pipe(fds[0]) | pipe(fds[1]), 0);
    cr_assert(write(fds[0][1], "x", 1) == 1 && write(fds[1][1], "x", 1) == 1);
    p.one = loop_add(p.loop, fds[0][0], EPOLLIN, on_either, &p);
    p.two = loop_add(p.loop, fds[1][0], EPOLLIN, on_either, &p);
    loop_once(p.loop, 100);
    loop_once(p.loop, 0);
    cr_assert_eq(p.calls, 1);
    loop_free(p.loop);
}

static void on_wake(void *ctx, uint32_t events)
{
    (void)events;
    ++*(int *)ctx;
}

Test(loop, a_wakeup_is_an_eventfd)
{
    struct loop *loop;
    struct err e;
    int woken = 0;
    cr_assert_eq(loop_new(&loop, &e), 0);
    int fd = loop_wakeup(loop, on_wake, &woken);
    uint64_t one = 1;
    cr_assert(write(fd, &one, sizeof one) == sizeof one &&
              write(fd, &one, sizeof one) == sizeof one);
    loop_once(loop, 100);
    cr_assert_eq(woken, 1, "two writes are one wake-up");
    loop_free(loop);
}

Test(loop, term_asks_to_stop)
{
    struct loop *loop;
    struct err e;
    loop_block_signals();
    cr_assert_eq(loop_new(&loop, &e), 0);
    cr_assert_not(loop_stopping(loop));
    kill(getpid(), SIGTERM);
    loop_once(loop, 1000);
    cr_assert(loop_stopping(loop));
    loop_free(loop);
}
