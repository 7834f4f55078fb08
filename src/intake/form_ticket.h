/*
 * form_ticket.h - a ticket out of the fields of an HTML form, checked as its
 * JSON would be. Pure.
 */
#pragma once

#include "form.h"
#include "validate.h"

/* A body of either encoding. 0, or -1 with a violation that says what is wrong with it. */
int form_read(const char *body, size_t len, const char *content_type, struct form *ret,
              struct violations *ret_violations);

/* Fields are named type, area, problem, source, contract, customer.ref, customer.name, ...; an
 * empty one counts as not given, and those in skip (ends with NULL) are left out. As
 * ticket_validate. */
int form_ticket(const struct form *form, const char *const *skip, const char *default_source,
                struct ticket_fields *ret, struct violations *ret_violations);
