#include "secrets.h"

#include "log.h"
#include "mem.h"
#include "sql.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { REFRESH_MS = 10000, MISSING_MS = 1000 };

const struct pg_stmt secrets_stmt = {"secrets", sql_secrets, 0, true};

struct secrets {
    struct loop *loop;
    struct session *session;
    struct seal *seal;
    struct session_job job;
    struct loop_timer timer;
    bool busy;
};

static void refresh(struct secrets *s)
{
    struct pg_params none = {0};
    if (s->busy)
        return;
    s->busy = true;
    if (!session_send(s->session, &s->job, &secrets_stmt, &none))
        s->busy = false;
}

static void on_timer(void *ctx)
{
    struct secrets *s = ctx;
    refresh(s);
    loop_timer_set(s->loop, &s->timer, now_ms() + (seal_ready(s->seal) ? REFRESH_MS : MISSING_MS));
}

static void on_rows(struct session_job *job, const PGresult *res, const struct err *err)
{
    struct secrets *s = (struct secrets *)((char *)job - offsetof(struct secrets, job));
    uint8_t secret[SEAL_SECRETS_MAX][32];
    size_t n = 0;
    s->busy = false;
    if (!res && !err->unknown)
        log_err(LOG_ERROR, "could not read the secrets of links", err);
    for (int row = 0; res && row < PQntuples(res) && n < SEAL_SECRETS_MAX; row++)
        if (PQgetlength(res, row, 0) == 32)
            memcpy(secret[n++], PQgetvalue(res, row, 0), 32);
    if (n)
        seal_set(s->seal, secret, n);
    else if (res)
        LOG(ERROR, "squad.link_secret is empty: no link can be made");
    OPENSSL_cleanse(secret, sizeof secret);
}

struct secrets *secrets_new(struct loop *loop, struct session *session, struct seal *seal)
{
    struct secrets *s = mem_new(1, sizeof *s);
    s->loop = loop;
    s->session = session;
    s->seal = seal;
    s->job.done = on_rows;
    s->timer = (struct loop_timer){.fn = on_timer, .ctx = s};
    on_timer(s);
    return s;
}

void secrets_free(struct secrets *s)
{
    if (!s)
        return;
    loop_timer_set(s->loop, &s->timer, 0);
    free(s);
}

void secrets_on_up(struct secrets *s)
{
    refresh(s);
}
