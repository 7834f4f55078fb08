/* The page on which a customer follows a ticket: GET /t/{token}. */
#include "ask.h"
#include "intake.h"
#include "page.h"
#include "resources.h"
#include "route.h"
#include "sql.h"
#include "ticket.h"
#include "web.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { REFRESH_S = 10 };

static const struct pg_stmt ticket_track = {"ticket_track", sql_ticket_track, 1, false};

/* Columns of ticket_track.sql. */
enum { REF, FIRST_NAME, TITLE, STATE, CREATED_AT, SINCE };

/* What each state is to a customer: the step it stands on, and what is said. */
static const struct stage {
    const char *state;
    int step; /* of steps[]; -1: no longer on the way */
    const char *tag, *tone, *said;
} stages[] = {
    {"received", 0, "Received", "", "We have your request and are looking for the right expert."},
    {"quarantined", 0, "Received", "",
     "We have your request and are looking for the right expert."},
    {"review", 0, "Being looked at", "wait", "One of us is looking at your request."},
    {"parked", 0, "Waiting for an expert", "wait",
     "All experts for this are busy at the moment. Yours is kept in line; you need not do "
     "anything."},
    {"assigned", 1, "Expert found", "", "An expert has your request and will set out for you."},
    {"en_route", 2, "On the way", "", "The expert is on the way to you."},
    {"on_site", 2, "Arrived", "", "The expert has arrived."},
    {"completed", 3, "Done", "good", "The work is done. Thank you."},
    {"canceled", -1, "Called off", "bad", "This request has been called off."},
};

static const char *const steps[] = {"Request received", "Expert found", "Expert on the way",
                                    "Done"};
enum { N_STEPS = sizeof steps / sizeof *steps };

static const struct stage *stage_of(const char *state)
{
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (strcmp(stages[i].state, state) == 0)
            return &stages[i];
    return &stages[0];
}

/* "24 November 2026, 13:05 UTC" from RFC 3339. */
static void people_time(const char *rfc3339, char *to, size_t size)
{
    struct tm tm = {0};
    if (!strptime(rfc3339, "%Y-%m-%dT%H:%M:%SZ", &tm) ||
        !strftime(to, size, "%-d %B %Y, %H:%M UTC", &tm))
        snprintf(to, size, "%s", rfc3339);
}

static void put_steps(struct text *t, const struct stage *stage, const PGresult *res)
{
    for (int i = 0; i < N_STEPS; i++) {
        const char *at = i == stage->step && i > 0 ? PQgetvalue(res, 0, SINCE)
                         : i == 0                  ? PQgetvalue(res, 0, CREATED_AT)
                                                   : "";
        char shown[64] = "";
        bool done = stage->step > i || (stage->step == i && (i == 0 || i == N_STEPS - 1));
        if (*at)
            people_time(at, shown, sizeof shown);
        HTML_FILL(t,
                  "<li class=\"{{class}}\">{{step}}{{?at}}<time "
                  "datetime=\"{{at}}\">{{shown}}</time>{{/}}</li>\n",
                  {"class", done                                       ? "done"
                            : stage->step == i || stage->step + 1 == i ? "now"
                                                                       : ""},
                  {"step", steps[i]}, {"at", at}, {"shown", shown});
    }
}

static void on_ticket(struct request *r, const PGresult *res)
{
    struct text body = {0}, list = {0};
    if (PQntuples(res) == 0) {
        reply_problem(r, PROBLEM_NOT_FOUND,
                      "This link does not lead to a request. Is it complete?");
        return;
    }
    const struct stage *stage = stage_of(PQgetvalue(res, 0, STATE));
    bool live = stage->step >= 0 && stage->step < N_STEPS - 1;
    text_str(&list, "");
    if (stage->step >= 0)
        put_steps(&list, stage, res);
    HTML_FILL(&body, web_track, {"ref", PQgetvalue(res, 0, REF)},
              {"first_name", PQgetvalue(res, 0, FIRST_NAME)}, {"title", PQgetvalue(res, 0, TITLE)},
              {"tag", stage->tag}, {"tone", stage->tone}, {"said", stage->said},
              {"steps", list.data}, {"live", live ? "1" : ""});
    reply_page(r, MHD_HTTP_OK, PQgetvalue(res, 0, REF), body.data, live ? REFRESH_S : 0);
    text_free(&list);
    text_free(&body);
}

static void get_track(struct request *r)
{
    uint8_t ids[SEAL_SECRETS_MAX][16];
    char list[SEAL_SECRETS_MAX * (UUID_TEXT_LEN + 1) + 3] = "{";
    size_t n = seal_open(r->intake->seal, SEAL_TRACK, r->param[0], ids);
    for (size_t i = 0; i < n; i++) {
        char id[UUID_TEXT_LEN + 1];
        uuid_format(ids[i], id);
        strcat(strcat(list, i ? "," : ""), id);
    }
    strcat(list, "}");
    if (n)
        ASK(r, &ticket_track, on_ticket, request_keep(r, list, strlen(list)));
    else
        reply_problem(r, PROBLEM_NOT_FOUND,
                      "This link does not lead to a request. Is it complete?");
}

static const struct route routes[] = {
    {"GET", "/t/{}", get_track, 0, TAKES_NOTHING, GIVES_HTML | NEEDS_SEAL},
};
static const struct pg_stmt *const stmts[] = {&ticket_track};

const struct resource track_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                        sizeof stmts / sizeof *stmts};
