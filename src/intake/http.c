#include "http.h"

#include "admit.h"
#include "crash.h"
#include "endpoints.h"
#include "intake.h"
#include "listen.h"
#include "log.h"
#include "mem.h"
#include "route.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTION_MEMORY_BYTES = 8 * 1024, /* the longest head; all of it is resident */
    SWEEP_MS = 250,
    DRAIN_QUIET_MS = 300,
    DISCARD_MAX_BYTES = 1024 * 1024, /* of a body too large: read, so that the answer arrives */
    BODIES_MAX_BYTES = 32 * 1024 * 1024,
};

/* A connection, from accept to close. */
struct conn {
    struct MHD_Connection *connection;
    uint64_t deadline_ms;    /* absolute; 0: none, a request is being worked on */
    struct request *request; /* one reference; NULL between requests */
    bool looked;             /* for a FIN, since the last request */
    struct conn *next, **prev;
};

struct http {
    struct http_options o;
    struct MHD_Daemon *daemon;
    struct loop_source *source;
    struct loop_timer sweep_timer;
    struct conn *conns, *spare;
    long n_conns, n_requests, n_suspended;
    size_t bodies_bytes;
    int listen_fd;
    bool draining;
    uint64_t last_active_ms;
    char address[80];
};

/* --- connections and their deadlines --- */

static struct conn *conn_new(struct http *h, struct MHD_Connection *connection)
{
    struct conn *c = h->spare;
    if (c)
        h->spare = c->next;
    else if (!(c = malloc(sizeof *c)))
        abort();
    *c = (struct conn){.connection = connection, .next = h->conns, .prev = &h->conns};
    if (c->next)
        c->next->prev = &c->next;
    h->conns = c;
    h->n_conns++;
    return c;
}

static void set_deadline(struct conn *c, long in_ms)
{
    c->deadline_ms = in_ms ? now_ms() + (uint64_t)in_ms : 0;
}

static void request_done(struct http *h, struct conn *c)
{
    struct request *r = c->request;
    if (!r)
        return;
    h->n_requests--;
    h->bodies_bytes -= r->body.cap;
    r->connection = NULL;
    c->request = NULL;
    request_unref(r);
}

static void conn_free(struct http *h, struct conn *c)
{
    request_done(h, c);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->next = h->spare;
    h->spare = c;
    h->n_conns--;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *h = cls;
    h->last_active_ms = now_ms();
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct conn *c = conn_new(h, connection);
        set_deadline(c, h->o.header_timeout_ms);
        *socket_context = c;
    } else {
        conn_free(h, *socket_context);
        *socket_context = NULL;
    }
}

static struct conn *conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

/* A shut down socket looks to libmicrohttpd like a client that left. Who has not read in time is
 * reset: a FIN would wait for ever behind the answers that the kernel keeps for it. Who has only
 * sent his own FIN may still be reading. */
static void cut_off(struct conn *c, bool late)
{
    struct linger at_once = {.l_onoff = 1};
    int unread = 0;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (late && ioctl(info->connect_fd, SIOCOUTQ, &unread) == 0 && unread > 0)
        setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(info->connect_fd, SHUT_RDWR);
    c->deadline_ms = 0;
}

/* A FIN that came right behind a request was reported by the same edge, so libmicrohttpd hears of
 * it no more. */
static bool has_left(struct conn *c)
{
    char byte;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    c->looked = true;
    return recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* libmicrohttpd only knows inactivity: a byte a second would live for ever. */
static void sweep(void *ctx)
{
    struct http *h = ctx;
    uint64_t now = now_ms();
    for (struct conn *c = h->conns; c; c = c->next)
        if (c->deadline_ms && (c->deadline_ms <= now || (!c->request && !c->looked && has_left(c))))
            cut_off(c, c->deadline_ms <= now);
    loop_timer_set(h->o.loop, &h->sweep_timer, now + SWEEP_MS);
}

/* --- answers --- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (MHD_add_response_header(response, name, value) != MHD_YES)
        abort();
}

/* draft-ietf-httpapi-ratelimit-headers-10 */
static void add_quota(const struct request *r, struct MHD_Response *response)
{
    char value[96];
    snprintf(value, sizeof value, "\"%s\";q=%ld;w=%ld", r->quota_of, r->quota.burst,
             r->quota.window_s);
    add_header(response, "RateLimit-Policy", value);
    snprintf(value, sizeof value, "\"%s\";r=%ld;t=%ld", r->quota_of, r->quota.left,
             r->quota.wait_s);
    add_header(response, "RateLimit", value);
}

static void add_origin(const struct request *r, struct MHD_Response *response)
{
    add_header(response, "Access-Control-Allow-Origin", r->gate.origin);
    add_header(response, "Access-Control-Expose-Headers",
               "ETag, Idempotency-Replayed, Link, Location, Preference-Applied, RateLimit, "
               "RateLimit-Policy, Retry-After, X-Request-Id, traceparent");
    add_header(response, "Vary", "Origin");
}

static void add_headers(const struct request *r, struct MHD_Response *response, bool close)
{
    const struct reply *y = &r->reply;
    const char *end = y->heads.data + y->heads.len;
    if (y->type)
        add_header(response, "Content-Type", y->type);
    add_header(response, "X-Request-Id", r->request_id);
    add_header(response, "traceparent", r->traceparent);
    for (const char *name = y->heads.data; name < end;) {
        const char *value = name + strlen(name) + 1;
        add_header(response, name, value);
        name = value + strlen(value) + 1;
    }
    if (r->quota_of)
        add_quota(r, response);
    if (r->origin_allowed)
        add_origin(r, response);
    if (close)
        add_header(response, "Connection", "close");
}

static struct MHD_Response *make_response(const struct reply *y)
{
    size_t len = y->fixed ? y->fixed_len : y->body.len;
    void *data = y->fixed ? (void *)(uintptr_t)y->fixed : y->body.data;
    return MHD_create_response_from_buffer(len, data, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result queue_reply(struct http *h, struct request *r)
{
    struct MHD_Response *response = make_response(&r->reply);
    if (!response)
        return MHD_NO;
    metrics_answered(&r->intake->metrics, r);
    LOG(DEBUG, "request", F_STR("request_id", r->request_id), F_STR("traceparent", r->traceparent),
        F_STR("method", r->route ? r->route->method : ""),
        F_STR("route", r->route ? r->route->pattern : ""), F_INT("status", r->reply.status),
        F_STR("actor", r->actor), F_INT("us", now_us() - r->started_us));
    add_headers(r, response, r->reply.close || h->draining);
    set_deadline(conn_of(r->connection), h->o.body_timeout_ms);
    CRASH_POINT("intake.reply.before");
    enum MHD_Result ok = MHD_queue_response(r->connection, r->reply.status, response);
    MHD_destroy_response(response);
    return ok;
}

void http_answer(struct request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    r->http->n_suspended--;
    MHD_resume_connection(r->connection);
}

/* --- a request, step by step --- */

static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct http *h = cls;
    struct conn *c = conn_of(connection);
    request_done(h, c);
    c->request = request_new(h->o.intake);
    c->request->connection = connection;
    c->request->http = h;
    c->request->started_us = now_us();
    const char *query = strchr(target, '?');
    if (query && query[1])
        c->request->query = request_keep(c->request, query + 1, strlen(query + 1));
    h->n_requests++;
    h->bodies_bytes += c->request->body.cap;
    set_deadline(c, h->o.header_timeout_ms);
    gate_target(&c->request->gate, target);
    return c->request;
}

/* The head as it came, and nothing that libmicrohttpd has made of it. */
static void read_head(struct request *r, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    gate_head(&r->gate, method,
              info->header_size <= CONNECTION_MEMORY_BYTES ? info->header_size : 0);
    if (MHD_get_connection_values(r->connection, MHD_HEADER_KIND, NULL, NULL) !=
        (int)r->gate.n_headers)
        r->gate.bad_line = true;
}

/* Answers before the body is read, which makes libmicrohttpd close the connection. */
static enum MHD_Result refuse(struct http *h, struct request *r, enum problem p, const char *detail)
{
    reply_problem(r, p, detail);
    r->reply.close = true;
    return queue_reply(h, r);
}

static void find_route(struct http *h, struct request *r, const char *path, const char *method)
{
    route_find(h->o.resources, method, path, r);
    const char *allow =
        strcmp(method, "OPTIONS") == 0 ? reply_get_header(&r->reply, "Allow") : NULL;
    if (allow)
        admit_preflight(r, request_keep(r, allow, strlen(allow)));
}

static enum MHD_Result on_headers(struct http *h, struct request *r, const char *path,
                                  const char *method, const char *version)
{
    const char *detail = NULL;
    read_head(r, method);
    enum problem p = gate_check(&r->gate, method, version, &detail);
    request_identify(r);
    if (p != PROBLEM_NONE)
        return refuse(h, r, p, detail);
    if (r->gate.length > DISCARD_MAX_BYTES)
        return refuse(h, r, PROBLEM_TOO_LARGE, "A body must have at most 65536 bytes.");
    if (!h->o.admit || admit_head(h->o.admit, r))
        find_route(h, r, path, method);
    if (!r->reply.status && r->route->takes && !(r->route->takes & TAKES_OPTIONAL) &&
        !r->gate.content_length)
        return refuse(h, r, PROBLEM_LENGTH_REQUIRED, "Send Content-Length and a body.");
    if (!r->reply.status && r->gate.length > BODY_MAX_BYTES)
        reply_problem(r, PROBLEM_TOO_LARGE, "A body must have at most 65536 bytes.");
    if (!r->reply.status && h->bodies_bytes + r->gate.length > BODIES_MAX_BYTES)
        reply_problem(r, PROBLEM_BUSY, "Too many bodies are being read. Send the same again.");
    set_deadline(conn_of(r->connection), h->o.body_timeout_ms);
    return MHD_YES;
}

static void on_body(struct http *h, struct request *r, const char *data, size_t n)
{
    if (r->reply.status || r->body.len + n > BODY_MAX_BYTES)
        return;
    h->bodies_bytes -= r->body.cap;
    if (!r->body.len)
        text_room(&r->body, r->gate.length);
    text_put(&r->body, data, n);
    h->bodies_bytes += r->body.cap;
}

static enum MHD_Result on_complete(struct http *h, struct request *r)
{
    if (!r->reply.status) {
        set_deadline(conn_of(r->connection), 0);
        endpoint_dispatch(r);
    }
    if (r->reply.status)
        return queue_reply(h, r);
    r->suspended = true;
    h->n_suspended++;
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **con_cls)
{
    struct http *h = cls;
    struct request *r = *con_cls;
    (void)connection;
    h->last_active_ms = now_ms();
    if (!r->seen) {
        r->seen = true;
        return on_headers(h, r, path, method, version);
    }
    if (*data_size) {
        on_body(h, r, data, *data_size);
        *data_size = 0;
        return MHD_YES;
    }
    return on_complete(h, r);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct http *h = cls;
    struct conn *c = conn_of(connection);
    (void)code;
    CRASH_POINT("intake.reply.after");
    *con_cls = NULL;
    c->looked = false;
    request_done(h, c);
    set_deadline(c, h->o.idle_timeout_ms);
}

/* --- the daemon --- */

static void on_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void on_log(void *cls, const char *fmt, va_list ap)
{
    char text[200];
    (void)cls;
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    LOG(DEBUG, "libmicrohttpd", F_STR("text", text));
}

/* Percent signs stay: the segments of a path are told apart before they are decoded. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls;
    (void)connection;
    return strlen(s);
}

static void on_epoll(void *ctx, uint32_t events)
{
    (void)ctx; /* http_turn does the work, once per turn */
    (void)events;
}

static int start_daemon(struct http *h, struct err *reterr)
{
    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, h,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, h->listen_fd,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)h->o.connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)h->o.connections_per_ip_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(h->o.idle_timeout_ms / 1000 + 1),
        MHD_OPTION_STRICT_FOR_CLIENT, 0, /* the gate is stricter, and answers in our words */
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        h, MHD_OPTION_URI_LOG_CALLBACK, on_target, h, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
        NULL, MHD_OPTION_END);
    if (!h->daemon)
        return err_fatal(reterr, EXIT_CONFIG, "could not start libmicrohttpd on %s", h->address);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    h->source = loop_add(h->o.loop, info->epoll_fd, EPOLLIN, on_epoll, h);
    return 0;
}

int http_new(struct http **ret, const struct http_options *options, struct err *reterr)
{
    struct http *h = mem_new(1, sizeof *h);
    h->o = *options;
    h->listen_fd = listen_open(options->option, options->listen, options->connections_max,
                               h->address, sizeof h->address, reterr);
    if (h->listen_fd < 0 || start_daemon(h, reterr)) {
        http_free(h);
        return -1;
    }
    h->sweep_timer = (struct loop_timer){.fn = sweep, .ctx = h};
    sweep(h);
    *ret = h;
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    loop_timer_set(h->o.loop, &h->sweep_timer, 0);
    loop_remove(h->o.loop, h->source);
    if (h->daemon) {
        if (!h->draining)
            MHD_quiesce_daemon(h->daemon);
        MHD_stop_daemon(h->daemon);
    }
    if (h->listen_fd >= 0)
        close(h->listen_fd);
    while (h->spare) {
        struct conn *next = h->spare->next;
        free(h->spare);
        h->spare = next;
    }
    free(h);
}

const char *http_address(const struct http *h)
{
    return h->address;
}

static void accept_rest(struct http *h)
{
    struct sockaddr_storage addr;
    for (;;) {
        socklen_t len = sizeof addr;
        int fd =
            accept4(h->listen_fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        MHD_add_connection(h->daemon, fd, (struct sockaddr *)&addr, len);
    }
}

/* Closing a listening socket resets whoever the kernel has let in and nobody has accepted. So the
 * kernel first hears no more newcomers, then those within are taken, then it is closed: a newcomer
 * is refused, nobody is reset, and clients that come back for ever do not keep us from ending. */
static void close_door(struct http *h)
{
    struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {.len = 1, .filter = &drop_all};
    if (setsockopt(h->listen_fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter))
        LOG(DEBUG, "could not filter newcomers", F_STR("error", strerror(errno)));
    accept_rest(h);
    close(h->listen_fd);
    h->listen_fd = -1;
}

void http_turn(struct http *h)
{
    MHD_run(h->daemon);
}

int http_wait_ms(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (h->draining)
        return 5;
    if (MHD_get_timeout(h->daemon, &ms) != MHD_YES)
        return -1;
    return ms > 60000 ? 60000 : (int)ms;
}

void http_drain(struct http *h)
{
    if (h->draining)
        return;
    h->draining = true;
    h->last_active_ms = now_ms();
    CRASH_POINT("intake.drain.before");
    MHD_quiesce_daemon(h->daemon);
    close_door(h);
    CRASH_POINT("intake.drain.after");
}

bool http_drained(struct http *h)
{
    if (h->n_requests > 0)
        return false;
    return h->n_conns == 0 || now_ms() - h->last_active_ms > DRAIN_QUIET_MS;
}

long http_connections(const struct http *h)
{
    return h->n_conns;
}

bool http_owes(const struct http *h)
{
    return h->n_suspended > 0;
}
