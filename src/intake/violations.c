#include "violations.h"

#include <stdarg.h>
#include <stdio.h>

enum { POINTER_NAME_MAX = 48 };

void violations_clear(struct violations *v)
{
    v->malformed = v->more = false;
    v->n = 0;
}

void violate(struct violations *v, const char *pointer, const char *fmt, ...)
{
    if (v->n == VIOLATIONS_MAX) {
        v->more = true;
        return;
    }
    struct violation *x = &v->list[v->n++];
    va_list ap;
    snprintf(x->pointer, sizeof x->pointer, "%s", pointer);
    va_start(ap, fmt);
    vsnprintf(x->detail, sizeof x->detail, fmt, ap);
    va_end(ap);
}

void violate_member(const char *parent, const char *name, const char *detail, struct violations *v)
{
    char pointer[96];
    size_t n = (size_t)snprintf(pointer, sizeof pointer, "%s/", parent), end = n + POINTER_NAME_MAX;
    for (; *name && n + 4 < end; name++) {
        if (*name == '~' || *name == '/') {
            pointer[n++] = '~';
            pointer[n++] = *name == '~' ? '0' : '1';
        } else {
            pointer[n++] = *name;
        }
    }
    while (*name && n && ((unsigned char)*name & 0xc0) == 0x80 &&
           ((unsigned char)pointer[n - 1] & 0x80)) { /* cut between characters, not inside one */
        if (((unsigned char)pointer[--n] & 0xc0) == 0xc0)
            break;
    }
    pointer[n] = '\0';
    violate(v, pointer, "%s", detail);
}

void violate_unknown(const char *parent, const char *name, struct violations *v)
{
    violate_member(parent, name, "is not a known member", v);
}
