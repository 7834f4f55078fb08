#include "poison.h"

#include "log.h"
#include "mem.h"
#include "text.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct blocked {
    int64_t seq; /* of its first dead letter */
    char key[];  /* "aggregatetype/aggregateid" */
};

static int by_key(const void *a, const void *b)
{
    const struct blocked *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static struct blocked *blocked_new(const char *type, const char *id, int64_t seq)
{
    size_t size = strlen(type) + strlen(id) + 2;
    struct blocked *b = mem_new(1, sizeof *b + size);
    b->seq = seq;
    snprintf(b->key, size, "%s/%s", type, id);
    return b;
}

static void block(struct poison *p, const char *type, const char *id, int64_t seq)
{
    struct blocked *b = blocked_new(type, id, seq);
    struct blocked **node = tsearch(b, &p->blocked, by_key);
    if (!node)
        abort();
    if (*node == b)
        return;
    if (seq < (*node)->seq)
        (*node)->seq = seq;
    free(b);
}

void poison_block(struct poison *p, const struct outbox_row *row)
{
    if (p->policy == POISON_BLOCK)
        block(p, row->aggregatetype, row->aggregateid, row->seq);
}

/* Only what comes behind the dead letter: a transaction that failed is sent again, and its earlier
 * events with it. */
static bool is_blocked(const struct poison *p, const struct outbox_row *row)
{
    if (!p->blocked)
        return false;
    struct blocked *b = blocked_new(row->aggregatetype, row->aggregateid, row->seq);
    struct blocked *const *node = tfind(b, &p->blocked, by_key);
    bool found = node && (*node)->seq < row->seq;
    free(b);
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
        block(p, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), pg_get_int8(res, i, 2));
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

int poison_record(struct pg *pg, const struct outbox_row *row, const char *meant_for,
                  const char *reason, struct err *reterr)
{
    struct pg_params params = {0};
    pg_param_text(&params, row->id);
    pg_param_int8(&params, row->seq);
    pg_param_text(&params, meant_for);
    pg_param_text(&params, reason);
    if (pg_run(pg, "dead_put", &params, NULL, reterr))
        return -1;
    char type[80]; /* may be what is too large */
    text_cut(type, sizeof type, row->type);
    LOG(WARN, "row goes to the dead-letter topic", F_INT("seq", row->seq), F_STR("id", row->id),
        F_STR("type", type), F_STR("topic", meant_for), F_STR("reason", reason));
    return 0;
}
