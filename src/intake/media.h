/*
 * media.h - the media types that a body may have (enum takes of route.h). Pure.
 */
#pragma once

#include <stdbool.h>

/* The bit of a Content-Type; 0: none that squad knows, or a charset other than UTF-8. */
unsigned media_of(const char *content_type);

/* The same type is multipart/form-data rather than urlencoded. */
bool media_is_multipart(const char *content_type);

/* "application/json or application/x-www-form-urlencoded ..." for a sentence. Static. */
const char *media_names(unsigned takes);
