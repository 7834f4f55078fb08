#include "admit.h"

#include "intake.h"
#include "log.h"
#include "mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct admit {
    struct admit_options o;
    struct limit *addresses, *clients;
};

struct admit *admit_new(const struct admit_options *options)
{
    struct admit *a = mem_new(1, sizeof *a);
    a->o = *options;
    a->addresses = limit_new();
    a->clients = limit_new();
    return a;
}

void admit_free(struct admit *a)
{
    if (!a)
        return;
    limit_free(a->addresses);
    limit_free(a->clients);
    free(a);
}

static bool host_served(const struct opt_list *hosts, const char *host)
{
    size_t n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    for (size_t i = 0; i < hosts->n; i++)
        if (strlen(hosts->item[i]) == n && strncasecmp(hosts->item[i], host, n) == 0)
            return true;
    return hosts->n == 0;
}

/* --- addresses --- */

static void peer_text(const struct request *r, char *to, size_t size)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *sa = info->client_addr;
    *to = '\0';
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, to,
                  (socklen_t)size);
    else if (sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, to,
                  (socklen_t)size);
}

/* The last address of the list: the one that the proxy itself has seen. */
static void last_forwarded(const char *list, char *to, size_t size)
{
    const char *comma = strrchr(list, ','), *s = comma ? comma + 1 : list;
    s += strspn(s, " \t");
    size_t n = strcspn(s, " \t");
    if (n && n < size) {
        memcpy(to, s, n);
        to[n] = '\0';
    }
}

/* What the quota of an address goes by: an IPv4 address, or the /64 of an IPv6 one. */
static size_t address_key(struct admit *a, const struct request *r, uint8_t to[8])
{
    char text[INET6_ADDRSTRLEN + 8];
    uint8_t v6[16];
    peer_text(r, text, sizeof text);
    for (size_t i = 0; r->gate.forwarded_for && i < a->o.proxies.n; i++)
        if (strcmp(a->o.proxies.item[i], text) == 0) {
            last_forwarded(r->gate.forwarded_for, text, sizeof text);
            break;
        }
    if (inet_pton(AF_INET, text, to) == 1)
        return 4;
    memset(to, 0, 8);
    if (inet_pton(AF_INET6, text, v6) == 1)
        memcpy(to, v6, 8);
    return 8;
}

/* --- quotas --- */

static bool take(struct request *r, struct limit *l, uint64_t key, struct limit_rate rate,
                 const char *whose)
{
    struct limit_state state;
    if (rate.per_s <= 0)
        return true;
    bool taken = limit_take(l, key, rate, now_us(), &state);
    if (!taken || state.left < state.burst / 2) { /* who is far from it need not be told */
        r->quota = state;
        r->quota_of = whose;
    }
    if (taken)
        return true;
    r->intake->metrics.limited[*whose == 'c']++;
    reply_problem(r, PROBLEM_TOO_MANY,
                  *whose == 'c' ? "This client has used up its quota."
                                : "This address has used up its quota.");
    reply_headerf(r, "Retry-After", "%ld", state.wait_s > 0 ? state.wait_s : 1);
    return false;
}

bool admit_head(struct admit *a, struct request *r)
{
    uint8_t address[8];
    if (!host_served(&a->o.hosts, r->gate.host)) {
        reply_problem(r, PROBLEM_MISDIRECTED,
                      "This server does not serve the Host of the request.");
        return false;
    }
    if (a->o.address.per_s <= 0)
        return true;
    size_t n = address_key(a, r, address);
    return take(r, a->addresses, limit_key(a->addresses, address, n), a->o.address, "address");
}

bool admit_client(struct admit *a, struct request *r, const struct client *client)
{
    struct limit_rate rate = a->o.client;
    if (client->rate_per_s) {
        rate.per_s = client->rate_per_s;
        rate.burst = client->burst ? client->burst : client->rate_per_s * 2L;
    } else if (client->burst) {
        rate.burst = client->burst;
    }
    return take(r, a->clients, limit_key(a->clients, &client->id, sizeof client->id), rate,
                "client");
}

/* --- other sites' pages --- */

void admit_preflight(struct request *r, const char *allow)
{
    const char *origin = r->gate.origin;
    reply_start(r, MHD_HTTP_NO_CONTENT, NULL);
    reply_header(r, "Allow", allow);
    if (!origin || !clients_allow_origin(lookup_clients(r->intake->lookup), origin))
        return;
    r->origin_allowed = true;
    reply_header(r, "Access-Control-Allow-Methods", allow);
    reply_header(r, "Access-Control-Allow-Headers",
                 "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, "
                 "X-Request-Id, traceparent");
    reply_header(r, "Access-Control-Max-Age", "600");
}

void admit_origin(struct request *r, const struct client *client)
{
    r->origin_allowed = r->gate.origin && client_origin_allowed(client, r->gate.origin);
}
