/*
 * seal.h - tokens that only squad can make: ids that customers and experts
 * hold in links.
 *
 * An id is encrypted as one block under a key made from a secret of the
 * database and the token's purpose: 128 bits that nobody can guess, without a
 * column or an index. Older secrets still open their tokens.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL_LEN = 22, SEAL_SECRETS_MAX = 4, SEAL_MAC_BYTES = 16 };
enum seal_purpose { SEAL_TRACK, SEAL_OFFER, SEAL_FORM, SEAL_PURPOSES };

struct seal;

struct seal *seal_new(void); /* owned */
void seal_free(struct seal *s);

/* Secrets of 32 bytes, newest first. */
void seal_set(struct seal *s, const uint8_t secrets[][32], size_t n);
bool seal_ready(const struct seal *s); /* there is a secret */

/* The token of an id: 22 characters of base64url. Needs seal_ready. */
void seal_id(struct seal *s, enum seal_purpose purpose, const uint8_t id[16],
             char ret_token[SEAL_LEN + 1]);

/* The ids that a token may stand for, one a secret; 0: it is not a token. A forged one gives ids
 * that do not exist. */
size_t seal_open(struct seal *s, enum seal_purpose purpose, const char *token,
                 uint8_t ret_ids[SEAL_SECRETS_MAX][16]);

/* A message's authentication code, by the newest secret; and whether any secret made it. */
void seal_mac(const struct seal *s, enum seal_purpose purpose, const void *data, size_t n,
              uint8_t ret_mac[SEAL_MAC_BYTES]);
bool seal_mac_valid(const struct seal *s, enum seal_purpose purpose, const void *data, size_t n,
                    const uint8_t mac[SEAL_MAC_BYTES]);

/* base64url without padding. n bytes make (n * 4 + 2) / 3 characters and a NUL. */
void base64url(const uint8_t *data, size_t n, char *to);
/* Exactly n bytes from their canonical text. */
bool base64url_read(const char *text, uint8_t *to, size_t n);
