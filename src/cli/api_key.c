#include "api_key.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { RANDOM_BYTES = 24 };

int api_key_make(char ret_key[API_KEY_TEXT_MAX], struct err *reterr)
{
    unsigned char raw[RANDOM_BYTES];
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return err_fatal(reterr, EXIT_FOUND, "could not get random bytes");
    int n = snprintf(ret_key, API_KEY_TEXT_MAX, "sq_");
    for (size_t i = 0; i < sizeof raw; i++)
        n += snprintf(ret_key + n, API_KEY_TEXT_MAX - (size_t)n, "%02x", raw[i]);
    return 0;
}

int api_key_check(const char *key, struct err *reterr)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < n; i++)
        if (key[i] <= ' ' || key[i] > '~')
            n = 0;
    if (*key && (n < API_KEY_MIN || n > API_KEY_MAX))
        return err_fatal(reterr, EXIT_CONFIG,
                         "--api-key is wrong: it must be %d to %d visible ASCII characters",
                         API_KEY_MIN, API_KEY_MAX);
    return 0;
}
