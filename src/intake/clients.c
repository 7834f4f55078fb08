#include "clients.h"

#include "log.h"
#include "mem.h"
#include "rows.h"
#include "sha.h"
#include "sql.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { REFRESH_MS = 1000, UNKNOWN_KEY_REFRESH_MS = 200 };

const struct pg_stmt clients_stmt = {"clients", sql_clients, 0, true};

struct clients {
    struct loop *loop;
    struct session *session;
    struct session_job job;
    struct loop_timer timer;
    bool busy, loaded, failed, clock_is_wrong;
    uint64_t refreshed_ms;
    struct client *list; /* sorted by key_hash */
    size_t n;
    struct clients_waiter *waiters;
};

static void refresh(struct clients *c)
{
    struct pg_params none = {0};
    if (c->busy)
        return;
    c->busy = true;
    if (!session_send(c->session, &c->job, &clients_stmt, &none))
        c->busy = false;
}

static void on_timer(void *ctx)
{
    struct clients *c = ctx;
    refresh(c);
    loop_timer_set(c->loop, &c->timer, now_ms() + REFRESH_MS);
}

/* "a b c" as "a\0b\0c\0\0". */
static char *split(const char *words)
{
    char *list = mem_new(1, strlen(words) + 2);
    strcpy(list, words);
    for (char *s = list; *s; s++)
        if (*s == ' ')
            *s = '\0';
    return list;
}

static unsigned scopes_of(const char *words)
{
    unsigned scopes = 0;
    char *list = split(words);
    for (const char *s = list; *s; s += strlen(s) + 1)
        scopes |= scope_parse(s);
    free(list);
    return scopes;
}

static void free_list(struct client *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].origins);
    free(list);
}

static void take_row(struct client *to, const PGresult *res, int row)
{
    to->id = rows_get_int4(res, row, 0);
    strncpy(to->name, PQgetvalue(res, row, 1), sizeof to->name - 1);
    if (PQgetlength(res, row, 2) == SHA256_BYTES)
        memcpy(to->key_hash, PQgetvalue(res, row, 2), SHA256_BYTES);
    to->scopes = scopes_of(PQgetvalue(res, row, 3));
    to->origins = split(PQgetvalue(res, row, 4));
    to->rate_per_s = rows_get_int4(res, row, 5);
    to->burst = rows_get_int4(res, row, 6);
}

/* The assigner's sweep and whoever lists tickets go by the time in their ids. */
static void follow_clock(struct clients *c, int64_t database_ms)
{
    int64_t ahead_ms = uuid7_set_clock(database_ms);
    if ((ahead_ms != 0) != c->clock_is_wrong)
        LOG(WARN,
            ahead_ms ? "this machine's clock is wrong: ids are made by the database's"
                     : "this machine's clock is right again",
            F_INT("ahead_ms", ahead_ms));
    c->clock_is_wrong = ahead_ms != 0;
}

static void take(struct clients *c, const PGresult *res)
{
    size_t n = (size_t)PQntuples(res);
    struct client *list = mem_new(n ? n : 1, sizeof *list);
    for (size_t i = 0; i < n; i++)
        take_row(&list[i], res, (int)i);
    free_list(c->list, c->n);
    c->list = list;
    c->n = n;
    c->loaded = true;
    if (n && now_ms() - c->job.sent_ms <
                 UUID7_CLOCK_TOLERANCE_MS / 2) /* a late answer has an old time */
        follow_clock(c, rows_get_time(res, 0, 7) / 1000);
}

static void on_rows(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct clients *c = (struct clients *)((char *)job - offsetof(struct clients, job));
    c->busy = false;
    c->refreshed_ms = now_ms();
    if (res)
        take(c, res);
    else if (!c->failed && !err->unknown)
        log_err(LOG_ERROR, "could not read the clients", err);
    c->failed = !res;
    struct clients_waiter *w = c->waiters;
    c->waiters = NULL;
    while (w) {
        struct clients_waiter *next = w->next;
        w->refreshed(w);
        w = next;
    }
}

struct clients *clients_new(struct loop *loop, struct session *session)
{
    struct clients *c = mem_new(1, sizeof *c);
    c->loop = loop;
    c->session = session;
    c->job.done = on_rows;
    c->timer = (struct loop_timer){.fn = on_timer, .ctx = c};
    on_timer(c);
    return c;
}

void clients_free(struct clients *c)
{
    if (!c)
        return;
    loop_timer_set(c->loop, &c->timer, 0);
    free_list(c->list, c->n);
    free(c);
}

bool clients_loaded(const struct clients *c)
{
    return c->loaded;
}

const struct client *clients_find(const struct clients *c, const char *key)
{
    uint8_t hash[SHA256_BYTES];
    sha256(key, strlen(key), hash);
    size_t lo = 0, hi = c->n;
    /* Only the first bytes of a hash steer the search; the verdict takes constant time. */
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (memcmp(c->list[middle].key_hash, hash, 4) < 0)
            lo = middle + 1;
        else
            hi = middle;
    }
    for (; lo < c->n && memcmp(c->list[lo].key_hash, hash, 4) == 0; lo++)
        if (CRYPTO_memcmp(c->list[lo].key_hash, hash, SHA256_BYTES) == 0)
            return &c->list[lo];
    return NULL;
}

const struct client *clients_form(const struct clients *c, const char *name)
{
    const struct client *found = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct client *x = &c->list[i];
        if ((x->scopes & SCOPE_FORM) &&
            (name ? strcmp(x->name, name) == 0 : !found || x->id < found->id))
            found = x;
    }
    return found;
}

bool clients_allow_origin(const struct clients *c, const char *origin)
{
    for (size_t i = 0; i < c->n; i++)
        if (client_origin_allowed(&c->list[i], origin))
            return true;
    return false;
}

bool clients_wait(struct clients *c, struct clients_waiter *w)
{
    if (!c->busy && now_ms() - c->refreshed_ms >= UNKNOWN_KEY_REFRESH_MS)
        refresh(c);
    if (!c->busy)
        return false;
    w->next = c->waiters;
    c->waiters = w;
    return true;
}

void clients_on_up(struct clients *c)
{
    refresh(c);
}
