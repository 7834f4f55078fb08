/*
 * sha.h - SHA-256 without fetching the algorithm for each call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };

/* SHA-256 of n bytes. */
void sha256(const void *data, size_t n, uint8_t ret[SHA256_BYTES]);
