#include "poison.h"

#include "log.h"
#include "mem.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static char *key_of(const struct outbox_row *row)
{
    char *key;
    if (asprintf(&key, "%s/%s", row->aggregatetype, row->aggregateid) < 0)
        abort();
    return key;
}

/* Takes key. */
static void block(struct poison *p, char *key)
{
    char **node = tsearch(key, &p->blocked, by_text);
    if (!node)
        abort();
    if (*node != key)
        free(key);
}

void poison_block(struct poison *p, const struct outbox_row *row)
{
    if (p->policy == POISON_BLOCK)
        block(p, key_of(row));
}

static bool is_blocked(const struct poison *p, const struct outbox_row *row)
{
    if (!p->blocked)
        return false;
    char *key = key_of(row);
    bool found = tfind(key, &p->blocked, by_text);
    free(key);
    return found;
}

void poison_free(struct poison *p)
{
    tdestroy(p->blocked, free);
    p->blocked = NULL;
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
        block(p, mem_text(PQgetvalue(res, i, 0)));
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
    if (is_blocked(p, row))
        return "an earlier event of its key is a dead letter";
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
    char type[80]; /* may be what is too large */
    snprintf(type, sizeof type, "%s", row->type);
    LOG(WARN, "row goes to the dead-letter topic", F_INT("seq", row->seq), F_STR("id", row->id),
        F_STR("type", type), F_STR("topic", meant_for), F_STR("reason", reason));
    poison_block(p, row);
    return 0;
}
