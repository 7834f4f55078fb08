/*
 * secrets.h - keeps seal.h's secrets as the database has them.
 */
#pragma once

#include "loop.h"
#include "seal.h"
#include "session.h"

extern const struct pg_stmt secrets_stmt; /* prepared by the session's owner */

struct secrets;

/* Uses session and seal (borrowed), which must outlive it. */
struct secrets *secrets_new(struct loop *loop, struct session *session, struct seal *seal);
void secrets_free(struct secrets *s);
void secrets_on_up(struct secrets *s); /* the session is connected */
