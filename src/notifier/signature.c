#include "signature.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum { SECRET_BYTES_MAX = 192, MAC_BYTES = 32 };

/* Returns the number of bytes, or -1. EVP_DecodeBlock alone takes blanks, and padding anywhere. */
static int decode(const char *text, uint8_t *ret, size_t size)
{
    static const char symbols[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), whole = strspn(text, symbols), padding = strspn(text + whole, "=");
    if (!whole || whole + padding != len || padding > 2 || len % 4 || len / 4 * 3 > size)
        return -1;
    int n = EVP_DecodeBlock(ret, (const unsigned char *)text, (int)len);
    return n < 0 ? -1 : n - (int)padding; /* which was decoded to zeros */
}

bool signature_make(const char *secret, const char *id, int64_t timestamp, const void *body,
                    size_t size, char ret[SIGNATURE_LEN + 1])
{
    static const char prefix[] = "whsec_";
    uint8_t key[SECRET_BYTES_MAX], mac[EVP_MAX_MD_SIZE];
    char head[96];
    size_t mac_size = 0;
    if (strncmp(secret, prefix, sizeof prefix - 1) != 0)
        return false;
    int key_size = decode(secret + sizeof prefix - 1, key, sizeof key);
    if (key_size < 0)
        return false;
    int head_size = snprintf(head, sizeof head, "%s.%" PRId64 ".", id, timestamp);
    if (head_size < 0 || (size_t)head_size >= sizeof head)
        return false;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, key, (size_t)key_size);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    mac_size = sizeof mac;
    bool ok = pkey && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
              EVP_DigestSignUpdate(ctx, head, (size_t)head_size) == 1 &&
              EVP_DigestSignUpdate(ctx, body, size) == 1 &&
              EVP_DigestSignFinal(ctx, mac, &mac_size) == 1 && mac_size == MAC_BYTES;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    OPENSSL_cleanse(key, sizeof key);
    if (!ok)
        return false;
    memcpy(ret, "v1,", 3);
    EVP_EncodeBlock((unsigned char *)ret + 3, mac, MAC_BYTES);
    return true;
}
