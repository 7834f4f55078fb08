/*
 * Posts tickets over keep-alive connections, each with a new idempotency key, and prints one line
 * of counts and latencies.
 *
 *   load HOST PORT CONNECTIONS SECONDS [RATE]
 *
 * Without RATE a closed loop: each connection sends when it has its answer; for capacity. With RATE
 * an open loop: requests are due at moments drawn beforehand (exponential gaps, so many independent
 * customers), whoever is free sends them, and a latency counts from the moment a request was due,
 * however late it left. A server that stops for a second so shows a second, not one slow request.
 *
 * SQUAD_API_KEY is the key; SQUAD_BENCH_PATH the path (/v1/tickets).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, REPLY_MAX = 4096, KEY_DIGITS = 20, DRAIN_S = 30 };

static const char body[] =
    "{\"type\":\"tv\",\"area\":\"28013\",\"problem\":\"No picture since this morning, the sound is "
    "fine\",\"source\":\"web\",\"customer\":{\"ref\":\"C-1001\",\"name\":\"Ana Ruiz\",\"phone\":"
    "\"+34600123456\",\"email\":\"ana@example.com\"}}";

struct conn {
    int fd;
    bool busy;
    uint64_t due_ns;
    size_t got;
    char reply[REPLY_MAX];
    struct conn *next_free;
};

static struct {
    struct sockaddr_in addr;
    char request[2048], *key;
    size_t request_len;
    uint64_t next_key;
    int epoll_fd;
    struct conn *conns, *free;
    long n_conns, busy;
    /* latencies, in microseconds */
    uint32_t *us;
    size_t n, cap;
    long acks, other, broken;
    bool sending;
} g;

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void connect_one(struct conn *c)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&g.addr, sizeof g.addr))
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(g.epoll_fd, EPOLL_CTL_ADD, c->fd, &ev))
        die("epoll_ctl");
}

static void make_request(const char *host, const char *port)
{
    const char *api_key = getenv("SQUAD_API_KEY"), *path = getenv("SQUAD_BENCH_PATH");
    int head = snprintf(g.request, sizeof g.request,
                        "POST %s HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/json\r\nIdempotency-Key: ",
                        path ? path : "/v1/tickets", host, port, api_key ? api_key : "none");
    g.key = g.request + head;
    g.request_len = (size_t)head + (size_t)snprintf(g.key, sizeof g.request - (size_t)head,
                                                    "%0*d\r\nContent-Length: %zu\r\n\r\n%s",
                                                    KEY_DIGITS, 0, sizeof body - 1, body);
    g.next_key = (uint64_t)time(NULL) * 1000000000 + (uint64_t)getpid() % 1000 * 1000000;
}

static void send_one(struct conn *c, uint64_t due_ns)
{
    uint64_t n = g.next_key++;
    for (int i = KEY_DIGITS - 1; i >= 0; i--, n /= 10)
        g.key[i] = (char)('0' + n % 10);
    c->busy = true;
    c->due_ns = due_ns;
    c->got = 0;
    g.busy++;
    /* A request is far below a socket's buffer, so it goes in one piece or not at all. */
    if (write(c->fd, g.request, g.request_len) != (ssize_t)g.request_len)
        die("write");
}

static void record(uint64_t latency_ns)
{
    if (g.n == g.cap) {
        g.cap = g.cap ? g.cap * 2 : 1 << 20;
        g.us = realloc(g.us, g.cap * sizeof *g.us);
        if (!g.us)
            die("memory");
    }
    g.us[g.n++] = (uint32_t)(latency_ns / 1000);
}

/* 0: not whole yet. */
static size_t reply_size(const struct conn *c)
{
    const char *end = memmem(c->reply, c->got, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *length = strcasestr(c->reply, "\r\ncontent-length:");
    if (!length || length > end) {
        fprintf(stderr, "load: an answer without Content-Length\n");
        exit(1);
    }
    size_t size = (size_t)(end - c->reply) + 4 + strtoul(length + 17, NULL, 10);
    return c->got < size ? 0 : size;
}

static void reconnect(struct conn *c)
{
    close(c->fd);
    connect_one(c);
}

/* True when the connection is free again. */
static bool on_readable(struct conn *c)
{
    ssize_t n = read(c->fd, c->reply + c->got, REPLY_MAX - 1 - c->got);
    if (n <= 0) {
        bool was_busy = c->busy;
        g.broken += was_busy;
        g.busy -= was_busy;
        c->busy = false;
        reconnect(c);
        return was_busy;
    }
    c->got += (size_t)n;
    c->reply[c->got] = '\0';
    if (!c->busy || !reply_size(c))
        return false;
    c->busy = false;
    g.busy--;
    record(now_ns() - c->due_ns);
    if (memcmp(c->reply, "HTTP/1.1 201", 12) == 0)
        g.acks++;
    else if (g.other++ == 0)
        fprintf(stderr, "load: %.*s\n", (int)c->got, c->reply);
    if (strcasestr(c->reply, "\r\nconnection: close"))
        reconnect(c);
    return true;
}

static void wait_for(int timeout_ms, void (*freed)(struct conn *c))
{
    struct epoll_event ev[EVENTS];
    int n = epoll_wait(g.epoll_fd, ev, EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct conn *c = ev[i].data.ptr;
        if (c && on_readable(c)) /* NULL: the timer */
            freed(c);
    }
}

static void send_next(struct conn *c)
{
    if (g.sending)
        send_one(c, now_ns());
}

static void closed_loop(uint64_t end_ns)
{
    g.sending = true;
    for (long i = 0; i < g.n_conns; i++)
        send_one(&g.conns[i], now_ns());
    while (now_ns() < end_ns)
        wait_for(100, send_next);
    g.sending = false;
    for (uint64_t give_up = end_ns + DRAIN_S * 1000000000ull; g.busy && now_ns() < give_up;)
        wait_for(100, send_next);
}

static void put_free(struct conn *c)
{
    c->next_free = g.free;
    g.free = c;
}

/* Sleeps to the microsecond: epoll_wait knows milliseconds only. */
static void wait_until(uint64_t due_ns, uint64_t now)
{
    static int timer = -1;
    static struct epoll_event ev = {.events = EPOLLIN};
    if (timer < 0) {
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        if (timer < 0 || epoll_ctl(g.epoll_fd, EPOLL_CTL_ADD, timer, &ev))
            die("timerfd");
    }
    if (due_ns <= now) {
        wait_for(0, put_free);
        return;
    }
    struct itimerspec at = {
        .it_value = {(time_t)(due_ns / 1000000000), (long)(due_ns % 1000000000)}};
    uint64_t times;
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    wait_for(1000, put_free);
    if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN)
        die("timerfd");
}

static void open_loop(uint64_t start_ns, uint64_t end_ns, double rate)
{
    unsigned short seed[3] = {1, 2, 3};
    double offset = 0;
    for (long i = 0; i < g.n_conns; i++)
        put_free(&g.conns[i]);
    for (uint64_t due_ns = start_ns; due_ns < end_ns;) {
        uint64_t now = now_ns();
        if (due_ns > now) {
            wait_until(due_ns, now);
        } else if (!g.free) {
            wait_until(now + 1000000, now); /* late: whoever comes back takes it */
        } else {
            struct conn *c = g.free;
            g.free = c->next_free;
            send_one(c, due_ns);
            offset += -log(1.0 - erand48(seed)) / rate * 1e9;
            due_ns = start_ns + (uint64_t)offset;
            wait_until(now, now); /* takes the answers that are there */
        }
    }
    for (uint64_t give_up = end_ns + DRAIN_S * 1000000000ull; g.busy && now_ns() < give_up;)
        wait_until(now_ns() + 1000000, now_ns());
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double quantile_ms(double q)
{
    return g.n ? g.us[(size_t)((double)(g.n - 1) * q)] / 1000.0 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 6) {
        fprintf(stderr, "usage: load HOST PORT CONNECTIONS SECONDS [RATE]\n");
        return 2;
    }
    g.addr =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    g.n_conns = atol(argv[3]);
    if (!inet_aton(argv[1], &g.addr.sin_addr) || g.n_conns < 1)
        return 2;
    make_request(argv[1], argv[2]);
    g.epoll_fd = epoll_create1(0);
    g.conns = calloc((size_t)g.n_conns, sizeof *g.conns);
    if (g.epoll_fd < 0 || !g.conns)
        die("start");
    for (long i = 0; i < g.n_conns; i++)
        connect_one(&g.conns[i]);
    uint64_t start_ns = now_ns(), end_ns = start_ns + (uint64_t)(atof(argv[4]) * 1e9);
    if (argc == 6)
        open_loop(start_ns, end_ns, atof(argv[5]));
    else
        closed_loop(end_ns);
    double seconds = (double)(now_ns() - start_ns) / 1e9;
    qsort(g.us, g.n, sizeof *g.us, compare);
    printf("acks=%ld other=%ld broken=%ld unanswered=%ld seconds=%.3f rate=%.1f p50_ms=%.3f "
           "p99_ms=%.3f "
           "p999_ms=%.3f max_ms=%.3f\n",
           g.acks, g.other, g.broken, g.busy, seconds, (double)g.acks / seconds, quantile_ms(0.5),
           quantile_ms(0.99), quantile_ms(0.999), quantile_ms(1));
    return 0;
}
