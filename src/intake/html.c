#include "html.h"

#include <string.h>

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return "&#39;";
    }
}

void html_text(struct text *t, const char *s)
{
    while (*s) {
        size_t n = strcspn(s, "&<>\"'");
        text_put(t, s, n);
        s += n;
        if (*s)
            text_str(t, entity(*s++));
    }
}

static const char *value_of(const char *name, size_t len, const struct html_var *vars, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(vars[i].name) == len && memcmp(vars[i].name, name, len) == 0)
            return vars[i].value ? vars[i].value : "";
    return "";
}

/* What stands between the braces at s; *ret_end is behind them. */
static const char *inner(const char *s, const char *open, const char *close, size_t *ret_len,
                         const char **ret_end)
{
    const char *name = s + strlen(open), *end = strstr(name, close);
    if (!end)
        return NULL;
    *ret_len = (size_t)(end - name);
    *ret_end = end + strlen(close);
    return name;
}

/* A condition that does not hold: what follows its end. */
static const char *skip(const char *s)
{
    const char *end = strstr(s, "{{/}}");
    return end ? end + 5 : s + strlen(s);
}

void html_fill(struct text *t, const char *template, const struct html_var *vars, size_t n)
{
    const char *s = template, *open;
    while ((open = strstr(s, "{{"))) {
        size_t len;
        text_put(t, s, (size_t)(open - s));
        if (open[2] == '{') {
            const char *name = inner(open, "{{{", "}}}", &len, &s);
            if (!name)
                return;
            text_str(t, value_of(name, len, vars, n));
            continue;
        }
        const char *name = inner(open, "{{", "}}", &len, &s);
        if (!name)
            return;
        if (*name == '?' || *name == '!') {
            bool empty = !*value_of(name + 1, len - 1, vars, n);
            if (empty == (*name == '?'))
                s = skip(s);
        } else if (*name != '/') {
            html_text(t, value_of(name, len, vars, n));
        }
    }
    text_str(t, s);
}
