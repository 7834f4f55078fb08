/*
 * violations.h - the rules that a body breaks, each with the member that breaks it; answered as the
 * errors of an RFC 9457 problem. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { VIOLATIONS_MAX = 24 };

struct violation {
    char pointer[96]; /* JSON pointer, RFC 6901; "" is the whole body */
    char detail[128]; /* the rule, as "must have 1 to 64 characters" */
};

struct violations {
    /* Not JSON at all: one violation that says where (the member, if it is known). */
    bool malformed;
    size_t n;
    bool more; /* there were more than VIOLATIONS_MAX */
    struct violation list[VIOLATIONS_MAX];
};

/* Makes it empty; what is beyond n stays. */
void violations_clear(struct violations *violations);

/* Adds one: the member at pointer, and its rule as printf has it. Both are cut at their size. */
void violate(struct violations *violations, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The member name, which is the client's, of the object at pointer parent; cut between characters,
 * escaped as RFC 6901 says. violate_unknown: it has no such member. */
void violate_member(const char *parent, const char *name, const char *detail,
                    struct violations *violations);
void violate_unknown(const char *parent, const char *name, struct violations *violations);
