#include "admit.h"

#include "intake.h"
#include "log.h"
#include "mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* An address as 16 bytes: of IPv4 the first four. Quotas go by the first eight: an IPv4 address, or
 * the network of an IPv6 one. */
enum { ADDRESS_BYTES = 16, QUOTA_BYTES = 8 };

struct admit {
    struct admit_options o;
    uint8_t proxy[OPT_LIST_MAX][ADDRESS_BYTES];
    struct limit *addresses, *clients;
};

static bool host_served(const struct opt_list *hosts, const char *host)
{
    size_t n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    for (size_t i = 0; i < hosts->n; i++)
        if (strlen(hosts->item[i]) == n && strncasecmp(hosts->item[i], host, n) == 0)
            return true;
    return hosts->n == 0;
}

/* --- addresses --- */

static const struct sockaddr *peer_of(const struct request *r)
{
    return MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

static void take_v6(const struct in6_addr *v6, uint8_t to[ADDRESS_BYTES])
{
    if (IN6_IS_ADDR_V4MAPPED(v6))
        memcpy(to, v6->s6_addr + 12, 4);
    else
        memcpy(to, v6->s6_addr, 16);
}

static void key_of_peer(const struct sockaddr *sa, uint8_t to[ADDRESS_BYTES])
{
    memset(to, 0, ADDRESS_BYTES);
    if (sa->sa_family == AF_INET)
        memcpy(to, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    else if (sa->sa_family == AF_INET6)
        take_v6(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, to);
}

/* False: it is no address. */
static bool key_of_text(const char *text, uint8_t to[ADDRESS_BYTES])
{
    struct in6_addr v6;
    memset(to, 0, ADDRESS_BYTES);
    if (inet_pton(AF_INET, text, to) == 1)
        return true;
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return false;
    take_v6(&v6, to);
    return true;
}

static bool is_proxy(const struct admit *a, const struct sockaddr *sa)
{
    uint8_t peer[ADDRESS_BYTES];
    key_of_peer(sa, peer);
    for (size_t i = 0; i < a->o.proxies.n; i++)
        if (memcmp(peer, a->proxy[i], sizeof peer) == 0)
            return true;
    return false;
}

/* The last address of the list, without a port: the one that the proxy itself has seen. Proxies
 * write 192.0.2.1, 192.0.2.1:51234, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:51234. */
static bool key_of_forwarded(const char *list, uint8_t to[ADDRESS_BYTES])
{
    char text[INET6_ADDRSTRLEN];
    const char *comma = strrchr(list, ','), *s = comma ? comma + 1 : list;
    s += strspn(s, " \t");
    size_t n = strcspn(s, " \t");
    const char *colon = memchr(s, ':', n);
    if (*s == '[') {
        n = strcspn(++s, "]");
        if (!s[n])
            return false;
    } else if (colon && !memchr(colon + 1, ':', n - (size_t)(colon + 1 - s))) {
        n = (size_t)(colon - s);
    }
    if (n >= sizeof text)
        return false;
    memcpy(text, s, n);
    text[n] = '\0';
    return key_of_text(text, to);
}

static void address_key(struct admit *a, const struct request *r, uint8_t to[ADDRESS_BYTES])
{
    const struct sockaddr *peer = peer_of(r);
    const char *list = is_proxy(a, peer) ? r->gate.forwarded_for : NULL;
    if (!list || !key_of_forwarded(list, to))
        key_of_peer(peer, to);
}

/* --- beginning and end --- */

int admit_new(struct admit **ret, const struct admit_options *options, struct err *reterr)
{
    struct admit *a = mem_new(1, sizeof *a);
    a->o = *options;
    for (size_t i = 0; i < a->o.proxies.n; i++) {
        const char *text = a->o.proxies.item[i];
        if (!key_of_text(text, a->proxy[i])) {
            free(a);
            return err_fatal(reterr, EXIT_CONFIG,
                             "option --proxy (SQUAD_PROXIES) is \"%s\": it must be one IP address",
                             text);
        }
    }
    a->addresses = limit_new();
    a->clients = limit_new();
    *ret = a;
    return 0;
}

void admit_free(struct admit *a)
{
    if (!a)
        return;
    limit_free(a->addresses);
    limit_free(a->clients);
    free(a);
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
    uint8_t address[ADDRESS_BYTES];
    if (!host_served(&a->o.hosts, r->gate.host)) {
        reply_problem(r, PROBLEM_MISDIRECTED,
                      "This server does not serve the Host of the request.");
        return false;
    }
    if (a->o.address.per_s <= 0)
        return true;
    address_key(a, r, address);
    return take(r, a->addresses, limit_key(a->addresses, address, QUOTA_BYTES), a->o.address,
                "address");
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
