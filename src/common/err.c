#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void err_fill(struct err *e, enum err_kind kind, enum exit_code code, const char *fmt,
                     va_list ap)
{
    if (!e)
        return;
    char text[sizeof e->text]; /* fmt's arguments may point into *e */
    vsnprintf(text, sizeof text, fmt, ap);
    *e = (struct err){.kind = kind, .exit_code = code};
    memcpy(e->text, text, sizeof text);
}

int err_set(struct err *reterr, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_fill(reterr, kind, EXIT_FOUND, fmt, ap);
    va_end(ap);
    return -1;
}

int err_fatal(struct err *reterr, enum exit_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_fill(reterr, ERR_FATAL, code, fmt, ap);
    va_end(ap);
    return -1;
}

int err_hint(struct err *reterr, const char *fmt, ...)
{
    if (reterr) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(reterr->hint, sizeof reterr->hint, fmt, ap);
        va_end(ap);
    }
    return -1;
}

const char *err_kind_name(enum err_kind kind)
{
    switch (kind) {
    case ERR_NONE:
        return "none";
    case ERR_RETRY:
        return "retry";
    case ERR_REJECT:
        return "reject";
    case ERR_FATAL:
        return "fatal";
    }
    return "unknown";
}
