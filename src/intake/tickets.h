/*
 * tickets.h - the handlers of tickets that stand in files of their own.
 */
#pragma once

#include "request.h"
#include "resources.h"

void tickets_post(struct request *r);      /* tickets_post.c */
void tickets_post_call(struct request *r); /* tickets_post.c */
