/*
 * table.h - rows of text in aligned columns.
 *
 * Widths count characters, not bytes, so that names with accents line up. The
 * last column is not padded. Column titles are dim on a terminal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_column {
    const char *title; /* all empty: no line of titles */
    bool right;        /* numbers */
};

struct table;

struct table *table_new(const struct table_column *columns, size_t n); /* borrows columns; owned */
void table_free(struct table *table);                                  /* NULL is fine */

/* Appends a cell; after the last column a new row begins. */
void table_cell(struct table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints complete rows, each with two blanks in front. */
void table_print(const struct table *table, FILE *out);
