/*
 * listen.h - a listening TCP socket from HOST:PORT.
 */
#pragma once

#include "err.h"

#include <stddef.h>

/* option is the one that host_port comes from, as "--listen (SQUAD_LISTEN)". Returns the
 * descriptor, owned, non-blocking, or -1 with ERR_FATAL EXIT_CONFIG. ret_address is what it listens
 * on, with the port the kernel chose for port 0. What the kernel holds for a connection accepted
 * from it is bounded: 128 KiB in each direction. */
int listen_open(const char *option, const char *host_port, long backlog, char *ret_address,
                size_t size, struct err *reterr);
