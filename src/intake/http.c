#include "http.h"

#include "admit.h"
#include "conn.h"
#include "crash.h"
#include "endpoints.h"
#include "intake.h"
#include "listen.h"
#include "log.h"
#include "mem.h"
#include "respond.h"
#include "route.h"

#include <errno.h>
#include <linux/filter.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTION_MEMORY_BYTES = 8 * 1024, /* the longest head; all of it is resident */
    DRAIN_QUIET_MS = 300,
    DISCARD_MAX_BYTES = 1024 * 1024, /* of a body too large: read, so that the answer arrives */
    BODIES_MAX_BYTES = 32 * 1024 * 1024,
};

struct http {
    struct http_options o;
    struct MHD_Daemon *daemon;
    struct loop_source *source;
    struct conns conns;
    long n_suspended;
    int listen_fd;
    bool draining;
    uint64_t last_active_ms;
    char address[80];
};

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *h = cls;
    h->last_active_ms = now_ms();
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct conn *c = conn_open(&h->conns, connection);
        conn_set_deadline(c, h->o.header_timeout_ms);
        *socket_context = c;
    } else {
        conn_close(&h->conns, *socket_context);
        *socket_context = NULL;
    }
}

static enum MHD_Result queue_reply(struct http *h, struct request *r)
{
    struct MHD_Response *response = respond(r, r->reply.close || h->draining);
    if (!response)
        return MHD_NO;
    metrics_answered(&r->intake->metrics, r);
    LOG(DEBUG, "request", F_STR("request_id", r->request_id), F_STR("traceparent", r->traceparent),
        F_STR("method", r->route ? r->route->method : ""),
        F_STR("route", r->route ? r->route->pattern : ""), F_INT("status", r->reply.status),
        F_STR("actor", r->actor), F_INT("us", now_us() - r->started_us));
    conn_set_deadline(conn_of(r->connection), h->o.body_timeout_ms);
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
    struct request *r = request_new(h->o.intake);
    r->http = h;
    r->started_us = now_us();
    const char *query = strchr(target, '?');
    if (query && query[1])
        r->query = request_keep(r, query + 1, strlen(query + 1));
    gate_target(&r->gate, target);
    conn_begin_request(&h->conns, c, r);
    conn_set_deadline(c, h->o.header_timeout_ms);
    return r;
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

/* Counted before the first byte of it: many heads may come before any of their bodies. */
static bool reserve_body(struct http *h, struct request *r)
{
    if (h->conns.bodies_bytes + r->gate.length > BODIES_MAX_BYTES)
        return false;
    h->conns.bodies_bytes -= r->body.cap;
    text_room(&r->body, r->gate.length);
    h->conns.bodies_bytes += r->body.cap;
    return true;
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
    if (!r->reply.status && r->gate.length && !reserve_body(h, r))
        reply_problem(r, PROBLEM_BUSY, "Too many bodies are being read. Send the same again.");
    conn_set_deadline(conn_of(r->connection), h->o.body_timeout_ms);
    return MHD_YES;
}

static void on_body(struct request *r, const char *data, size_t n)
{
    if (!r->reply.status && r->body.len + n <= r->gate.length)
        text_put(&r->body, data, n);
}

static enum MHD_Result on_complete(struct http *h, struct request *r)
{
    if (!r->reply.status) {
        conn_set_deadline(conn_of(r->connection), 0);
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
        on_body(r, data, *data_size);
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
    conn_end_request(&h->conns, c);
    conn_set_deadline(c, h->o.idle_timeout_ms);
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
    conns_init(&h->conns, h->o.loop);
    h->listen_fd = listen_open(options->option, options->listen, options->connections_max,
                               h->address, sizeof h->address, reterr);
    if (h->listen_fd < 0 || start_daemon(h, reterr)) {
        http_free(h);
        return -1;
    }
    *ret = h;
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    loop_remove(h->o.loop, h->source);
    if (h->daemon) {
        if (!h->draining)
            MHD_quiesce_daemon(h->daemon);
        MHD_stop_daemon(h->daemon);
    }
    if (h->listen_fd >= 0)
        close(h->listen_fd);
    conns_free(&h->conns);
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
    if (h->conns.n_requests > 0)
        return false;
    return h->conns.n == 0 || now_ms() - h->last_active_ms > DRAIN_QUIET_MS;
}

long http_connections(const struct http *h)
{
    return h->conns.n;
}

bool http_owes(const struct http *h)
{
    return h->n_suspended > 0;
}
