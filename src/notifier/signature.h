/*
 * signature.h - signatures of Standard Webhooks (standardwebhooks.com, spec
 * version 1.0.0), symmetric: HMAC-SHA256 over "id.timestamp.body".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_LEN = 47 }; /* "v1," and 44 symbols of base 64 */

/* secret: "whsec_" and base 64 of 1 to 192 bytes; timestamp: Unix seconds. False when the secret
 * has another form. */
bool signature_make(const char *secret, const char *id, int64_t timestamp, const void *body,
                    size_t size, char ret[SIGNATURE_LEN + 1]);
