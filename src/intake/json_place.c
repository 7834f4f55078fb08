#include "json_place.h"

#include "violations.h"

#include <string.h>

/* One byte further; a backslash takes the next one along. */
static size_t step(struct json_place *p, size_t i)
{
    char c = p->body[i];
    bool shallow = p->depth > 0 && p->depth < 3;
    if (p->in_string) {
        p->in_string = c != '"';
        return c == '\\' ? i + 2 : i + 1;
    }
    if (c == '"') {
        p->in_string = true;
        p->string = p->body + i + 1;
    } else if (c == ':' && shallow) {
        p->name[p->depth] = p->string;
    } else if (c == ',') {
        p->items++;
        if (shallow)
            p->name[p->depth] = NULL;
    } else if (c == '{' || c == '[') {
        if (++p->depth < 3)
            p->name[p->depth] = NULL;
    } else if ((c == '}' || c == ']') && p->depth > 0) {
        if (p->depth < 3)
            p->name[p->depth] = NULL;
        p->depth--;
    }
    return i + 1;
}

bool json_within_limits(const char *body, size_t len, struct violations *v)
{
    struct json_place p = {.body = body, .items = 1};
    for (size_t i = 0; i < len && p.depth <= JSON_DEPTH_MAX && p.items <= JSON_ITEMS_MAX;)
        i = step(&p, i);
    if (p.depth > JSON_DEPTH_MAX)
        violate(v, "", "is nested deeper than %d levels", JSON_DEPTH_MAX);
    else if (p.items > JSON_ITEMS_MAX)
        violate(v, "", "has more than %d members and elements", JSON_ITEMS_MAX);
    v->malformed = v->n > 0;
    return v->n == 0;
}

void json_place_at(const char *body, size_t len, size_t position, struct json_place *ret)
{
    *ret = (struct json_place){.body = body, .end = body + len};
    for (size_t i = 0; i < len && i < position;)
        i = step(ret, i);
}

bool json_place_names(const struct json_place *p, int depth, const char *name)
{
    size_t n = strlen(name);
    const char *at = p->name[depth];
    return at && (size_t)(p->end - at) > n && memcmp(at, name, n) == 0 && at[n] == '"';
}
