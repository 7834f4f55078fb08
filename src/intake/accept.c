#include "accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static size_t trim(const char **s, size_t n)
{
    while (n && (**s == ' ' || **s == '\t'))
        (*s)++, n--;
    while (n && ((*s)[n - 1] == ' ' || (*s)[n - 1] == '\t'))
        n--;
    return n;
}

/* "0.25" in thousandths; nonsense counts as 1000. */
static int weight(const char *s, size_t n)
{
    if (n < 1 || n > 5 || (s[0] != '0' && s[0] != '1') || (n > 1 && s[1] != '.'))
        return 1000;
    int v = s[0] == '1' ? 1000 : 0, unit = 100;
    for (size_t i = 2; i < n; i++, unit /= 10) {
        if (s[i] < '0' || s[i] > '9')
            return 1000;
        v += (s[i] - '0') * unit;
    }
    return v > 1000 ? 1000 : v;
}

/* The q among the parameters that follow a range. */
static int quality(const char *s, size_t n)
{
    while (n) {
        const char *end = memchr(s, ';', n);
        size_t len = end ? (size_t)(end - s) : n;
        const char *p = s;
        size_t m = trim(&p, len);
        if (m > 2 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=')
            return weight(p + 2, m - 2);
        s += len + (end != NULL);
        n -= len + (end != NULL);
    }
    return 1000;
}

/* How closely a range names the type: 0 not at all, 1 any, 2 its kind, 3 itself. */
static int closeness(const char *range, size_t n, const char *type)
{
    size_t slash = strcspn(type, "/");
    if (n == strlen(type) && strncasecmp(range, type, n) == 0)
        return 3;
    if (n == slash + 2 && strncasecmp(range, type, slash + 1) == 0 && range[n - 1] == '*')
        return 2;
    return n == 3 && strncmp(range, "*/*", 3) == 0;
}

int accept_weight(const char *accept, const char *type)
{
    int best = 0, v = 0;
    if (!accept || !*accept)
        return 1000;
    for (const char *s = accept; *s;) {
        size_t n = strcspn(s, ","), head = strcspn(s, ",;");
        const char *range = s;
        size_t len = trim(&range, head);
        int close = closeness(range, len, type);
        if (close > best) {
            best = close;
            v = quality(s + head, n - head);
        }
        s += n + (s[n] == ',');
    }
    return v;
}

long prefer_wait_s(const char *prefer)
{
    for (const char *s = prefer ? prefer : ""; *s;) {
        size_t n = strcspn(s, ",");
        const char *p = s;
        size_t m = trim(&p, strcspn(s, ",;"));
        if (m > 5 && strncasecmp(p, "wait=", 5) == 0 && strspn(p + 5, "0123456789") >= m - 5) {
            long v = 0;
            for (size_t i = 5; i < m && v <= PREFER_WAIT_MAX_S; i++)
                v = v * 10 + (p[i] - '0');
            return v > PREFER_WAIT_MAX_S ? PREFER_WAIT_MAX_S : v;
        }
        s += n + (s[n] == ',');
    }
    return 0;
}
