/*
 * respond.h - a request's reply as libmicrohttpd takes it: the body and every header, those of the
 * reply and those that all answers have. What is answered, and when, is not decided here.
 */
#pragma once

#include <stdbool.h>

struct MHD_Response;
struct request;

/* Owned; to be destroyed by MHD_destroy_response. Borrows the body of the reply, which the request
 * must outlive. close: the connection ends behind it. NULL: libmicrohttpd has no memory. */
struct MHD_Response *respond(const struct request *request, bool close);
