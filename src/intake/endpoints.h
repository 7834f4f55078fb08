/*
 * endpoints.h - what stands before every handler: may this client do this, in
 * this media type, this often?
 */
#pragma once

#include "request.h"

/* The request is complete. Sets its reply, or arranges that http_answer is called later. */
void endpoint_dispatch(struct request *r);
