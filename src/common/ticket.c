#include "ticket.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void random_bytes(uint8_t *p, size_t n)
{
    /* Refilled in blocks: a system call for each id costs as much as the id. */
    static _Thread_local uint8_t pool[1024];
    static _Thread_local size_t left;
    while (n > 0) {
        if (left == 0) {
            if (getrandom(pool, sizeof pool, 0) != sizeof pool)
                abort();
            left = sizeof pool;
        }
        *p++ = pool[--left];
        n--;
    }
}

static _Atomic int64_t clock_ahead_ms;

static int64_t machine_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t uuid7_set_clock(int64_t unix_ms)
{
    int64_t ahead = machine_ms() - unix_ms;
    if (llabs(ahead) <= UUID7_CLOCK_TOLERANCE_MS)
        ahead = 0;
    clock_ahead_ms = ahead;
    return ahead;
}

void uuid7_make(uint8_t ret_uuid[16])
{
    uint64_t ms = (uint64_t)(machine_ms() - clock_ahead_ms);
    random_bytes(ret_uuid, 16);
    for (int i = 0; i < 6; i++)
        ret_uuid[i] = (uint8_t)(ms >> (8 * (5 - i)));
    ret_uuid[6] = (uint8_t)(0x70 | (ret_uuid[6] & 0x0f));
    ret_uuid[8] = (uint8_t)(0x80 | (ret_uuid[8] & 0x3f));
}

void uuid_format(const uint8_t uuid[16], char ret_text[UUID_TEXT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    char *p = ret_text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[uuid[i] >> 4];
        *p++ = hex[uuid[i] & 15];
    }
    *p = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool uuid_parse(const char *text, size_t len, uint8_t ret_uuid[16])
{
    uint8_t out[16];
    if (len != UUID_TEXT_LEN)
        return false;
    for (size_t i = 0, o = 0; o < 16; o++) {
        if (i == 8 || i == 13 || i == 18 || i == 23)
            if (text[i++] != '-')
                return false;
        int hi = hex_value(text[i]), lo = hex_value(text[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[o] = (uint8_t)(hi << 4 | lo);
        i += 2;
    }
    memcpy(ret_uuid, out, 16);
    return true;
}

/* Luhn mod 32: from the right, every second symbol counts double, in base 32. */
static unsigned luhn32(const uint8_t *digit, int n)
{
    unsigned sum = 0, factor = 2;
    for (int i = n - 1; i >= 0; i--) {
        unsigned add = factor * digit[i];
        sum += add / 32 + add % 32;
        factor = factor == 2 ? 1 : 2;
    }
    return (32 - sum % 32) % 32;
}

static void ref_text(const uint8_t digit[10], char ret_ref[TICKET_REF_LEN + 1])
{
    char *p = ret_ref;
    for (int i = 0; i < 10; i++) {
        if (i == 5)
            *p++ = '-';
        *p++ = crockford[digit[i]];
    }
    *p = '\0';
}

void ticket_ref_make(const uint8_t uuid[16], char ret_ref[TICKET_REF_LEN + 1])
{
    uint8_t digit[10];
    uint64_t bits = 0;
    for (int i = 10; i < 16; i++)
        bits = bits << 8 | uuid[i];
    for (int i = 8; i >= 0; i--) {
        digit[i] = bits & 31;
        bits >>= 5;
    }
    digit[9] = (uint8_t)luhn32(digit, 9);
    ref_text(digit, ret_ref);
}

static int crockford_value(char c)
{
    c = (char)toupper((unsigned char)c);
    if (c == 'I' || c == 'L')
        c = '1';
    if (c == 'O')
        c = '0';
    const char *at = c ? strchr(crockford, c) : NULL;
    return at ? (int)(at - crockford) : -1;
}

bool ticket_ref_parse(const char *text, size_t len, char ret_ref[TICKET_REF_LEN + 1])
{
    uint8_t digit[10];
    int n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-' || text[i] == ' ')
            continue;
        int v = crockford_value(text[i]);
        if (v < 0 || n == 10)
            return false;
        digit[n++] = (uint8_t)v;
    }
    if (n != 10 || luhn32(digit, 9) != digit[9])
        return false;
    ref_text(digit, ret_ref);
    return true;
}
