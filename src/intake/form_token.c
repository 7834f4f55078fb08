#include "form_token.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* What is signed, and its code behind it. */
struct __attribute__((packed)) wire {
    uint8_t nonce[FORM_NONCE_BYTES];
    uint64_t made_s;
    uint32_t client_id;
    uint8_t mac[SEAL_MAC_BYTES];
};
enum { SIGNED_BYTES = sizeof(struct wire) - SEAL_MAC_BYTES };
_Static_assert((sizeof(struct wire) * 4 + 2) / 3 == FORM_TOKEN_LEN, "length of a token");

void form_token_make(const struct seal *seal, int32_t client_id, int64_t now_s,
                     char ret_text[FORM_TOKEN_LEN + 1])
{
    struct wire w = {.made_s = htobe64((uint64_t)now_s), .client_id = htobe32((uint32_t)client_id)};
    if (getrandom(w.nonce, sizeof w.nonce, 0) != sizeof w.nonce)
        abort();
    seal_mac(seal, SEAL_FORM, &w, SIGNED_BYTES, w.mac);
    base64url((const uint8_t *)&w, sizeof w, ret_text);
}

enum form_token_verdict form_token_read(const struct seal *seal, const char *text,
                                        int32_t client_id, int64_t now_s, struct form_token *ret)
{
    struct wire w;
    if (!text || !base64url_read(text, (uint8_t *)&w, sizeof w) ||
        !seal_mac_valid(seal, SEAL_FORM, &w, SIGNED_BYTES, w.mac) ||
        (int32_t)be32toh(w.client_id) != client_id)
        return FORM_TOKEN_FORGED;
    memcpy(ret->nonce, w.nonce, sizeof ret->nonce);
    ret->made_s = (int64_t)be64toh(w.made_s);
    ret->client_id = client_id;
    return now_s - ret->made_s > FORM_TOKEN_MAX_AGE_S ? FORM_TOKEN_OLD : FORM_TOKEN_GOOD;
}
