#include "text.h"

#include <string.h>

char *text_cut(char *buf, size_t size, const char *text)
{
    size_t n = strnlen(text, size);
    if (n == size)
        for (n--; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;)
            n--;
    memcpy(buf, text, n);
    buf[n] = '\0';
    return buf;
}
