#include "conn.h"

#include "request.h"

#include <linux/sockios.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { SWEEP_MS = 250 };

struct conn *conn_open(struct conns *s, struct MHD_Connection *connection)
{
    struct conn *c = s->spare;
    if (c)
        s->spare = c->next;
    else if (!(c = malloc(sizeof *c)))
        abort();
    *c = (struct conn){.connection = connection, .next = s->first, .prev = &s->first};
    if (c->next)
        c->next->prev = &c->next;
    s->first = c;
    s->n++;
    return c;
}

void conn_set_deadline(struct conn *c, long in_ms)
{
    c->deadline_ms = in_ms ? now_ms() + (uint64_t)in_ms : 0;
}

void conn_begin_request(struct conns *s, struct conn *c, struct request *r)
{
    conn_end_request(s, c);
    r->connection = c->connection;
    c->request = r;
    s->n_requests++;
    s->bodies_bytes += r->body.cap;
}

void conn_end_request(struct conns *s, struct conn *c)
{
    struct request *r = c->request;
    if (!r)
        return;
    s->n_requests--;
    s->bodies_bytes -= r->body.cap;
    r->connection = NULL;
    c->request = NULL;
    c->looked = false;
    request_unref(r);
}

void conn_close(struct conns *s, struct conn *c)
{
    conn_end_request(s, c);
    *c->prev = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->next = s->spare;
    s->spare = c;
    s->n--;
}

struct conn *conn_of(struct MHD_Connection *connection)
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

static void sweep(void *ctx)
{
    struct conns *s = ctx;
    uint64_t now = now_ms();
    for (struct conn *c = s->first; c; c = c->next)
        if (c->deadline_ms && (c->deadline_ms <= now || (!c->request && !c->looked && has_left(c))))
            cut_off(c, c->deadline_ms <= now);
    loop_timer_set(s->loop, &s->sweep_timer, now + SWEEP_MS);
}

void conns_init(struct conns *s, struct loop *loop)
{
    *s = (struct conns){.loop = loop, .sweep_timer = {.fn = sweep, .ctx = s}};
    sweep(s);
}

void conns_free(struct conns *s)
{
    if (!s->loop)
        return;
    loop_timer_set(s->loop, &s->sweep_timer, 0);
    while (s->spare) {
        struct conn *next = s->spare->next;
        free(s->spare);
        s->spare = next;
    }
}
