/*
 * docs_page.h - the OpenAPI document as a page for people. Pure.
 */
#pragma once

#include "text.h"

/* Puts HTML made of the document's text, which must be valid (a test holds it so). */
void docs_page(struct text *t, const char *openapi);
