/*
 * validate.h - from the bytes of a body to a ticket's fields, or to every rule
 * that they break.
 *
 * Pure: knows neither HTTP nor PostgreSQL. What it accepts, the constraints of
 * squad.ticket accept.
 */
#pragma once

#include "ticket.h"
#include "violations.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Texts are borrowed from root or memory, whichever was read; NULL: not given. */
struct ticket_fields {
    json_t *root; /* owned */
    char *memory; /* owned */
    const char *source, *type, *problem, *contract;
    const char *customer_ref, *customer_name, *customer_phone, *customer_email;
    char area[TICKET_AREA_MAX + 1]; /* in capitals, without blanks around it */
};

/* default_source is used when the body names none. 0, or -1 with *ret_violations filled (its list
 * is untouched beyond n). On success the caller frees with ticket_fields_free. */
int ticket_validate(const char *body, size_t len, const char *default_source,
                    struct ticket_fields *ret, struct violations *ret_violations);

/* The quick way of ticket_validate, for what nearly everybody sends. False says nothing: it may be
 * right all the same. */
bool ticket_scan(const char *body, size_t len, const char *default_source,
                 struct ticket_fields *ret);

/* Frees what the fields borrow from, not f itself. */
void ticket_fields_free(struct ticket_fields *f);

/* Likewise from JSON that has been read; takes root. */
int ticket_validate_json(json_t *root, const char *default_source, struct ticket_fields *ret,
                         struct violations *ret_violations);

/* Reads the JSON of any body as strictly: no member twice, no NUL, UTF-8, within the limits of
 * json_place.h. Owned; NULL: v, which began zeroed, has the one violation that says why. */
json_t *violations_read(const char *body, size_t len, struct violations *v);

/* Adds to v what is wrong with one member of a ticket, named by its pointer; value may be NULL. */
void ticket_check_member(const char *pointer, const json_t *value, struct violations *v);

/* Call provider: 1 to 32 of A-Z a-z 0-9 . _ -. */
bool call_provider_valid(const char *s);
/* Call id: 1 to 128 visible ASCII characters. */
bool call_id_valid(const char *s);
/* Idempotency key: 1 to 255 printable ASCII characters. */
bool idempotency_key_valid(const char *s);
