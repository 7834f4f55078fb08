#include "routes.h"

#include <string.h>

static int hex_value(char c)
{
    const char *hex = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(hex, c) : NULL;
    return at ? (int)(at - hex) % 16 : -1;
}

/* Undoes percent-encoding of one segment. False when it is wrong, empty or too long. */
static bool decode(const char *s, size_t n, char to[PARAM_MAX_BYTES])
{
    size_t o = 0;
    for (size_t i = 0; i < n; i++, o++) {
        if (o == PARAM_MAX_BYTES - 1)
            return false;
        to[o] = s[i];
        if (s[i] == '%') {
            int hi = i + 2 < n ? hex_value(s[i + 1]) : -1;
            int lo = i + 2 < n ? hex_value(s[i + 2]) : -1;
            if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
                return false;
            to[o] = (char)(hi << 4 | lo);
            i += 2;
        }
    }
    to[o] = '\0';
    return o > 0;
}

static bool matches(const char *pattern, const char *path, struct request *r)
{
    size_t params = 0;
    while (*pattern) {
        if (strncmp(pattern, "{}", 2) == 0) {
            size_t n = strcspn(path, "/");
            if (params == ROUTE_PARAMS_MAX || !decode(path, n, r->param[params++]))
                return false;
            path += n;
            pattern += 2;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

void route_find(const struct route *routes, size_t n, const char *method, const char *path,
                struct request *r)
{
    const char *allow = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!matches(routes[i].pattern, path, r))
            continue;
        bool is_get = strcmp(routes[i].method, "GET") == 0;
        if (strcmp(routes[i].method, method) == 0 || (is_get && strcmp(method, "HEAD") == 0)) {
            r->route = &routes[i];
            return;
        }
        allow = is_get ? "GET, HEAD" : routes[i].method;
    }
    if (!allow) {
        reply_problem(r, PROBLEM_NOT_FOUND, "No such path.");
        return;
    }
    reply_problem(r, PROBLEM_METHOD, "See the header Allow.");
    r->reply.allow = allow;
}
