#include "docs_page.h"

#include "html.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *document;

static const char *text_of(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

/* What a {"$ref": "#/a/b/c"} points at; anything else is itself. */
static const json_t *resolve(const json_t *o)
{
    const char *ref = json_string_value(json_object_get(o, "$ref"));
    char name[128];
    if (!ref)
        return o;
    const json_t *at = document;
    for (const char *s = ref + 1; *s == '/';) {
        size_t n = strcspn(++s, "/");
        snprintf(name, sizeof name, "%.*s", (int)n, s);
        at = json_object_get(at, name);
        s += n;
    }
    return at;
}

/* "string, 1 to 64 characters" and the like. */
static void put_type(struct text *t, const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type"), *list = json_object_get(schema, "enum");
    size_t i;
    json_t *x;
    html_text(t, json_is_array(type) ? json_string_value(json_array_get(type, 0))
                                     : text_of(schema, "type"));
    json_array_foreach(list, i, x)
    {
        text_str(t, i ? ", " : ": ");
        html_text(t, json_string_value(x));
    }
    static const char *const bounds[][2] = {
        {"minLength", " from "}, {"minimum", " from "}, {"maxLength", " to "}, {"maximum", " to "}};
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        const json_t *v = json_object_get(schema, bounds[b][0]);
        if (v) {
            text_str(t, bounds[b][1]);
            text_int(t, json_integer_value(v));
        }
    }
    if (json_object_get(schema, "maxLength"))
        text_str(t, " characters");
}

static void put_row(struct text *t, const char *name, bool required, const json_t *schema,
                    const char *description)
{
    HTML_FILL(t,
              "<tr><td><code>{{name}}</code>{{?required}} <span "
              "class=\"fine\">required</span>{{/}}</td><td>",
              {"name", name}, {"required", required ? "1" : ""});
    put_type(t, schema);
    HTML_FILL(t, "</td><td>{{description}}</td></tr>\n", {"description", description});
}

static void put_parameters(struct text *t, const json_t *list)
{
    size_t i;
    json_t *x;
    json_array_foreach(list, i, x)
    {
        const json_t *p = resolve(x);
        char name[96];
        snprintf(name, sizeof name, "%s (%s)", text_of(p, "name"), text_of(p, "in"));
        put_row(t, name, json_is_true(json_object_get(p, "required")), json_object_get(p, "schema"),
                text_of(p, "description"));
    }
}

static bool is_required(const json_t *schema, const char *name)
{
    size_t i;
    json_t *x;
    json_array_foreach(json_object_get(schema, "required"), i, x)
    {
        if (strcmp(json_string_value(x), name) == 0)
            return true;
    }
    return false;
}

static void put_members(struct text *t, const json_t *unresolved, const char *prefix)
{
    const json_t *schema = resolve(unresolved);
    const char *name;
    json_t *member;
    json_object_foreach(json_object_get(schema, "properties"), name, member)
    {
        const json_t *m = resolve(member);
        char full[128];
        snprintf(full, sizeof full, "%s%s", prefix, name);
        put_row(t, full, is_required(schema, name), m, text_of(m, "description"));
        if (json_object_get(m, "properties")) {
            strncat(full, ".", sizeof full - strlen(full) - 1);
            put_members(t, m, full);
        }
    }
}

static void put_examples(struct text *t, const json_t *media)
{
    const char *name;
    json_t *example;
    json_object_foreach(json_object_get(media, "examples"), name, example)
    {
        char *shown =
            json_dumps(json_object_get(example, "value"), JSON_INDENT(2) | JSON_ENSURE_ASCII);
        HTML_FILL(t, "<pre>{{shown}}</pre>\n", {"shown", shown});
        free(shown);
    }
}

static void put_body(struct text *t, json_t *body)
{
    const char *type;
    json_t *media;
    json_t *content = json_object_get(body, "content");
    if (!body)
        return;
    text_str(t, "<h4>Body</h4>\n<p>");
    json_object_foreach(content, type, media)
    {
        HTML_FILL(t, "<code>{{type}}</code> ", {"type", type});
    }
    const json_t *first = json_object_iter_value(json_object_iter(content));
    text_str(t, "</p>\n<table>\n");
    put_members(t, json_object_get(first, "schema"), "");
    text_str(t, "</table>\n");
    put_examples(t, first);
}

static void put_responses(struct text *t, json_t *responses)
{
    const char *status;
    json_t *x;
    text_str(t, "<h4>Answers</h4>\n<table>\n");
    json_object_foreach(responses, status, x)
    {
        HTML_FILL(t, "<tr><td><code>{{status}}</code></td><td>{{what}}</td></tr>\n",
                  {"status", status}, {"what", text_of(resolve(x), "description")});
    }
    text_str(t, "</table>\n");
}

static void put_operation(struct text *t, const char *path, const char *method, const json_t *item,
                          const json_t *op)
{
    const json_t *own = json_object_get(op, "parameters"),
                 *shared = json_object_get(item, "parameters");
    HTML_FILL(t,
              "<section class=\"op\" id=\"{{id}}\">\n<h3>{{summary}}</h3>\n<p><code><span "
              "class=\"method\">{{method}}</span> "
              "{{path}}</code>{{?scope}} <span class=\"fine\">scope "
              "{{scope}}</span>{{/}}{{!scope}} <span class=\"fine\">no "
              "key</span>{{/}}</p>\n{{?more}}<p>{{more}}</p>\n{{/}}",
              {"id", text_of(op, "operationId")}, {"summary", text_of(op, "summary")},
              {"method", method}, {"path", path}, {"scope", text_of(op, "x-scope")},
              {"more", text_of(op, "description")});
    if (own || shared) {
        text_str(t, "<table>\n");
        put_parameters(t, shared);
        put_parameters(t, own);
        text_str(t, "</table>\n");
    }
    put_body(t, json_object_get(op, "requestBody"));
    put_responses(t, json_object_get(op, "responses"));
    text_str(t, "</section>\n");
}

static void put_tag(struct text *t, const json_t *tag)
{
    const char *path, *method, *name = text_of(tag, "name");
    json_t *item, *op;
    HTML_FILL(t, "<h2>{{name}}</h2>\n<p>{{about}}</p>\n", {"name", name},
              {"about", text_of(tag, "description")});
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        json_object_foreach(item, method, op)
        {
            const char *of = json_string_value(json_array_get(json_object_get(op, "tags"), 0));
            char upper[16];
            size_t n = 0;
            for (; method[n] && n < sizeof upper - 1; n++)
                upper[n] = (char)(method[n] - ('a' <= method[n] && method[n] <= 'z' ? 32 : 0));
            upper[n] = '\0';
            if (of && strcmp(of, name) == 0)
                put_operation(t, path, upper, item, op);
        }
    }
}

void docs_page(struct text *t, const char *openapi)
{
    json_t *root = json_loads(openapi, 0, NULL), *tag;
    size_t i;
    document = root;
    HTML_FILL(t,
              "<h1 class=\"wide\">{{title}}: the HTTP interface</h1>\n<p>{{about}}</p>\n<p>Every "
              "request but those marked <em>no "
              "key</em> carries <code>Authorization: Bearer KEY</code>. The same as a document: <a "
              "href=\"/openapi.json\">openapi.json</a>. All <a href=\"/problems\">types of "
              "problem</a>.</p>\n",
              {"title", text_of(json_object_get(root, "info"), "title")},
              {"about", text_of(json_object_get(root, "info"), "description")});
    json_array_foreach(json_object_get(root, "tags"), i, tag)
    {
        put_tag(t, tag);
    }
    document = NULL;
    json_decref(root);
}
