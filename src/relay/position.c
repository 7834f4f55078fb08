#include "position.h"

#include "mem.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void position_set(char **at, const char *text)
{
    char *copy = mem_text(text);
    free(*at);
    *at = copy;
}

void position_free(struct position *p)
{
    free(p->snapshot_prev);
    free(p->snapshot_cur);
    *p = (struct position){0};
}

void position_copy(struct position *to, const struct position *from)
{
    struct position old = *to;
    *to = *from;
    to->snapshot_prev = to->snapshot_cur = NULL;
    position_set(&to->snapshot_prev, from->snapshot_prev);
    position_set(&to->snapshot_cur, from->snapshot_cur);
    free(old.snapshot_prev);
    free(old.snapshot_cur);
}

void position_first(struct position *p, const struct identity *id)
{
    position_free(p);
    position_set(&p->snapshot_prev, "1:1:"); /* nothing is visible in it */
    p->system = id->system;
    p->database = id->database;
    p->timeline = id->timeline;
}

void position_newest(struct position *p, const char *xid, int64_t seq, const char *id)
{
    uint64_t n = strtoull(xid, NULL, 10);
    if (n < p->newest.xid)
        return;
    p->newest.xid = n;
    p->newest.seq = seq;
    snprintf(p->newest.id, sizeof p->newest.id, "%s", id);
}

static bool number(const char **at, char end, uint64_t *ret)
{
    char *stop;
    if (**at < '0' || **at > '9')
        return false;
    errno = 0;
    *ret = strtoull(*at, &stop, 10);
    if (errno || (*stop != end && !(end == ',' && *stop == '\0')))
        return false;
    *at = *stop ? stop + 1 : stop;
    return true;
}

bool snapshot_bounds(const char *text, uint64_t *ret_xmin, uint64_t *ret_xmax)
{
    uint64_t xmin, xmax, xip, last = 0;
    if (!text || !number(&text, ':', &xmin) || !number(&text, ':', &xmax) || !xmin || xmin > xmax)
        return false;
    for (bool more = *text; more; more = text[-1] == ',') {
        if (!number(&text, ',', &xip) || xip < xmin || xip >= xmax || xip <= last)
            return false;
        last = xip;
    }
    *ret_xmin = xmin;
    *ret_xmax = xmax;
    return true;
}

char *position_encode(const struct position *p)
{
    char *out = NULL, newest[160] = "";
    if (*p->newest.id)
        snprintf(newest, sizeof newest,
                 ",\"newest_xid\":%" PRIu64 ",\"newest_seq\":%" PRId64 ",\"newest_id\":\"%s\"",
                 p->newest.xid, p->newest.seq, p->newest.id);
    int n =
        asprintf(&out,
                 "{\"version\":1,\"snapshot_prev\":\"%s\",%s%s%s"
                 "\"last_seq\":%" PRId64 ",\"txn\":%" PRIu64 ",\"rows\":%" PRId64
                 ",\"dead\":%" PRId64 ",\"system_identifier\":\"%" PRIu64
                 "\",\"database_oid\":%" PRIu32 ",\"timeline\":%" PRId32 "%s}",
                 p->snapshot_prev, p->snapshot_cur ? "\"snapshot_cur\":\"" : "",
                 p->snapshot_cur ? p->snapshot_cur : "", p->snapshot_cur ? "\"," : "", p->last_seq,
                 p->txn, p->rows, p->dead, p->system, p->database, p->timeline, newest);
    if (n < 0)
        abort();
    return out;
}

static void json_freep(json_t **j)
{
    json_decref(*j);
}

/* As PostgreSQL writes a uuid. */
static bool is_uuid(const char *s)
{
    return strlen(s) == 36 && strspn(s, "0123456789abcdef-") == 36;
}

/* The members beside their types: what no relay has ever written is refused. */
static bool is_sound(const struct position *p, const char *prev, const char *cur)
{
    uint64_t xmin, xmax, cur_xmin, cur_xmax;
    if (!snapshot_bounds(prev, &xmin, &xmax))
        return false;
    if (cur && (!snapshot_bounds(cur, &cur_xmin, &cur_xmax) || cur_xmin < xmin || cur_xmax < xmax))
        return false;
    if (*p->newest.id && (p->newest.seq <= 0 || p->newest.xid == 0))
        return false;
    return p->last_seq >= 0 && p->rows >= 0 && p->dead >= 0 && p->dead <= p->rows &&
           p->timeline > 0;
}

int position_decode(const char *json, size_t size, struct position *ret, struct err *reterr)
{
    json_error_t e;
    __attribute__((cleanup(json_freep))) json_t *root = json_loadb(json, size, 0, &e);
    const char *prev = NULL, *cur = NULL, *system = NULL, *newest = NULL;
    json_int_t newest_xid = 0, newest_seq = 0;
    json_int_t version = 0, last_seq = 0, txn = 0, rows = 0, dead = 0, database = 0, timeline = 0;
    struct position p = {0};
    bool ok = root &&
              json_unpack(root, "{s:I,s:s,s?s,s:I,s:I,s:I,s:I,s:s,s:I,s:I,s?I,s?I,s?s}", "version",
                          &version, "snapshot_prev", &prev, "snapshot_cur", &cur, "last_seq",
                          &last_seq, "txn", &txn, "rows", &rows, "dead", &dead, "system_identifier",
                          &system, "database_oid", &database, "timeline", &timeline, "newest_xid",
                          &newest_xid, "newest_seq", &newest_seq, "newest_id", &newest) == 0 &&
              version == 1 && txn >= 0 && database > 0 && database <= UINT32_MAX &&
              timeline <= INT32_MAX && number(&system, '\0', &p.system) &&
              (!newest || is_uuid(newest)) && newest_xid >= 0;
    p.last_seq = last_seq;
    p.txn = (uint64_t)txn;
    p.rows = rows;
    p.dead = dead;
    p.database = (uint32_t)database;
    p.timeline = (int32_t)timeline;
    if (ok && newest) {
        p.newest = (struct newest){.xid = (uint64_t)newest_xid, .seq = newest_seq};
        memcpy(p.newest.id, newest, sizeof p.newest.id);
    }
    if (!ok || !is_sound(&p, prev, cur)) {
        err_fatal(reterr, EXIT_POSITION, "could not read the relay's position: it is not valid");
        return err_hint(reterr, "Look at the last record of the topic relay.progress.");
    }
    position_set(&p.snapshot_prev, prev);
    position_set(&p.snapshot_cur, cur);
    *ret = p;
    return 0;
}

int position_check(const struct position *p, const struct identity *now, struct err *reterr)
{
    uint64_t xmin, xmax, now_xmin, now_xmax;
    if (p->system != now->system) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position belongs to the PostgreSQL cluster %" PRIu64 ", this is %" PRIu64,
                  p->system, now->system);
        return err_hint(reterr, "Check --db, --kafka and --topic-prefix.");
    }
    if (p->database != now->database) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position belongs to the database with oid %" PRIu32
                  ", this one's is %" PRIu32,
                  p->database, now->database);
        return err_hint(reterr, "Each database needs a --topic-prefix of its own.");
    }
    if (p->timeline > now->timeline) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position was made on timeline %" PRId32 ", the database is on %" PRId32,
                  p->timeline, now->timeline);
        return err_hint(reterr, "An older primary or a backup is running: see docs/operating.md.");
    }
    const char *newest = p->snapshot_cur ? p->snapshot_cur : p->snapshot_prev;
    if (!snapshot_bounds(newest, &xmin, &xmax) ||
        !snapshot_bounds(now->snapshot, &now_xmin, &now_xmax) || xmax > now_xmax ||
        xmin > now_xmin) {
        err_fatal(reterr, EXIT_POSITION,
                  "the position %.60s is in the future of the database, %.60s", newest,
                  now->snapshot);
        return err_hint(reterr,
                        "Commits were lost, or a backup is running: see docs/operating.md.");
    }
    if (now->lost) {
        err_fatal(reterr, EXIT_POSITION,
                  "the outbox row with seq %" PRId64
                  " and id %s, which the position has seen, is gone",
                  p->newest.seq, p->newest.id);
        return err_hint(reterr,
                        "Commits were lost, or a backup is running: see docs/operating.md.");
    }
    return 0;
}
