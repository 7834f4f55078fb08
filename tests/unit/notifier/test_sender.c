/* POSTs to a server of the test's own, which answers when it is told to. */
#include "sender.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 300, STALL_MS = 2 * TIMEOUT_MS, WAIT_MS = 5000 };

struct server {
    int fd, connection;
    pthread_t thread;
    const char *answer; /* NULL: it says nothing */
    unsigned late_ms;
    int requests; /* on the connection; only the last is answered late */
    char url[64];
};

static void *serve(void *ctx)
{
    struct server *v = ctx;
    char request[4096];
    v->connection = accept(v->fd, NULL, NULL);
    for (int i = 1; i <= v->requests; i++) {
        if (v->connection < 0 || read(v->connection, request, sizeof request) <= 0 || !v->answer)
            return NULL;
        usleep(i == v->requests ? v->late_ms * 1000 : 0);
        if (write(v->connection, v->answer, strlen(v->answer)) < 0)
            abort();
    }
    return NULL;
}

static void listen_at(struct server *v, const char *answer, unsigned late_ms)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    *v = (struct server){.fd = socket(AF_INET, SOCK_STREAM, 0),
                         .connection = -1,
                         .answer = answer,
                         .late_ms = late_ms};
    cr_assert_eq(bind(v->fd, (struct sockaddr *)&at, size), 0);
    cr_assert_eq(listen(v->fd, 512), 0);
    cr_assert_eq(getsockname(v->fd, (struct sockaddr *)&at, &size), 0);
    snprintf(v->url, sizeof v->url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
}

static void start(struct server *v, const char *answer, unsigned late_ms, int requests)
{
    listen_at(v, answer, late_ms);
    v->requests = requests;
    cr_assert_eq(pthread_create(&v->thread, NULL, serve, v), 0);
}

static void stop(struct server *v)
{
    pthread_join(v->thread, NULL);
    close(v->connection);
    close(v->fd);
}

struct outcome {
    int n;
    long status;
    char error[64];
};

static void on_answer(void *ctx, const struct answer *answer)
{
    struct outcome *o = ctx;
    o->n++;
    o->status = answer->status;
    snprintf(o->error, sizeof o->error, "%s", answer->error ? answer->error : "");
}

static void begin(struct sender *sender, const struct server *v)
{
    cr_assert(
        sender_post(sender, &(struct post){.url = v->url, .body = "{}", .timeout_ms = TIMEOUT_MS}));
}

static void wait_for(struct loop *loop, const struct outcome *o, int n)
{
    uint64_t until_ms = now_ms() + WAIT_MS;
    while (o->n < n && now_ms() < until_ms)
        loop_once(loop, 10);
}

/* Posts all requests, the last as follows: runs the loop until it is out, does nothing for a
 * while, and goes on. The outcome is the last one's. */
static struct outcome post(struct server *v, unsigned stall_ms)
{
    struct outcome o = {0};
    struct loop *loop;
    struct sender *sender;
    struct err err;
    loop_block_signals();
    cr_assert_eq(loop_new(&loop, &err), 0);
    cr_assert_eq(sender_new(&sender, loop, 4, 4, on_answer, &o, &err), 0);
    for (int i = 1; i < v->requests; i++) {
        begin(sender, v);
        wait_for(loop, &o, i);
    }
    begin(sender, v);
    uint64_t begun_ms = now_ms();
    while (stall_ms && now_ms() < begun_ms + TIMEOUT_MS / 3)
        loop_once(loop, 5);
    cr_assert(!stall_ms || o.n == v->requests - 1);
    usleep(stall_ms * 1000);
    wait_for(loop, &o, v->requests);
    sender_free(sender);
    loop_free(loop);
    return o;
}

Test(sender, an_answer_is_taken)
{
    struct server v;
    start(&v, "HTTP/1.1 204 No Content\r\n\r\n", 0, 1);
    struct outcome o = post(&v, 0);
    cr_expect_eq(o.status, 204);
    cr_expect_eq(o.n, 1);
    stop(&v);
}

Test(sender, no_answer_is_waited_for_so_long_and_no_longer)
{
    struct server v;
    start(&v, NULL, 0, 1);
    uint64_t begun_ms = now_ms();
    struct outcome o = post(&v, 0);
    cr_expect_str_eq(o.error, "no answer within 300 ms");
    cr_expect_eq(o.status, 0);
    cr_expect_geq(now_ms() - begun_ms, TIMEOUT_MS);
    cr_expect_lt(now_ms() - begun_ms, WAIT_MS);
    stop(&v);
}

Test(sender, half_an_answer_is_none)
{
    struct server v;
    start(&v, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 0, 1);
    cr_expect_str_eq(post(&v, 0).error, "no answer within 300 ms");
    stop(&v);
}

Test(sender, an_answer_that_came_while_nobody_looked_counts)
{
    struct server v;
    start(&v, "HTTP/1.1 204 No Content\r\n\r\n", TIMEOUT_MS / 2, 1);
    struct outcome o = post(&v, STALL_MS);
    cr_expect_eq(o.status, 204, "%s", o.error);
    stop(&v);
}

Test(sender, the_same_over_a_connection_that_was_kept)
{
    struct server v;
    start(&v, "HTTP/1.1 204 No Content\r\n\r\n", TIMEOUT_MS / 2, 3);
    struct outcome o = post(&v, STALL_MS);
    cr_expect_eq(o.status, 204, "%s", o.error);
    stop(&v);
}

enum { MANY = 200 }; /* more than the loop takes at once */

static void *serve_many(void *ctx)
{
    struct server *v = ctx;
    char request[4096];
    int fd[MANY];
    for (int i = 0; i < MANY; i++)
        if ((fd[i] = accept(v->fd, NULL, NULL)) < 0 || read(fd[i], request, sizeof request) <= 0)
            abort();
    usleep(v->late_ms * 1000);
    for (int i = 0; i < MANY; i++)
        if (write(fd[i], v->answer, strlen(v->answer)) < 0)
            abort();
    for (int i = 0; i < MANY; i++)
        while (read(fd[i], request, sizeof request) > 0)
            ;
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
    return NULL;
}

static void count_answered(void *ctx, const struct answer *answer)
{
    struct outcome *o = ctx;
    o->n++;
    o->status += answer->status == 204;
}

Test(sender, many_answers_that_came_while_nobody_looked_count)
{
    struct server v;
    struct outcome o = {0};
    struct loop *loop;
    struct sender *sender;
    struct err err;
    listen_at(&v, "HTTP/1.1 204 No Content\r\n\r\n", TIMEOUT_MS / 2);
    cr_assert_eq(pthread_create(&v.thread, NULL, serve_many, &v), 0);
    loop_block_signals();
    cr_assert_eq(loop_new(&loop, &err), 0);
    cr_assert_eq(sender_new(&sender, loop, MANY, MANY, count_answered, &o, &err), 0);
    for (int i = 0; i < MANY; i++)
        begin(sender, &v);
    uint64_t begun_ms = now_ms();
    while (now_ms() < begun_ms + TIMEOUT_MS / 3)
        loop_once(loop, 5);
    cr_assert_eq(o.n, 0);
    usleep(STALL_MS * 1000);
    wait_for(loop, &o, MANY);
    cr_expect_eq(o.n, MANY);
    cr_expect_eq(o.status, MANY);
    sender_free(sender);
    loop_free(loop);
    pthread_join(v.thread, NULL);
    close(v.fd);
}
