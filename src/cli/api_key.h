/*
 * api_key.h - keys of clients: making one, and what one may look like.
 */
#pragma once

#include "err.h"

enum { API_KEY_MIN = 8, API_KEY_MAX = 256, API_KEY_TEXT_MAX = 64 };

/* "sq_" and 192 random bits in hex. */
int api_key_make(char ret_key[API_KEY_TEXT_MAX], struct err *reterr);

/* A key that a person gives; empty: none. Errors name --api-key and the rule. */
int api_key_check(const char *key, struct err *reterr);
