/* The document, the routes and the page agree. */
#include "docs_page.h"
#include "problem.h"
#include "route.h"
#include "web.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static json_t *load(void)
{
    json_error_t e;
    json_t *doc = json_loads(web_openapi, JSON_REJECT_DUPLICATES, &e);
    cr_assert(doc, "openapi.json line %d: %s", e.line, e.text);
    return doc;
}

/* /v1/tickets/{ref} as /v1/tickets/{}. */
static void pattern_of(const char *path, char *to)
{
    for (; *path; path++) {
        *to++ = *path;
        if (*path == '{') {
            path += strcspn(path, "}");
            *to++ = '}';
        }
    }
    *to = '\0';
}

static const struct route *find_route(const char *method, const char *path)
{
    char pattern[200];
    pattern_of(path, pattern);
    for (const struct resource *const *res = public_resources; *res; res++)
        for (size_t i = 0; i < (*res)->n_routes; i++)
            if (strcasecmp((*res)->routes[i].method, method) == 0 &&
                strcmp((*res)->routes[i].pattern, pattern) == 0)
                return &(*res)->routes[i];
    return NULL;
}

static unsigned takes_of(const json_t *op)
{
    static const struct {
        const char *type;
        unsigned takes;
    } types[] = {{"application/json", TAKES_JSON},
                 {"application/x-www-form-urlencoded", TAKES_FORM},
                 {"multipart/form-data", TAKES_FORM},
                 {"application/merge-patch+json", TAKES_PATCH}};
    const json_t *body = json_object_get(op, "requestBody"),
                 *content = json_object_get(body, "content");
    unsigned takes = body && !json_is_true(json_object_get(body, "required")) ? TAKES_OPTIONAL : 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (json_object_get(content, types[i].type))
            takes |= types[i].takes;
    return takes;
}

static size_t check_operation(const char *path, const char *method, const json_t *op)
{
    const struct route *route = find_route(method, path);
    cr_assert(route, "%s %s is documented and not there", method, path);
    const char *scope = json_string_value(json_object_get(op, "x-scope"));
    const json_t *security = json_object_get(op, "security");
    cr_expect_eq(scope ? scope_parse(scope) : 0, (unsigned)route->scope, "%s %s: scope", method,
                 path);
    cr_expect_eq(route->scope == 0, json_is_array(security) && json_array_size(security) == 0,
                 "%s %s: security", method, path);
    cr_expect_eq(takes_of(op), route->takes, "%s %s: media types of the body", method, path);
    cr_expect(json_object_get(op, "operationId") && json_object_get(op, "summary"), "%s %s", method,
              path);
    return 1;
}

Test(openapi, every_route_is_documented_and_nothing_else)
{
    json_t *doc = load(), *item, *op;
    const char *path, *method;
    size_t documented = 0, served = 0;
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        json_object_foreach(item, method, op)
        {
            if (strcmp(method, "parameters") != 0)
                documented += check_operation(path, method, op);
        }
    }
    for (const struct resource *const *res = public_resources; *res; res++)
        served += (*res)->n_routes;
    cr_expect_eq(documented, served, "%zu operations are documented, %zu are served", documented,
                 served);
    json_decref(doc);
}

static void check_refs(const json_t *doc, json_t *o)
{
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach(o, key, value)
    {
        if (strcmp(key, "$ref") == 0) {
            char name[128];
            const json_t *at = doc;
            for (const char *s = json_string_value(value) + 1; *s == '/';) {
                size_t n = strcspn(++s, "/");
                snprintf(name, sizeof name, "%.*s", (int)n, s);
                at = json_object_get(at, name);
                s += n;
            }
            cr_expect(at, "%s leads nowhere", json_string_value(value));
        }
        check_refs(doc, value);
    }
    json_array_foreach(o, i, value)
    {
        check_refs(doc, value);
    }
}

Test(openapi, every_reference_leads_somewhere)
{
    json_t *doc = load();
    check_refs(doc, doc);
    json_decref(doc);
}

Test(openapi, every_operation_is_on_the_page)
{
    json_t *doc = load(), *item, *op;
    const char *path, *method;
    struct text page = {0};
    docs_page(&page, web_openapi);
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        json_object_foreach(item, method, op)
        {
            char id[96];
            if (strcmp(method, "parameters") == 0)
                continue;
            snprintf(id, sizeof id, "id=\"%s\"",
                     json_string_value(json_object_get(op, "operationId")));
            cr_expect(strstr(page.data, id), "%s %s is not on the page", method, path);
        }
    }
    text_free(&page);
    json_decref(doc);
}
