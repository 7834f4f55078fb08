/*
 * The form for people: GET and POST /new and /new/{form}. A form is a client
 * with the scope form; what it sends is stored in its name.
 */
#include "admit.h"
#include "ask.h"
#include "form_ticket.h"
#include "form_token.h"
#include "hex.h"
#include "intake.h"
#include "page.h"
#include "route.h"
#include "sql.h"
#include "ticket.h"
#include "tickets.h"
#include "web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct pg_stmt ticket_types = {"ticket_types", sql_ticket_types, 0, false};
static const struct pg_stmt ticket_quarantine = {"ticket_quarantine", sql_ticket_quarantine, 8,
                                                 false};

/* Fields that are not the ticket's. People do not see trap, programs fill it in. */
static const char token_field[] = "token", trap_field[] = "website";
static const char *const own_fields[] = {token_field, trap_field, NULL};

static int64_t now_s(void)
{
    return wall_us() / 1000000;
}

/* A browser names the site whose page sends the form; its own token alone proves little there. */
static bool from_own_page(const struct request *r)
{
    const char *origin = r->gate.origin, *host = origin ? strstr(origin, "://") : NULL;
    return !origin || strcmp(origin, "null") == 0 ||
           (host && strcasecmp(host + 3, r->gate.host) == 0);
}

/* The form that the path names becomes the request's client. NULL: the reply is set. */
static const struct client *find_form(struct request *r)
{
    const struct clients *clients = lookup_clients(r->intake->lookup);
    const struct client *form = clients_form(clients, r->param[0][0] ? r->param[0] : NULL);
    if (form) {
        r->client_id = form->id;
        snprintf(r->actor, sizeof r->actor, "form %.64s", form->name);
        admit_origin(r, form);
        if (!r->origin_allowed && !from_own_page(r)) {
            reply_problem(r, PROBLEM_FORBIDDEN,
                          "This form is not to be sent from that site's pages.");
            return NULL;
        }
        if (!admit_client(r->intake->admit, r, form))
            return NULL;
    } else if (!clients_loaded(clients)) {
        reply_problem(r, PROBLEM_UNAVAILABLE, "The form is not available at the moment.");
    } else {
        reply_problem(r, PROBLEM_NOT_FOUND, "There is no such form.");
    }
    return form;
}

/* --- the page --- */

static const char *error_of(const struct violations *v, const char *pointer)
{
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->list[i].pointer, pointer) == 0)
            return v->list[i].detail;
    return "";
}

static void put_options(struct text *t, const PGresult *types, const char *chosen)
{
    for (int row = 0; row < PQntuples(types); row++) {
        const char *type = PQgetvalue(types, row, 0);
        HTML_FILL(t, "<option value=\"{{type}}\"{{?chosen}} selected{{/}}>{{title}}</option>\n",
                  {"type", type}, {"title", PQgetvalue(types, row, 1)},
                  {"chosen", strcmp(type, chosen) == 0 ? "1" : ""});
    }
}

/* What was sent before, with what is wrong with it; all empty for a new form. */
struct draft {
    struct form form;
    struct violations v;
    const char *message;
};

static const char *draft_value(const struct draft *d, const char *name)
{
    const char *value = form_value(&d->form, name);
    return value ? value : "";
}

static void put_form(struct request *r, const struct draft *d, const PGresult *types,
                     struct text *t)
{
    char token[FORM_TOKEN_LEN + 1];
    struct text options = {0};
    text_str(&options, "");
    put_options(&options, types, draft_value(d, "type"));
    form_token_make(r->intake->seal, r->client_id, now_s(), token);
    HTML_FILL(
        t, web_new, {"token", token}, {"message", d->message}, {"options", options.data},
        {"chosen", draft_value(d, "type")}, {"area", draft_value(d, "area")},
        {"problem", draft_value(d, "problem")}, {"contract", draft_value(d, "contract")},
        {"name", draft_value(d, "customer.name")}, {"phone", draft_value(d, "customer.phone")},
        {"email", draft_value(d, "customer.email")}, {"type_error", error_of(&d->v, "/type")},
        {"area_error", error_of(&d->v, "/area")}, {"problem_error", error_of(&d->v, "/problem")},
        {"contract_error", error_of(&d->v, "/contract")},
        {"name_error", error_of(&d->v, "/customer/name")},
        {"phone_error", error_of(&d->v, "/customer/phone")},
        {"email_error", error_of(&d->v, "/customer/email")});
    text_free(&options);
}

/* Reads again what was posted: nothing of it is kept while PostgreSQL is asked. */
static void read_draft(struct request *r, struct draft *d)
{
    struct ticket_fields fields = {0};
    struct form_token token;
    if (form_read(r->body.data ? r->body.data : "", r->body.len, r->gate.content_type, &d->form,
                  &d->v))
        return;
    switch (form_token_read(r->intake->seal, form_value(&d->form, token_field), r->client_id,
                            now_s(), &token)) {
    case FORM_TOKEN_GOOD:
        break;
    case FORM_TOKEN_OLD:
        d->message = "This form had been open for too long. What you wrote is still here: please "
                     "send it again.";
        break;
    case FORM_TOKEN_FORGED:
        d->message = "This form did not come from here, or not whole. What you wrote is still "
                     "here: please send it again.";
        break;
    }
    if (form_ticket(&d->form, own_fields, "web", &fields, &d->v) == 0)
        ticket_fields_free(&fields);
    else
        d->message = "Some of it needs another look. Nothing has been sent yet.";
}

static void on_types(struct request *r, const PGresult *types)
{
    static struct draft d;
    struct text body = {0};
    d = (struct draft){0};
    if (strcmp(r->route->method, "POST") == 0)
        read_draft(r, &d);
    put_form(r, &d, types, &body);
    reply_page(r, d.message ? MHD_HTTP_UNPROCESSABLE_CONTENT : MHD_HTTP_OK, "Request a visit",
               body.data, 0);
    form_free(&d.form);
    text_free(&body);
}

static void show(struct request *r)
{
    ask(r, &ticket_types, on_types, NULL, 0);
}

static void get_new(struct request *r)
{
    if (find_form(r))
        show(r);
}

/* --- what was sent --- */

/* As PostgreSQL reads bytea. */
static char *bytea(struct request *r, const uint8_t *data, size_t n)
{
    char text[2 * BODY_HASH_BYTES + 1];
    hex_put(text, data, n);
    return request_keepf(r, "\\x%s", text);
}

/* The columns of the ticket as a JSON object, kept. */
static const char *columns(struct request *r)
{
    const struct ticket_fields *f = &r->fields;
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "source", f->source, "type",
                  f->type, "area", f->area, "problem", f->problem, "contract", f->contract,
                  "customer_ref", f->customer_ref, "customer_name", f->customer_name,
                  "customer_phone", f->customer_phone, "customer_email", f->customer_email);
    char *text = json_dumps(o, JSON_COMPACT);
    const char *kept = request_keep(r, text, strlen(text));
    free(text);
    json_decref(o);
    return kept;
}

/* As if it were like any other: who made the trap needs not know that it closed. */
static void on_quarantined(struct request *r, const PGresult *res)
{
    const char *text = PQgetvalue(res, 0, 0);
    char token[SEAL_LEN + 1];
    uint8_t id[16];
    if (!uuid_parse(text, strlen(text), id)) {
        reply_problem(r, PROBLEM_INTERNAL, "The form could not be stored.");
        return;
    }
    seal_id(r->intake->seal, SEAL_TRACK, id, token);
    reply_see_other(r, request_keepf(r, "/t/%s", token));
}

static void quarantine(struct request *r, const char *key, size_t key_len)
{
    uint8_t id[16], key_hash[KEY_HASH_BYTES], body_hash[BODY_HASH_BYTES];
    char text[UUID_TEXT_LEN + 1], ref[TICKET_REF_LEN + 1];
    uuid7_make(id);
    uuid_format(id, text);
    ticket_ref_make(id, ref);
    ticket_hashes(r, key, key_len, key_hash, body_hash);
    ASK(r, &ticket_quarantine, on_quarantined, request_keep(r, text, UUID_TEXT_LEN),
        request_keep(r, ref, TICKET_REF_LEN), ask_client_id(r), bytea(r, key_hash, sizeof key_hash),
        bytea(r, body_hash, sizeof body_hash), columns(r), r->actor, r->traceparent);
}

static void take(struct request *r, const struct form *form)
{
    static struct violations violations;
    struct form_token token;
    char key[8 + FORM_NONCE_BYTES] = "form"; /* with zeros, as no idempotency key has */
    const char *trap = form_value(form, trap_field);
    if (form_token_read(r->intake->seal, form_value(form, token_field), r->client_id, now_s(),
                        &token) ||
        form_ticket(form, own_fields, "web", &r->fields, &violations)) {
        show(r);
        return;
    }
    memcpy(key + 8, token.nonce, sizeof token.nonce);
    if (trap && *trap)
        quarantine(r, key, sizeof key);
    else
        ticket_store(r, key, sizeof key, false);
}

static void post_new(struct request *r)
{
    static struct form form;
    static struct violations violations;
    if (!find_form(r))
        return;
    if (form_read(r->body.data ? r->body.data : "", r->body.len, r->gate.content_type, &form,
                  &violations)) {
        reply_violations(r, &violations);
        return;
    }
    take(r, &form);
    form_free(&form);
}

static const struct route routes[] = {
    {"GET", "/new", get_new, 0, TAKES_NOTHING, GIVES_HTML | NEEDS_SEAL},
    {"POST", "/new", post_new, 0, TAKES_FORM, GIVES_HTML | NEEDS_SEAL},
    {"GET", "/new/{}", get_new, 0, TAKES_NOTHING, GIVES_HTML | NEEDS_SEAL},
    {"POST", "/new/{}", post_new, 0, TAKES_FORM, GIVES_HTML | NEEDS_SEAL},
};

static const struct pg_stmt *const stmts[] = {&ticket_types, &ticket_quarantine};

const struct resource new_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                      sizeof stmts / sizeof *stmts};
