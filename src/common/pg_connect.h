/* pg_connect.h - pg.c's own: a connection, or what the refusal means. */
#pragma once

#include "pg.h"

/* Blocks up to 5 s a host, unless conninfo says otherwise, and asks a server that refuses at once
 * a second time. A wrong setting: ERR_FATAL EXIT_CONFIG. Refused for good, by a SQLSTATE: ERR_FATAL
 * EXIT_DATABASE. All else passes: ERR_RETRY. Returns owned, or NULL. */
PGconn *pg_connect(const struct pg_options *options, struct err *reterr);
