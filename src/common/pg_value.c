/* Parameters, columns and arrays of pg.h. */
#include "mem.h"
#include "pg.h"
#include "ticket.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAY_HEADER_BYTES = 20, ARRAY_MIN_BYTES = 256 };

static int next_param(struct pg_params *p)
{
    if (p->n == PG_PARAMS_MAX)
        abort();
    return p->n++;
}

static void param(struct pg_params *p, const char *value, size_t length, int format)
{
    int i = next_param(p);
    p->values[i] = value;
    p->lengths[i] = (int)length;
    p->formats[i] = format;
}

static void param_scratch(struct pg_params *p, const void *data, size_t size)
{
    int i = next_param(p);
    memcpy(p->scratch[i], data, size);
    p->values[i] = p->scratch[i];
    p->lengths[i] = (int)size;
    p->formats[i] = 1;
}

void pg_param_null(struct pg_params *p)
{
    param(p, NULL, 0, 0);
}

void pg_param_text(struct pg_params *p, const char *text)
{
    param(p, text, 0, 0);
}

void pg_param_int4(struct pg_params *p, int32_t v)
{
    uint32_t be = htonl((uint32_t)v);
    param_scratch(p, &be, sizeof be);
}

void pg_param_int8(struct pg_params *p, int64_t v)
{
    uint64_t be = htobe64((uint64_t)v);
    param_scratch(p, &be, sizeof be);
}

void pg_param_binary(struct pg_params *p, const void *data, size_t size)
{
    param(p, data, size, 1);
}

int64_t pg_get_int8(const PGresult *res, int row, int col)
{
    const char *v = PQgetvalue(res, row, col);
    if (PQgetisnull(res, row, col))
        return 0;
    if (PQfformat(res, col) == 0)
        return strtoll(v, NULL, 10);
    if (PQgetlength(res, row, col) == 4) {
        uint32_t be;
        memcpy(&be, v, sizeof be);
        return (int32_t)ntohl(be);
    }
    uint64_t be;
    memcpy(&be, v, sizeof be);
    return (int64_t)be64toh(be);
}

bool pg_get_bool(const PGresult *res, int row, int col)
{
    const char *v = PQgetvalue(res, row, col);
    if (PQgetisnull(res, row, col))
        return false;
    return PQfformat(res, col) ? *v != 0 : *v == 't';
}

const char *pg_get_text(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : PQgetvalue(res, row, col);
}

int pg_get_uuid(const PGresult *res, int row, int col, uint8_t ret_uuid[16])
{
    const char *v = PQgetvalue(res, row, col);
    size_t n = (size_t)PQgetlength(res, row, col);
    if (PQgetisnull(res, row, col))
        return -1;
    if (PQfformat(res, col) && n == 16) {
        memcpy(ret_uuid, v, 16);
        return 0;
    }
    return uuid_parse(v, n, ret_uuid) ? 0 : -1;
}

void pg_array_init(struct pg_array *a, enum pg_oid oid)
{
    *a = (struct pg_array){.oid = oid, .cap = ARRAY_MIN_BYTES, .data = mem_new(1, ARRAY_MIN_BYTES)};
    pg_array_reset(a);
}

void pg_array_free(struct pg_array *a)
{
    free(a->data);
    *a = (struct pg_array){0};
}

void pg_array_reset(struct pg_array *a)
{
    a->n = 0;
    a->has_null = false;
    a->size = ARRAY_HEADER_BYTES;
}

static uint8_t *room(struct pg_array *a, size_t size)
{
    while (a->cap - a->size < size) {
        a->cap *= 2;
        a->data = mem_resize(a->data, a->cap, 1);
    }
    uint8_t *p = a->data + a->size;
    a->size += size;
    return p;
}

static void put_int4(uint8_t *p, uint32_t v)
{
    v = htonl(v);
    memcpy(p, &v, sizeof v);
}

void pg_array_null(struct pg_array *a)
{
    put_int4(room(a, 4), UINT32_MAX);
    a->has_null = true;
    a->n++;
}

void pg_array_bytes(struct pg_array *a, const void *data, size_t size)
{
    uint8_t *p = room(a, 4 + size);
    put_int4(p, (uint32_t)size);
    if (size)
        memcpy(p + 4, data, size);
    a->n++;
}

void pg_array_text(struct pg_array *a, const char *text)
{
    if (text)
        pg_array_bytes(a, text, strlen(text));
    else
        pg_array_null(a);
}

void pg_array_int4(struct pg_array *a, int32_t v)
{
    uint32_t be = htonl((uint32_t)v);
    pg_array_bytes(a, &be, sizeof be);
}

void pg_array_int8(struct pg_array *a, int64_t v)
{
    uint64_t be = htobe64((uint64_t)v);
    pg_array_bytes(a, &be, sizeof be);
}

void pg_array_bool(struct pg_array *a, bool v)
{
    pg_array_bytes(a, &(char){v}, 1);
}

void pg_array_param(struct pg_array *a, struct pg_params *p)
{
    put_int4(a->data, a->n ? 1 : 0); /* dimensions */
    put_int4(a->data + 4, a->has_null);
    put_int4(a->data + 8, a->oid);
    put_int4(a->data + 12, a->n);
    put_int4(a->data + 16, 1); /* lower bound */
    pg_param_binary(p, a->data, a->n ? a->size : 12);
}
