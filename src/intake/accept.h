/*
 * accept.h - what a client would like: media types (RFC 9110, section 12.5.1)
 * and preferences (RFC 7240). Pure.
 */
#pragma once

/* Weight from 0 (refused) to 1000 that the header gives a type, as "text/html". No header: 1000. */
int accept_weight(const char *accept, const char *type);

enum { PREFER_WAIT_MAX_S = 60 };

/* Seconds of wait=N, at most PREFER_WAIT_MAX_S; 0: no such preference. */
long prefer_wait_s(const char *prefer);
