/*
 * form_token.h - the signed token inside a form: when it was made and for
 * whom, and the idempotency key of what it sends.
 */
#pragma once

#include "seal.h"

enum { FORM_NONCE_BYTES = 16, FORM_TOKEN_LEN = 59, FORM_TOKEN_MAX_AGE_S = 24 * 3600 };

struct form_token {
    uint8_t nonce[FORM_NONCE_BYTES];
    int64_t made_s; /* since 1970 */
    int32_t client_id;
};

/* A new token with a nonce of its own, sealed; with its NUL. */
void form_token_make(const struct seal *seal, int32_t client_id, int64_t now_s,
                     char ret_text[FORM_TOKEN_LEN + 1]);

enum form_token_verdict { FORM_TOKEN_GOOD, FORM_TOKEN_OLD, FORM_TOKEN_FORGED };

/* text may be NULL. The token is filled in unless it is forged. */
enum form_token_verdict form_token_read(const struct seal *seal, const char *text,
                                        int32_t client_id, int64_t now_s, struct form_token *ret);
