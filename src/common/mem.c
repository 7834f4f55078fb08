#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 16 };

void *mem_new(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        abort();
    return p;
}

void *mem_resize(void *array, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        abort();
    array = realloc(array, bytes ? bytes : 1);
    if (!array)
        abort();
    return array;
}

void *mem_room(void *array, size_t n, size_t *cap, size_t size)
{
    if (array && n < *cap)
        return array;
    *cap = *cap ? *cap * 2 : ROOM_MIN;
    return mem_resize(array, *cap, size);
}

void *mem_copy(const void *bytes, size_t size)
{
    void *p = mem_new(1, size ? size : 1);
    memcpy(p, bytes, size);
    return p;
}

char *mem_text(const char *text)
{
    return text ? mem_copy(text, strlen(text) + 1) : NULL;
}
