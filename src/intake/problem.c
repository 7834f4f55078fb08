#include "problem.h"

#include <string.h>

static const struct {
    int status;
    const char *slug, *title, *advice;
} problems[PROBLEM_COUNT] = {
    [PROBLEM_NONE] = {200, "none", "No problem", "Never sent."},
    [PROBLEM_BAD_REQUEST] = {400, "bad-request", "The request is not valid HTTP",
                             "A line or header is malformed, doubled or contradicts another one. "
                             "The connection is closed. Use an HTTP library."},
    [PROBLEM_VERSION] = {505, "http-version", "HTTP version not supported",
                         "Only HTTP/1.1 is spoken here; a proxy in front may speak others."},
    [PROBLEM_TARGET_LONG] = {414, "target-too-long", "The target is too long",
                             "Path and query together may have 1,024 bytes."},
    [PROBLEM_LENGTH_REQUIRED] = {411, "length-required", "Content-Length is required",
                                 "Send the body with Content-Length; chunked bodies are refused."},
    [PROBLEM_TOO_LARGE] = {413, "too-large", "The body is too large",
                           "A body may have 65,536 bytes. Nothing was stored."},
    [PROBLEM_HEADERS_LARGE] = {431, "headers-too-large", "The headers are too large",
                               "All headers together may have about 6,000 bytes."},
    [PROBLEM_NOT_FOUND] = {404, "not-found", "There is nothing here",
                           "No such address, or nothing of yours by this name. Another client's "
                           "tickets look the same as none."},
    [PROBLEM_METHOD] = {405, "method-not-allowed", "Method not allowed",
                        "The header Allow lists the methods of this address."},
    [PROBLEM_NOT_ACCEPTABLE] = {406, "not-acceptable", "Not available in that media type",
                                "The header Accept rules out what this address answers with. Send "
                                "application/json, */*, or no Accept at all."},
    [PROBLEM_MEDIA_TYPE] = {415, "media-type", "The body's media type is not taken here",
                            "The detail names the types that this address takes."},
    [PROBLEM_MISDIRECTED] = {421, "misdirected", "This server does not serve that host",
                             "The Host of the request is not among the operator's hosts. Check the "
                             "address, or the proxy's configuration."},
    [PROBLEM_UNAUTHORIZED] = {401, "unauthorized", "A valid API key is required",
                              "Send Authorization: Bearer KEY. A key that was refused may have "
                              "been revoked or rotated: ask the operator."},
    [PROBLEM_FORBIDDEN] = {403, "forbidden", "The API key does not allow this",
                           "The key is valid but lacks the scope that the detail names."},
    [PROBLEM_TOO_MANY] = {429, "too-many-requests", "Too many requests",
                          "The client or the address has used up its quota. Wait for Retry-After "
                          "seconds; nothing was stored, the same key may be used again."},
    [PROBLEM_KEY_MISSING] = {400, "idempotency-key-missing", "Idempotency-Key is required",
                             "Make a new key for each ticket, as a UUID, and keep it until there "
                             "is an answer below 500."},
    [PROBLEM_KEY_INVALID] = {400, "idempotency-key-invalid", "Idempotency-Key is not valid",
                             "1 to 255 printable ASCII characters."},
    [PROBLEM_KEY_REUSED] = {422, "idempotency-key-reused", "Idempotency-Key was used before",
                            "The key names an earlier ticket with another body. Use a new key for "
                            "another ticket."},
    [PROBLEM_KEY_RUNNING] = {409, "idempotency-key-running", "The first request is still running",
                             "A request with this key has not been answered yet. Wait for "
                             "Retry-After seconds and send the same again."},
    [PROBLEM_MALFORMED] = {400, "malformed", "The body can not be read",
                           "It is not valid JSON, or not a valid form. The errors say where."},
    [PROBLEM_VALIDATION] = {422, "validation", "The request breaks a rule",
                            "Each entry of errors names a field by its JSON pointer and the rule. "
                            "Nothing was stored, the same key may be used again."},
    [PROBLEM_QUERY] = {400, "query", "A parameter of the query breaks a rule",
                       "The detail names the parameter and the rule."},
    [PROBLEM_GONE] = {409, "assignment-ended", "The assignment has ended otherwise",
                      "It was completed, withdrawn or given to someone else. Read the ticket."},
    [PROBLEM_CONFLICT] = {409, "conflict", "Not possible in this state",
                          "The ticket's state does not allow this any more. Read the ticket."},
    [PROBLEM_CHANGED] = {412, "changed", "It has changed since you read it",
                         "If-Match names an older version. Read it again, decide again, and send "
                         "the new ETag."},
    [PROBLEM_IF_MATCH] = {428, "if-match-required", "If-Match is required",
                          "Read the ticket, and send its ETag in If-Match, so that nobody's change "
                          "is overwritten unseen."},
    [PROBLEM_REFUSED] = {422, "refused", "The ticket could not be stored",
                         "PostgreSQL refused its data though every check had passed. This is "
                         "squad's mistake: tell the operator the request's id."},
    [PROBLEM_INTERNAL] = {500, "internal", "Internal error",
                          "squad made a mistake. Tell the operator the request's id."},
    [PROBLEM_BUSY] = {503, "busy", "Too many requests are waiting",
                      "Nothing was stored. Send the same again, with the same key, after "
                      "Retry-After seconds."},
    [PROBLEM_UNAVAILABLE] =
        {503, "unavailable", "Not available at the moment",
         "PostgreSQL is away or slow, somebody holds what the request changes, "
         "or the server is stopping. The outcome may be unknown: send the same "
         "again, with the same key, after Retry-After seconds. There will never "
         "be two tickets."},
};

int problem_status(enum problem p)
{
    return problems[p].status;
}

const char *problem_slug(enum problem p)
{
    return problems[p].slug;
}

const char *problem_title(enum problem p)
{
    return problems[p].title;
}

const char *problem_advice(enum problem p)
{
    return problems[p].advice;
}

enum problem problem_by_slug(const char *slug)
{
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++)
        if (strcmp(problems[p].slug, slug) == 0)
            return p;
    return PROBLEM_INTERNAL;
}

static void put_violations(struct text *t, const struct violations *v)
{
    text_str(t, ",\"errors\":[");
    for (size_t i = 0; i < v->n; i++) {
        text_str(t, i ? ",{\"pointer\":" : "{\"pointer\":");
        text_json(t, v->list[i].pointer);
        text_str(t, ",\"detail\":");
        text_json(t, v->list[i].detail);
        text_str(t, "}");
    }
    text_str(t, "]");
}

void problem_write(struct text *t, enum problem p, const char *detail, const struct violations *v,
                   const char *request_id)
{
    text_str(t, "{\"type\":\"/problems/");
    text_str(t, problems[p].slug);
    text_str(t, "\",\"title\":");
    text_json(t, problems[p].title);
    text_str(t, ",\"status\":");
    text_int(t, problems[p].status);
    text_str(t, ",\"detail\":");
    text_json(t, detail);
    if (v)
        put_violations(t, v);
    text_str(t, ",\"request_id\":");
    text_json(t, request_id);
    text_str(t, "}\n");
}
