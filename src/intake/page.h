/*
 * page.h - answers for people: the frame around every page, and error pages.
 *
 * No script, no other host's resources, nothing kept by caches; the policy in
 * the headers says so to the browser as well.
 */
#pragma once

#include "html.h"
#include "reply.h"

/* The answer is a page. title is escaped, body is HTML made by html.h. refresh_s: the browser
 * loads it again after so many seconds; 0: never. */
void reply_page(struct request *r, unsigned status, const char *title, const char *body,
                int refresh_s);

/* The answer is a page that says what went wrong. */
void page_problem(struct request *r, enum problem p, const char *detail);
