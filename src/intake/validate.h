/*
 * validate.h - from the bytes of a body to a ticket's fields, or to every rule
 * that they break.
 *
 * Pure: knows neither HTTP nor PostgreSQL. What it accepts, the constraints of
 * squad.ticket accept.
 */
#pragma once

#include "ticket.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { JSON_DEPTH_MAX = 32, JSON_ITEMS_MAX = 256, VIOLATIONS_MAX = 24 };

/* Texts are borrowed from root or memory, whichever was read; NULL: not given. */
struct ticket_fields {
    json_t *root; /* owned */
    char *memory; /* owned */
    const char *source, *type, *problem, *contract;
    const char *customer_ref, *customer_name, *customer_phone, *customer_email;
    char area[TICKET_AREA_MAX + 1]; /* in capitals, without blanks around it */
};

struct violation {
    char pointer[96]; /* JSON pointer, RFC 6901; "" is the whole body */
    char detail[128]; /* the rule, as "must have 1 to 64 characters" */
};

struct violations {
    bool
        malformed; /* not JSON at all: one violation that says where (the member, if it is known) */
    size_t n;
    bool more; /* there were more than VIOLATIONS_MAX */
    struct violation list[VIOLATIONS_MAX];
};

/* default_source is used when the body names none. 0, or -1 with *ret_violations filled (its list
 * is untouched beyond n). On success the caller frees with ticket_fields_free. */
int ticket_validate(const char *body, size_t len, const char *default_source,
                    struct ticket_fields *ret, struct violations *ret_violations);

/* The quick way of ticket_validate, for what nearly everybody sends. False says nothing: it may be
 * right all the same. */
bool ticket_scan(const char *body, size_t len, const char *default_source,
                 struct ticket_fields *ret);

void ticket_fields_free(struct ticket_fields *f);

/* Likewise from JSON that has been read; takes root. */
int ticket_validate_json(json_t *root, const char *default_source, struct ticket_fields *ret,
                         struct violations *ret_violations);

/* The parts, for what is not a whole ticket: reads JSON as strictly (NULL: one violation that says
 * why), checks one member by its pointer, adds a violation. v begins zeroed. */
json_t *violations_read(const char *body, size_t len, struct violations *v);
void ticket_check_member(const char *pointer, const json_t *value, struct violations *v);
void violate(struct violations *v, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* name is not a member of the object at pointer parent. */
void violate_unknown(const char *parent, const char *name, struct violations *v);

/* Call provider: 1 to 32 of A-Z a-z 0-9 . _ -; call id: 1 to 128 visible ASCII characters. */
bool call_provider_valid(const char *s);
bool call_id_valid(const char *s);
/* Idempotency key: 1 to 255 printable ASCII characters. */
bool idempotency_key_valid(const char *s);
