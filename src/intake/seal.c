#include "seal.h"

#include "mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

static const char *const purposes[SEAL_PURPOSES] = {"track", "offer", "form"};

struct key {
    uint8_t mac[32];
    EVP_CIPHER_CTX *encrypt, *decrypt;
};

struct seal {
    size_t n;
    uint8_t secret[SEAL_SECRETS_MAX][32];
    struct key key[SEAL_SECRETS_MAX][SEAL_PURPOSES];
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url(const uint8_t *data, size_t n, char *to)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | data[i];
        for (have += 8; have >= 6; have -= 6)
            *to++ = alphabet[bits >> (have - 6) & 63];
    }
    if (have)
        *to++ = alphabet[bits << (6 - have) & 63];
    *to = '\0';
}

bool base64url_read(const char *text, uint8_t *to, size_t n)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t o = 0;
    if (strlen(text) != (n * 4 + 2) / 3)
        return false;
    for (; *text; text++) {
        const char *at = strchr(alphabet, *text);
        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[o++] = (uint8_t)(bits >> have);
        }
    }
    return o == n && (bits & ((1u << have) - 1)) == 0;
}

static EVP_CIPHER_CTX *cipher(const uint8_t *key, int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || !EVP_CipherInit_ex(ctx, EVP_aes_128_ecb(), NULL, key, NULL, encrypt))
        abort();
    EVP_CIPHER_CTX_set_padding(ctx, 0);
    return ctx;
}

static void hmac(const uint8_t key[32], const void *data, size_t n, uint8_t ret[32])
{
    if (!HMAC(EVP_sha256(), key, 32, data, n, ret, NULL))
        abort();
}

static void key_clear(struct key *k)
{
    EVP_CIPHER_CTX_free(k->encrypt);
    EVP_CIPHER_CTX_free(k->decrypt);
    OPENSSL_cleanse(k, sizeof *k);
}

static void key_make(struct key *k, const uint8_t secret[32], const char *purpose)
{
    hmac(secret, purpose, strlen(purpose), k->mac);
    k->encrypt = cipher(k->mac, 1);
    k->decrypt = cipher(k->mac, 0);
}

struct seal *seal_new(void)
{
    return mem_new(1, sizeof(struct seal));
}

static void clear(struct seal *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (int p = 0; p < SEAL_PURPOSES; p++)
            key_clear(&s->key[i][p]);
    s->n = 0;
}

void seal_free(struct seal *s)
{
    if (!s)
        return;
    clear(s);
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

void seal_set(struct seal *s, const uint8_t secrets[][32], size_t n)
{
    if (n > SEAL_SECRETS_MAX)
        n = SEAL_SECRETS_MAX;
    if (n == s->n && memcmp(s->secret, secrets, n * sizeof *secrets) == 0)
        return;
    clear(s);
    memcpy(s->secret, secrets, n * sizeof *secrets);
    for (s->n = 0; s->n < n; s->n++)
        for (int p = 0; p < SEAL_PURPOSES; p++)
            key_make(&s->key[s->n][p], secrets[s->n], purposes[p]);
}

bool seal_ready(const struct seal *s)
{
    return s->n > 0;
}

static void block(EVP_CIPHER_CTX *ctx, const uint8_t in[16], uint8_t out[16])
{
    int n = 0;
    if (!EVP_CipherUpdate(ctx, out, &n, in, 16) || n != 16)
        abort();
}

void seal_id(struct seal *s, enum seal_purpose purpose, const uint8_t id[16],
             char ret_token[SEAL_LEN + 1])
{
    uint8_t sealed[16];
    block(s->key[0][purpose].encrypt, id, sealed);
    base64url(sealed, sizeof sealed, ret_token);
}

size_t seal_open(struct seal *s, enum seal_purpose purpose, const char *token,
                 uint8_t ret_ids[SEAL_SECRETS_MAX][16])
{
    uint8_t sealed[16];
    if (!base64url_read(token, sealed, sizeof sealed))
        return 0;
    for (size_t i = 0; i < s->n; i++)
        block(s->key[i][purpose].decrypt, sealed, ret_ids[i]);
    return s->n;
}

static void mac_by(const struct key *k, const void *data, size_t n, uint8_t ret[SEAL_MAC_BYTES])
{
    uint8_t full[32];
    hmac(k->mac, data, n, full);
    memcpy(ret, full, SEAL_MAC_BYTES);
}

void seal_mac(const struct seal *s, enum seal_purpose purpose, const void *data, size_t n,
              uint8_t ret_mac[SEAL_MAC_BYTES])
{
    mac_by(&s->key[0][purpose], data, n, ret_mac);
}

bool seal_mac_valid(const struct seal *s, enum seal_purpose purpose, const void *data, size_t n,
                    const uint8_t mac[SEAL_MAC_BYTES])
{
    uint8_t right[SEAL_MAC_BYTES];
    for (size_t i = 0; i < s->n; i++) {
        mac_by(&s->key[i][purpose], data, n, right);
        if (CRYPTO_memcmp(right, mac, sizeof right) == 0)
            return true;
    }
    return false;
}
