#include "route.h"

#include "hex.h"
#include "request.h"

#include <stdio.h>
#include <string.h>

/* Undoes percent-encoding of one segment. False when it is wrong, empty or too long. */
static bool decode(const char *s, size_t n, char to[PARAM_MAX_BYTES])
{
    size_t o = 0;
    for (size_t i = 0; i < n; i++, o++) {
        if (o == PARAM_MAX_BYTES - 1)
            return false;
        to[o] = s[i];
        if (s[i] == '%') {
            int hi = i + 2 < n ? hex_digit(s[i + 1]) : -1;
            int lo = i + 2 < n ? hex_digit(s[i + 2]) : -1;
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

/* Puts a method into the value of Allow, once. */
static void allow_method(char *allow, size_t size, const char *method)
{
    size_t n = strlen(allow), len = strlen(method);
    for (const char *s = allow; (s = strstr(s, method)); s += len)
        if ((s == allow || s[-1] == ' ') && (!s[len] || s[len] == ','))
            return;
    snprintf(allow + n, size - n, "%s%s", n ? ", " : "", method);
}

static bool find(const struct resource *res, const char *method, const char *path,
                 struct request *r, char *allow, size_t size)
{
    for (size_t i = 0; i < res->n_routes; i++) {
        const struct route *route = &res->routes[i];
        if (!matches(route->pattern, path, r))
            continue;
        bool is_get = strcmp(route->method, "GET") == 0;
        if (strcmp(route->method, method) == 0 || (is_get && strcmp(method, "HEAD") == 0)) {
            r->route = route;
            return true;
        }
        allow_method(allow, size, route->method);
        if (is_get)
            allow_method(allow, size, "HEAD");
    }
    return false;
}

void route_find(const struct resource *const *resources, const char *method, const char *path,
                struct request *r)
{
    char allow[128] = "";
    for (; *resources; resources++)
        if (find(*resources, method, path, r, allow, sizeof allow))
            return;
    if (!allow[0]) {
        reply_problem(r, PROBLEM_NOT_FOUND, "No such path.");
        return;
    }
    reply_problem(r, PROBLEM_METHOD, "See the header Allow.");
    reply_header(r, "Allow", allow);
}
