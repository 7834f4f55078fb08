/*
 * mem.h - memory that is there or ends the process: squad can not go on without
 * it, and everything it holds is in PostgreSQL and Kafka. All sizes are in bytes.
 */
#pragma once

#include <stddef.h>

/* n zeroed items of a size; never NULL. Owned (free). */
void *mem_new(size_t n, size_t size) __attribute__((returns_nonnull));

/* As realloc of n items; never NULL. */
void *mem_resize(void *array, size_t n, size_t size) __attribute__((returns_nonnull));

/* Makes room for one more item beyond n, doubling *cap when there is none. */
void *mem_room(void *array, size_t n, size_t *cap, size_t size) __attribute__((returns_nonnull));

/* Copies of bytes, and of a text (NULL stays NULL). Owned. */
void *mem_copy(const void *bytes, size_t size) __attribute__((returns_nonnull));
char *mem_text(const char *text);
