/*
 * html.h - pages from templates: text with {{name}} for a value, escaped.
 *
 *   {{name}}            the value, escaped for text and for quoted attributes
 *   {{{name}}}          the value as it is: only for what was made by this module
 *   {{?name}}...{{/}}   only when the value is not empty
 *   {{!name}}...{{/}}   only when it is empty
 *
 * Conditions do not nest. Pure.
 */
#pragma once

#include "text.h"

#include <stdbool.h>
#include <stddef.h>

struct html_var {
    const char *name, *value; /* NULL is empty */
};

/* Puts s with & < > " ' escaped. */
void html_text(struct text *t, const char *s);

/* Fills the template in. A name that is not among the variables is empty. */
void html_fill(struct text *t, const char *template, const struct html_var *vars, size_t n);

#define HTML_FILL(t, template, ...)                                                                \
    html_fill(t, template, (const struct html_var[]){__VA_ARGS__},                                 \
              sizeof(const struct html_var[]){__VA_ARGS__} / sizeof(struct html_var))
