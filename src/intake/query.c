#include "query.h"

#include "form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_among(const char *name, const char *const known[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

static void refuse(struct request *r, const char *name, const char *const known[], size_t n)
{
    struct text t = {0};
    text_str(&t, name);
    text_str(&t, " is not a parameter: ");
    for (size_t i = 0; i < n; i++) {
        text_str(&t, i ? ", " : "");
        text_str(&t, known[i]);
    }
    text_str(&t, n > 1 ? " are." : n ? " is." : "there is none.");
    reply_problem(r, PROBLEM_QUERY, t.data);
    text_free(&t);
}

bool query_known(struct request *r, const char *const known[], size_t n)
{
    struct form form;
    const char *why, *unknown = NULL;
    if (!r->query)
        return true;
    if (form_urlencoded(r->query, strlen(r->query), &form, &why)) {
        reply_problem(r, PROBLEM_QUERY, request_keepf(r, "The query %s.", why));
        return false;
    }
    for (size_t i = 0; i < form.n && !unknown; i++)
        if (!is_among(form.field[i].name, known, n))
            unknown = form.field[i].name;
    if (unknown)
        refuse(r, unknown, known, n);
    form_free(&form);
    return !unknown;
}

bool query_number(struct request *r, const char *name, long min, long max, long *value)
{
    const char *text = request_arg(r, name);
    char detail[128], *end;
    if (!text)
        return true;
    long v = strtol(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && v >= min && v <= max) {
        *value = v;
        return true;
    }
    snprintf(detail, sizeof detail, "%s must be a whole number from %ld to %ld.", name, min, max);
    reply_problem(r, PROBLEM_QUERY, detail);
    return false;
}
