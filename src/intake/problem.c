#include "problem.h"

static const struct {
    int status;
    const char *slug, *title;
} problems[PROBLEM_COUNT] = {
    [PROBLEM_NONE] = {200, "none", "No problem"},
    [PROBLEM_BAD_REQUEST] = {400, "bad-request", "The request is not valid HTTP"},
    [PROBLEM_VERSION] = {505, "http-version", "HTTP version not supported"},
    [PROBLEM_TARGET_LONG] = {414, "target-too-long", "The target is too long"},
    [PROBLEM_LENGTH_REQUIRED] = {411, "length-required", "Content-Length is required"},
    [PROBLEM_TOO_LARGE] = {413, "too-large", "The body is too large"},
    [PROBLEM_NOT_FOUND] = {404, "not-found", "There is nothing here"},
    [PROBLEM_METHOD] = {405, "method-not-allowed", "Method not allowed"},
    [PROBLEM_MEDIA_TYPE] = {415, "media-type", "The body must be application/json"},
    [PROBLEM_UNAUTHORIZED] = {401, "unauthorized", "A valid API key is required"},
    [PROBLEM_KEY_MISSING] = {400, "idempotency-key-missing", "Idempotency-Key is required"},
    [PROBLEM_KEY_INVALID] = {400, "idempotency-key-invalid", "Idempotency-Key is not valid"},
    [PROBLEM_KEY_REUSED] = {422, "idempotency-key-reused", "Idempotency-Key was used before"},
    [PROBLEM_MALFORMED] = {400, "malformed", "The body is not valid JSON"},
    [PROBLEM_VALIDATION] = {422, "validation", "The request breaks a rule"},
    [PROBLEM_GONE] = {409, "assignment-ended", "The assignment has ended otherwise"},
    [PROBLEM_REFUSED] = {422, "refused", "The ticket could not be stored"},
    [PROBLEM_BUSY] = {503, "busy", "Too many requests are waiting"},
    [PROBLEM_UNAVAILABLE] = {503, "unavailable", "Not available at the moment"},
};

int problem_status(enum problem p)
{
    return problems[p].status;
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
