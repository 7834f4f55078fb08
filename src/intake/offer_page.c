/*
 * The page behind the link of an offer's message: /o/{id}.{secret}. GET shows
 * the offer and never answers it, because programs follow links to show a
 * preview; its buttons POST.
 */
#include "ask.h"
#include "form.h"
#include "page.h"
#include "resources.h"
#include "route.h"
#include "sql.h"
#include "ticket.h"
#include "web.h"

#include <stdio.h>
#include <string.h>

static const struct pg_stmt offer_page = {"offer_page", sql_offer_page, 2, false};
static const struct pg_stmt page_accept = {"page_accept", sql_offer_accept, 4, false};
static const struct pg_stmt page_decline = {"page_decline", sql_offer_decline, 5, false};

/* Columns of offer_page.sql. */
enum { STATE, REF, TITLE, AREA, PROBLEM, EXPERT, MINUTES, CUSTOMER, PHONE };

static const struct {
    const char *state, *tag, *tone, *said;
} stages[] = {
    {"reserved", "Offer", "", "Will you take it?"},
    {"offered", "Offer", "", "Will you take it?"},
    {"accepted", "Accepted", "good", "This one is yours. Thank you."},
    {"en_route", "On your way", "good", "This one is yours. Thank you."},
    {"on_site", "Arrived", "good", "This one is yours. Thank you."},
    {"completed", "Done", "good", "This one is done. Thank you."},
    {"declined", "Declined", "", "You have declined; somebody else is being asked."},
    {"timed_out", "Too late", "bad", "There was no answer in time; somebody else is being asked."},
    {"rescinded", "Taken back", "bad", "Somebody else has it, or it was taken back."},
    {"canceled", "Called off", "bad", "The customer needs nobody any more."},
    {"undeliverable", "Taken back", "bad",
     "You could not be reached; somebody else is being asked."},
};

static void on_page(struct request *r, const PGresult *res)
{
    if (!PQntuples(res)) {
        reply_problem(r, PROBLEM_NOT_FOUND, "This link does not lead to an offer. Is it complete?");
        return;
    }
    const char *state = PQgetvalue(res, 0, STATE);
    size_t i = 0;
    while (i + 1 < sizeof stages / sizeof *stages && strcmp(stages[i].state, state) != 0)
        i++;
    bool open = strcmp(state, "reserved") == 0 || strcmp(state, "offered") == 0;
    bool own = strcmp(stages[i].tone, "good") == 0;
    struct text body = {0};
    HTML_FILL(&body, web_offer, {"tag", stages[i].tag}, {"tone", stages[i].tone},
              {"said", stages[i].said}, {"expert", PQgetvalue(res, 0, EXPERT)},
              {"title", PQgetvalue(res, 0, TITLE)}, {"area", PQgetvalue(res, 0, AREA)},
              {"problem", open || own ? PQgetvalue(res, 0, PROBLEM) : ""},
              {"ref", PQgetvalue(res, 0, REF)}, {"open", open ? "1" : ""},
              {"minutes", PQgetvalue(res, 0, MINUTES)},
              {"customer", own ? PQgetvalue(res, 0, CUSTOMER) : ""},
              {"phone", own ? PQgetvalue(res, 0, PHONE) : ""},
              {"path", request_keepf(r, "/o/%s", r->param[0])});
    reply_page(r, MHD_HTTP_OK, PQgetvalue(res, 0, REF), body.data, 0);
    text_free(&body);
}

/* The two halves of the link, kept. False: the reply is set. */
static bool read_link(struct request *r, const char **ret_id, const char **ret_secret)
{
    const char *link = r->param[0];
    uint8_t uuid[16];
    if (strlen(link) == 2 * UUID_TEXT_LEN + 1 && link[UUID_TEXT_LEN] == '.' &&
        uuid_parse(link, UUID_TEXT_LEN, uuid) &&
        uuid_parse(link + UUID_TEXT_LEN + 1, UUID_TEXT_LEN, uuid)) {
        *ret_id = request_keep(r, link, UUID_TEXT_LEN);
        *ret_secret = request_keep(r, link + UUID_TEXT_LEN + 1, UUID_TEXT_LEN);
        return true;
    }
    reply_problem(r, PROBLEM_NOT_FOUND, "This link does not lead to an offer. Is it complete?");
    return false;
}

static void get_page(struct request *r)
{
    const char *id, *secret;
    if (read_link(r, &id, &secret))
        ASK(r, &offer_page, on_page, id, secret);
}

/* Whatever the answer did, the page says how things stand. */
static void on_answered(struct request *r, const PGresult *res)
{
    (void)res;
    reply_see_other(r, request_keepf(r, "/o/%s", r->param[0]));
}

static const char *code_of(const struct form *form)
{
    static const char *const codes[] = {"busy", "too_far", "wrong_skill", "unwell"};
    const char *given = form_value(form, "reason");
    for (size_t i = 0; given && i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i], given) == 0)
            return codes[i];
    return "other";
}

/* The secret is right: now the form counts. */
static void on_answer(struct request *r, const PGresult *res)
{
    struct form form = {0};
    const char *id, *secret, *why = "is not a form";
    if (!PQntuples(res)) {
        on_page(r, res);
        return;
    }
    read_link(r, &id, &secret);
    if (!r->body.data || form_urlencoded(r->body.data, r->body.len, &form, &why)) {
        reply_problem(r, PROBLEM_MALFORMED, "The form could not be read.");
        return;
    }
    const char *answer = form_value(&form, "answer");
    if (answer && strcmp(answer, "accept") == 0)
        ASK(r, &page_accept, on_answered, id, NULL, "link", r->traceparent);
    else if (answer && strcmp(answer, "decline") == 0)
        ASK(r, &page_decline, on_answered, id, NULL, code_of(&form), "link", r->traceparent);
    else
        reply_problem(r, PROBLEM_MALFORMED, "The form says neither accept nor decline.");
    form_free(&form);
}

static void post_page(struct request *r)
{
    const char *id, *secret;
    if (read_link(r, &id, &secret))
        ASK(r, &offer_page, on_answer, id, secret);
}

static const struct route routes[] = {
    {"GET", "/o/{}", get_page, 0, TAKES_NOTHING, GIVES_HTML},
    {"POST", "/o/{}", post_page, 0, TAKES_FORM, GIVES_HTML},
};
static const struct pg_stmt *const stmts[] = {&offer_page, &page_accept, &page_decline};

const struct resource offer_page_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                             sizeof stmts / sizeof *stmts};
