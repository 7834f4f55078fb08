#include "poison.h"

#include "log.h"
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKED_MAX = 10000 };

static void key_of(const struct outbox_row *row, char *buf, size_t size)
{
    snprintf(buf, size, "%s/%s", row->aggregatetype, row->aggregateid);
}

static void block(struct poison *p, const char *key)
{
    if (p->n_blocked == BLOCKED_MAX)
        return;
    void *grown = mem_resize(p->blocked, (size_t)(p->n_blocked + 1), sizeof *p->blocked);
    p->blocked = grown;
    snprintf(p->blocked[p->n_blocked++], sizeof *p->blocked, "%s", key);
}

static bool is_blocked(const struct poison *p, const char *key)
{
    for (int i = 0; i < p->n_blocked; i++)
        if (strcmp(p->blocked[i], key) == 0)
            return true;
    return false;
}

void poison_free(struct poison *p)
{
    free(p->blocked);
    p->blocked = NULL;
    p->n_blocked = 0;
}

int poison_load(struct poison *p, struct pg *pg, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    poison_free(p);
    if (p->policy != POISON_BLOCK)
        return 0;
    if (pg_run(pg, "dead_keys", NULL, &res, reterr))
        return -1;
    for (int i = 0; i < PQntuples(res); i++)
        block(p, PQgetvalue(res, i, 0));
    return 0;
}

void poison_refuse(struct poison *p, int64_t seq)
{
    int n = (int)(sizeof p->refused / sizeof *p->refused);
    p->refused[p->n_refused++ % n] = seq;
}

const char *poison_reason(const struct poison *p, const struct outbox_row *row)
{
    int n = (int)(sizeof p->refused / sizeof *p->refused);
    for (int i = 0; i < n && i < p->n_refused; i++)
        if (p->refused[i] == row->seq)
            return "refused by Kafka";
    if (p->n_blocked) {
        char key[160];
        key_of(row, key, sizeof key);
        if (is_blocked(p, key))
            return "an earlier event of its key is a dead letter";
    }
    return NULL;
}

int poison_record(struct poison *p, struct pg *pg, const struct outbox_row *row,
                  const char *meant_for, const char *reason, struct err *reterr)
{
    struct pg_params params = {0};
    pg_param_text(&params, row->id);
    pg_param_int8(&params, row->seq);
    pg_param_text(&params, meant_for);
    pg_param_text(&params, reason);
    if (pg_run(pg, "dead_put", &params, NULL, reterr))
        return -1;
    LOG(WARN, "row goes to the dead-letter topic", F_INT("seq", row->seq), F_STR("id", row->id),
        F_STR("type", row->type), F_STR("topic", meant_for), F_STR("reason", reason));
    char key[160];
    key_of(row, key, sizeof key);
    if (p->policy == POISON_BLOCK && !is_blocked(p, key))
        block(p, key);
    return 0;
}
