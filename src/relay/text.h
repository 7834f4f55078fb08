/*
 * text.h - texts of rows, cut to what takes them.
 */
#pragma once

#include <stddef.h>

/* Copies what fits into size bytes with their NUL, and cuts between characters of UTF-8: neither
 * PostgreSQL nor a log takes half of one. Returns buf. */
char *text_cut(char *buf, size_t size, const char *text);
