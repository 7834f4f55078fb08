#include "ask.h"

#include "accept.h"
#include "intake.h"
#include "log.h"
#include "route.h"

#include <stdio.h>
#include <string.h>

static struct request *request_of(struct lookup_item *item)
{
    return (struct request *)((char *)item - offsetof(struct request, lookup));
}

static void on_released(struct lookup_item *item)
{
    request_unref(request_of(item));
}

static void failed(struct request *r, const struct err *err)
{
    if (err && err->kind != ERR_RETRY) {
        log_err(LOG_ERROR, "PostgreSQL refused a statement", err);
        LOG(ERROR, "request failed", F_STR("request_id", r->request_id),
            F_STR("statement", r->lookup.stmt->name));
        reply_problem(r, PROBLEM_INTERNAL, "squad made a mistake; its log has this request's id.");
    } else if (err && pg_err_locked(err)) {
        LOG(WARN, "a session keeps locked what a request changes",
            F_STR("request_id", r->request_id), F_STR("statement", r->lookup.stmt->name));
        reply_problem(
            r, PROBLEM_UNAVAILABLE,
            "Somebody else holds it at the moment: nothing has been changed. Send the same "
            "again after the time in Retry-After.");
    } else {
        reply_problem(r, PROBLEM_UNAVAILABLE, "PostgreSQL did not answer in time.");
    }
}

static void on_answer(struct lookup_item *item, const PGresult *res, const struct err *err)
{
    struct request *r = request_of(item);
    if (res)
        r->asked(r, res);
    else
        failed(r, err);
    if (r->reply.status)
        http_answer(r);
}

static void run(struct request *r, const struct pg_stmt *stmt, ask_fn *done,
                const char *const *params, int n, bool once)
{
    r->lookup =
        (struct lookup_item){.stmt = stmt,
                             .n_params = n,
                             .once = once,
                             .deadline_ms = now_ms() + (uint64_t)r->intake->request_timeout_ms,
                             .answer = on_answer,
                             .release = on_released};
    if (n)
        memcpy(r->lookup.param, params, sizeof *params * (size_t)n);
    r->asked = done;
    request_ref(r);
    if (!lookup_add(r->intake->lookup, &r->lookup)) {
        request_unref(r);
        reply_problem(r, PROBLEM_UNAVAILABLE, "Send the same again after the time in Retry-After.");
    }
}

void ask(struct request *r, const struct pg_stmt *stmt, ask_fn *done, const char *const *params,
         int n)
{
    run(r, stmt, done, params, n, false);
}

void ask_once(struct request *r, const struct pg_stmt *stmt, ask_fn *done,
              const char *const *params, int n)
{
    run(r, stmt, done, params, n, true);
}

const char *ask_client_id(struct request *r)
{
    return request_keepf(r, "%d", r->client_id);
}

void reply_row(struct request *r, const PGresult *res)
{
    const char *outcome = PQntuples(res) ? PQgetvalue(res, 0, 0) : "not-found";
    if (PQntuples(res) == 0) {
        reply_problem(r, PROBLEM_NOT_FOUND, "You have nothing by this name.");
        return;
    }
    if (strcmp(outcome, "ok") != 0 && strcmp(outcome, "created") != 0) {
        reply_problem(r, problem_by_slug(outcome), PQgetvalue(res, 0, 1));
        return;
    }
    reply_json(r, outcome[0] == 'o' ? MHD_HTTP_OK : MHD_HTTP_CREATED, PQgetvalue(res, 0, 1));
    if (PQnfields(res) > 2 && !PQgetisnull(res, 0, 2))
        reply_etag(r, PQgetvalue(res, 0, 2));
    if (r->wait_until_ms && prefer_wait_s(r->gate.prefer))
        reply_headerf(r, "Preference-Applied", "wait=%ld", prefer_wait_s(r->gate.prefer));
}

/* --- long poll --- */

static void on_wake(struct watcher *w)
{
    struct request *r = (struct request *)((char *)w - offsetof(struct request, watcher));
    r->route->handle(r);
    if (r->reply.status)
        http_answer(r);
    request_unref(r);
}

bool request_wait(struct request *r, const struct pg_stmt *stmt, const char *key,
                  const char *version)
{
    long wait_s = prefer_wait_s(r->gate.prefer);
    if (!r->wait_until_ms)
        r->wait_until_ms = now_ms() + (uint64_t)wait_s * 1000;
    if (!wait_s || r->intake->draining || r->wait_until_ms <= now_ms() ||
        !etag_listed(r->gate.if_none_match, version))
        return false;
    struct watcher w = {.stmt = stmt, .deadline_ms = r->wait_until_ms, .wake = on_wake};
    snprintf(w.key, sizeof w.key, "%s", key);
    snprintf(w.version, sizeof w.version, "%s", version);
    request_ref(r);
    r->watcher = w;
    if (!watch_add(lookup_watch(r->intake->lookup), &r->watcher)) {
        request_unref(r);
        return false;
    }
    return true;
}
