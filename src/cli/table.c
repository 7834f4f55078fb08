#include "table.h"

#include "mem.h"
#include "out.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const struct table_column *columns;
    size_t n_columns, n_cells, room;
    char **cells; /* owned, each too */
};

struct table *table_new(const struct table_column *columns, size_t n)
{
    struct table *t = mem_new(1, sizeof *t);
    t->columns = columns;
    t->n_columns = n;
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

void table_cell(struct table *t, const char *fmt, ...)
{
    if (t->n_cells == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->cells = mem_resize(t->cells, t->room, sizeof *t->cells);
    }
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&t->cells[t->n_cells], fmt, ap) < 0)
        abort();
    va_end(ap);
    t->n_cells++;
}

/* Characters in UTF-8 text. */
static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t width = width_of(t->columns[column].title);
    for (size_t i = column; i < t->n_cells; i += t->n_columns) {
        size_t w = width_of(t->cells[i]);
        if (w > width)
            width = w;
    }
    return width;
}

static void print_cell(const struct table *t, size_t column, const char *text, size_t width,
                       FILE *out)
{
    size_t used = width_of(text);
    int pad = (int)(width > used ? width - used : 0);
    bool last = column + 1 == t->n_columns;
    if (t->columns[column].right)
        fprintf(out, "  %*s%s", pad, "", text);
    else
        fprintf(out, "  %s%*s", text, last ? 0 : pad, "");
}

void table_print(const struct table *t, FILE *out)
{
    size_t *width = calloc(t->n_columns + 1, sizeof *width);
    bool titles = false;
    if (!width)
        abort();
    for (size_t c = 0; c < t->n_columns; c++) {
        width[c] = column_width(t, c);
        titles = titles || *t->columns[c].title;
    }
    if (titles) {
        fputs(out_style(OUT_DIM), out);
        for (size_t c = 0; c < t->n_columns; c++)
            print_cell(t, c, t->columns[c].title, width[c], out);
        fprintf(out, "%s\n", out_style(OUT_PLAIN));
    }
    for (size_t i = 0; i + t->n_columns <= t->n_cells; i += t->n_columns) {
        for (size_t c = 0; c < t->n_columns; c++)
            print_cell(t, c, t->cells[i + c], width[c], out);
        fputc('\n', out);
    }
    free(width);
}
