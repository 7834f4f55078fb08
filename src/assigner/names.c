#include "names.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

struct name {
    uint8_t *bytes; /* owned */
    size_t size;
    uint64_t hash;
};

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const void *bytes, size_t size)
{
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const uint8_t *)bytes)[i]) * 1099511628211U;
    return h;
}

static uint32_t *slot_of(const struct names *names, uint64_t hash, const void *bytes, size_t size)
{
    for (uint64_t i = hash;; i++) {
        uint32_t *slot = &names->slots[i & (names->n_slots - 1)];
        if (!*slot)
            return slot;
        const struct name *name = &names->items[*slot - 1];
        if (name->hash == hash && name->size == size && memcmp(name->bytes, bytes, size) == 0)
            return slot;
    }
}

static void grow(struct names *names)
{
    free(names->slots);
    names->n_slots = names->n_slots ? names->n_slots * 2 : SLOTS_MIN;
    names->slots = mem_new(names->n_slots, sizeof *names->slots);
    names->items = mem_resize(names->items, names->n_slots / 2, sizeof *names->items);
    for (uint32_t i = 0; i < names->n; i++) {
        const struct name *name = &names->items[i];
        *slot_of(names, name->hash, name->bytes, name->size) = i + 1;
    }
}

int64_t names_find(const struct names *names, const void *bytes, size_t size)
{
    if (!names->n)
        return NAMES_NONE;
    uint32_t number = *slot_of(names, hash_of(bytes, size), bytes, size);
    return number ? (int64_t)number - 1 : NAMES_NONE;
}

uint32_t names_put(struct names *names, const void *bytes, size_t size)
{
    if (names->n == names->n_slots / 2)
        grow(names);
    uint64_t hash = hash_of(bytes, size);
    uint32_t *slot = slot_of(names, hash, bytes, size);
    if (!*slot) {
        names->items[names->n] = (struct name){mem_copy(bytes, size), size, hash};
        *slot = ++names->n;
    }
    return *slot - 1;
}

void names_clear(struct names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        free(names->items[i].bytes);
    free(names->items);
    free(names->slots);
    *names = (struct names){0};
}

bool names_next(const char **list, const char **ret_item, size_t *ret_size)
{
    if (!**list)
        return false;
    *ret_item = *list;
    *ret_size = strcspn(*list, ",");
    *list += *ret_size;
    if (**list == ',')
        ++*list;
    return true;
}
