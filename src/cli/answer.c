#include "answer.h"

#include "db.h"
#include "out.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GRID_COLUMNS_MAX = 12 };

int answer_open(struct pg **ret, const char *conninfo, const struct pg_stmt *stmts, size_t n,
                struct err *reterr)
{
    struct pg_options options = {.conninfo = conninfo,
                                 .stmts = stmts,
                                 .n_stmts = n,
                                 .statement_timeout_ms = ANSWER_STATEMENT_MS};
    return db_open(ret, &options, ANSWER_CONNECT_WAIT_MS, reterr);
}

int answer_read(struct pg *pg, const char *stmt, const struct pg_params *params, json_t **ret,
                struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    *ret = NULL;
    out_progress("asking PostgreSQL");
    int failed = pg_run(pg, stmt, params, &res, reterr);
    out_progress_end();
    if (failed)
        return -1;
    if (!PQntuples(res) || PQgetisnull(res, 0, 0))
        return 0;
    *ret = json_loads(PQgetvalue(res, 0, 0), JSON_DECODE_ANY, NULL);
    return *ret ? 0
                : err_fatal(reterr, EXIT_DATABASE, "%s answered with something else than JSON",
                            stmt);
}

bool answer_has(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value && !json_is_null(value);
}

const char *answer_text(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : otherwise;
}

int64_t answer_int(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_real(value) ? (int64_t)json_real_value(value) : json_integer_value(value);
}

bool answer_bool(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

int64_t answer_time(const json_t *object, const char *name)
{
    const char *text = answer_text(object, name, NULL);
    struct tm tm = {0};
    double seconds;
    int hours = 0, minutes = 0;
    char sign = '+';
    if (!text || sscanf(text, "%d-%d-%dT%d:%d:%lf%c%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                        &tm.tm_hour, &tm.tm_min, &seconds, &sign, &hours, &minutes) < 6)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t east_s = (int64_t)(hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return ((int64_t)timegm(&tm) - east_s) * 1000000 + (int64_t)(seconds * 1e6 + 0.5);
}

static void put_list(struct table *table, const json_t *list)
{
    char text[512] = "";
    size_t i, used = 0;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        int n = snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "",
                         json_string_value(item));
        if (n < 0 || (size_t)n >= sizeof text - used)
            break;
        used += (size_t)n;
    }
    table_cell(table, "%s", text);
}

static void put_cell(struct table *table, const json_t *row, const struct grid_column *c)
{
    char buf[OUT_TEXT_MAX];
    if (!answer_has(row, c->member))
        table_cell(table, "%s", "");
    else if (c->kind == GRID_NUMBER)
        table_cell(table, "%" PRId64, answer_int(row, c->member));
    else if (c->kind == GRID_SPAN)
        table_cell(table, "%s",
                   answer_int(row, c->member) ? out_span(buf, answer_int(row, c->member) * 1000000)
                                              : "0 s");
    else if (c->kind == GRID_TIME)
        table_cell(table, "%.16s", out_time(buf, answer_time(row, c->member)));
    else if (c->kind == GRID_LIST)
        put_list(table, json_object_get(row, c->member));
    else if (c->kind == GRID_YES)
        table_cell(table, "%s", answer_bool(row, c->member) ? "yes" : "");
    else
        table_cell(table, "%s", answer_text(row, c->member, ""));
}

void grid_print(const char *heading, const json_t *rows, const struct grid_column *columns,
                size_t n)
{
    struct table_column titles[GRID_COLUMNS_MAX];
    size_t i;
    json_t *row;
    if (!json_array_size(rows) || n > GRID_COLUMNS_MAX)
        return;
    for (i = 0; i < n; i++)
        titles[i] = (struct table_column){.title = columns[i].title,
                                          .right = columns[i].kind == GRID_NUMBER ||
                                                   columns[i].kind == GRID_SPAN};
    printf("\n%s%s%s\n", out_style(OUT_BOLD), heading, out_style(OUT_PLAIN));
    struct table *table = table_new(titles, n);
    json_array_foreach(rows, i, row) for (size_t c = 0; c < n; c++)
        put_cell(table, row, &columns[c]);
    table_print(table, stdout);
    table_free(table);
}
