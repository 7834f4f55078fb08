/*
 * path: from a ticket's HTTP request to the webhook in the expert's hands.
 *
 * Open loop: tickets are posted at fixed moments over CONNECTIONS keep-alive connections, whatever
 * has been answered so far, and a ticket's clock starts at the moment it was meant to be sent. The
 * same program receives the webhooks, on every loopback address. Prints one line:
 *   rate=2000 sent=40000 accepted=40000 delivered=40000 answer_p50_ms=... notified_p99_ms=...
 *   delivered_rate=... behind_ms=...
 * behind_ms: from the last request to the last webhook.
 * Usage: path RATE SECONDS CONNECTIONS HOOK_PORT; SQUAD_URL and SQUAD_API_KEY are in the
 * environment.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    BUFFER = 16384,
    EVENTS = 256,
    REF_LEN = 11,
    WARM_UP_S = 3,
    PATIENCE_MS = 60000,
    PEERS_MAX = 4096
};

struct peer {
    int fd;
    bool hook;   /* a webhook sender; else one of our own connections */
    long ticket; /* under way on it; -1: idle */
    size_t n;
    char in[BUFFER];
};

struct slot { /* of the table of references */
    char ref[REF_LEN + 1];
    long ticket; /* -1: not answered yet */
    double hook_ms;
};

static struct peer *peers[PEERS_MAX];
static struct peer *idle[PEERS_MAX];
static int n_idle, first_idle; /* a ring: every connection is used in turn, none grows old */
static struct slot *slots;
static size_t n_slots;
static double *due_ms, *answered_ms, *notified_ms;
static long n_tickets, n_sent, n_accepted, n_refused, n_delivered, n_again;
static double last_hook_ms;
static int epoll_fd;
static char head[512], run_id[32];

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

static void die(const char *what)
{
    fprintf(stderr, "path: could not %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct slot *slot_of(const char *ref)
{
    uint64_t hash = 14695981039346656037U;
    for (int i = 0; i < REF_LEN; i++)
        hash = (hash ^ (uint8_t)ref[i]) * 1099511628211U;
    size_t i = hash % n_slots;
    while (*slots[i].ref && memcmp(slots[i].ref, ref, REF_LEN) != 0)
        i = (i + 1) % n_slots;
    if (!*slots[i].ref) {
        memcpy(slots[i].ref, ref, REF_LEN);
        slots[i].ticket = -1;
    }
    return &slots[i];
}

static void join(struct slot *s)
{
    if (s->ticket < 0 || s->hook_ms == 0 || notified_ms[s->ticket] != 0)
        return;
    notified_ms[s->ticket] = s->hook_ms - due_ms[s->ticket];
    n_delivered++;
}

static struct peer *peer_new(int fd, bool hook)
{
    if (fd >= PEERS_MAX)
        die("hold so many connections");
    struct peer *p = peers[fd] = peers[fd] ? peers[fd] : malloc(sizeof *p);
    int one = 1;
    *p = (struct peer){.fd = fd, .hook = hook, .ticket = -1};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
        die("watch a connection");
    return p;
}

static void idle_put(struct peer *p)
{
    idle[(first_idle + n_idle++) % PEERS_MAX] = p;
}

static struct peer *idle_take(void)
{
    struct peer *p = idle[first_idle];
    first_idle = (first_idle + 1) % PEERS_MAX;
    n_idle--;
    return p;
}

static void send_ticket(struct peer *p, long ticket)
{
    char body[512], text[1536];
    int size = snprintf(
        body, sizeof body,
        "{\"type\":\"t%ld\",\"area\":\"%03ld%02ld\",\"problem\":\"No picture since this morning, "
        "the "
        "sound is fine\",\"source\":\"web\",\"customer\":{\"ref\":\"C-%ld\",\"name\":\"Ana Ruiz\","
        "\"phone\":\"+34600123456\",\"email\":\"ana@example.com\"}}",
        ticket % 12, ticket / 12 % 100, ticket % 97, ticket);
    int n = snprintf(text, sizeof text, "%sIdempotency-Key: %s-%ld\r\nContent-Length: %d\r\n\r\n%s",
                     head, run_id, ticket, size, body);
    p->ticket = ticket;
    if (write(p->fd, text, (size_t)n) != n)
        die("send a request");
    n_sent++;
}

/* The size of the first whole message in the buffer, 0: not there yet. */
static size_t message_size(struct peer *p)
{
    p->in[p->n] = '\0';
    char *end = strstr(p->in, "\r\n\r\n"), *length = strcasestr(p->in, "\r\ncontent-length:");
    if (!end)
        return 0;
    size_t size =
        (size_t)(end - p->in) + 4 + (length && length < end ? (size_t)atol(length + 17) : 0);
    return size <= p->n ? size : 0;
}

static const char *ref_in(struct peer *p, size_t size)
{
    p->in[size - 1] = p->in[size - 1] == '}' ? '\0' : p->in[size - 1];
    char *at = strstr(p->in, "\"ref\":");
    if (!at)
        return NULL;
    at += 6 + (at[6] == ' ') + 1;
    return at + REF_LEN < p->in + size ? at : NULL;
}

static void take_hook(struct peer *p, size_t size)
{
    static const char ok[] = "HTTP/1.1 204 No Content\r\n\r\n";
    char *body = strstr(p->in, "\r\n\r\n");
    char *at = body ? strstr(body, "\"ref\":\"") : NULL;
    if (at && at + 7 + REF_LEN < p->in + size) {
        struct slot *s = slot_of(at + 7);
        n_again += s->hook_ms != 0;
        if (s->hook_ms == 0)
            s->hook_ms = last_hook_ms = now_ms();
        join(s);
    }
    if (write(p->fd, ok, sizeof ok - 1) < 0)
        die("answer a webhook");
}

static void take_answer(struct peer *p, size_t size)
{
    const char *ref = strncmp(p->in, "HTTP/1.1 201", 12) == 0 ? ref_in(p, size) : NULL;
    if (ref && p->ticket >= 0) {
        answered_ms[p->ticket] = now_ms() - due_ms[p->ticket];
        struct slot *s = slot_of(ref);
        s->ticket = p->ticket;
        n_accepted++;
        join(s);
    } else if (!n_refused++) {
        fprintf(stderr, "path: refused: %.300s\n", p->in);
    }
    p->ticket = -1;
    idle_put(p);
}

static void read_peer(struct peer *p)
{
    ssize_t got = read(p->fd, p->in + p->n, BUFFER - 1 - p->n);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN)
            return;
        if (!p->hook)
            die("keep a connection to intake");
        close(p->fd);
        return;
    }
    p->n += (size_t)got;
    for (size_t size; (size = message_size(p)) > 0;) {
        char after = p->in[size];
        (p->hook ? take_hook : take_answer)(p, size);
        p->in[size] = after;
        memmove(p->in, p->in + size, p->n - size);
        p->n -= size;
    }
}

static void loop_once(int listener, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd != listener) {
            read_peer(peers[events[i].data.fd]);
            continue;
        }
        for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;)
            peer_new(fd, true);
    }
}

static int listen_hooks(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_ANY)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&to, sizeof to) || listen(fd, 1024) ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
        die("listen for webhooks");
    return fd;
}

static void connect_intake(int connections)
{
    const char *url = getenv("SQUAD_URL"), *key = getenv("SQUAD_API_KEY");
    char host[64];
    int port;
    if (!url || !key || sscanf(url, "http://%63[^:]:%d", host, &port) != 2)
        die("read SQUAD_URL and SQUAD_API_KEY");
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = inet_addr(host)};
    snprintf(head, sizeof head,
             "POST /v1/tickets HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: Bearer "
             "%s\r\nContent-Type: application/json\r\n",
             host, port, key);
    snprintf(run_id, sizeof run_id, "path-%ld-%d", (long)time(NULL), (int)getpid());
    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof to))
            die("connect to intake");
        idle_put(peer_new(fd, false));
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double *sorted, long n, double part)
{
    return n ? sorted[(long)((double)(n - 1) * part)] : 0;
}

static void report(double rate, long from, double start_ms, double sent_at_ms)
{
    long n = 0, in_time = 0;
    double *answers = calloc((size_t)n_tickets, sizeof *answers),
           *notices = calloc((size_t)n_tickets, sizeof *notices);
    for (long i = from; i < n_tickets; i++) {
        answers[n] = answered_ms[i];
        notices[n++] = notified_ms[i] != 0 ? notified_ms[i] : PATIENCE_MS;
    }
    for (long i = 0; i < n_tickets; i++)
        in_time += notified_ms[i] != 0 && due_ms[i] + notified_ms[i] <= sent_at_ms &&
                   due_ms[i] + notified_ms[i] >= start_ms;
    qsort(answers, (size_t)n, sizeof *answers, by_value);
    qsort(notices, (size_t)n, sizeof *notices, by_value);
    printf("rate=%.0f sent=%ld accepted=%ld refused=%ld delivered=%ld twice=%ld answer_p50_ms=%.1f "
           "answer_p99_ms=%.1f "
           "notified_p50_ms=%.1f notified_p90_ms=%.1f notified_p99_ms=%.1f notified_worst_ms=%.1f "
           "delivered_rate=%.0f "
           "behind_ms=%.0f\n",
           rate, n_sent, n_accepted, n_refused, n_delivered, n_again, percentile(answers, n, 0.5),
           percentile(answers, n, 0.99), percentile(notices, n, 0.5), percentile(notices, n, 0.9),
           percentile(notices, n, 0.99), percentile(notices, n, 1),
           (double)in_time * 1000 / (sent_at_ms - start_ms), last_hook_ms - sent_at_ms);
    free(answers);
    free(notices);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: path RATE SECONDS CONNECTIONS HOOK_PORT\n");
        return 2;
    }
    double rate = atof(argv[1]), seconds = atof(argv[2]);
    long warm_up = (long)(rate * WARM_UP_S);
    n_tickets = warm_up + (long)(rate * seconds);
    n_slots = (size_t)n_tickets * 2 + 1;
    slots = calloc(n_slots, sizeof *slots);
    due_ms = calloc((size_t)n_tickets, sizeof *due_ms);
    answered_ms = calloc((size_t)n_tickets, sizeof *answered_ms);
    notified_ms = calloc((size_t)n_tickets, sizeof *notified_ms);
    epoll_fd = epoll_create1(0);
    int listener = listen_hooks(atoi(argv[4]));
    connect_intake(atoi(argv[3]));
    double begin = now_ms();
    for (long i = 0; i < n_tickets; i++)
        due_ms[i] = begin + (double)i * 1000 / rate;
    for (long next = 0; next < n_tickets;) {
        while (next < n_tickets && n_idle > 0 && due_ms[next] <= now_ms())
            send_ticket(idle_take(), next++);
        loop_once(listener, next < n_tickets && n_idle > 0 && due_ms[next] <= now_ms() ? 0 : 1);
    }
    double sent_at = now_ms();
    while (n_delivered < n_tickets &&
           now_ms() - (last_hook_ms > sent_at ? last_hook_ms : sent_at) < 10000 &&
           now_ms() - sent_at < PATIENCE_MS)
        loop_once(listener, 10);
    report(rate, warm_up, due_ms[warm_up], sent_at);
    return n_accepted == n_tickets && n_delivered == n_tickets ? 0 : 1;
}
