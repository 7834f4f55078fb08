/*
 * form.h - the two encodings of HTML forms: names and values out of a body.
 *
 * Pure. Values are UTF-8 without NUL; whatever breaks that, or the encoding's
 * own rules, is an error and not a guess. Files are refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { FORM_FIELDS_MAX = 64, FORM_NAME_MAX = 64 };

struct form_field {
    const char *name, *value; /* NUL-terminated, within memory */
};

struct form {
    char *memory; /* owned */
    size_t n;
    struct form_field field[FORM_FIELDS_MAX];
};

/* application/x-www-form-urlencoded, also a query. 0, or -1 with the rule that is broken as
 * "has ..." (static). On success the caller frees with form_free. */
int form_urlencoded(const char *body, size_t len, struct form *ret, const char **ret_why);

/* multipart/form-data (RFC 7578); content_type is the header, with the boundary. Likewise. */
int form_multipart(const char *body, size_t len, const char *content_type, struct form *ret,
                   const char **ret_why);

void form_free(struct form *form);

/* Value of the first field of this name, or NULL. */
const char *form_value(const struct form *form, const char *name);
