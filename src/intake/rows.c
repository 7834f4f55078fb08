#include "rows.h"

#include "mem.h"
#include "text.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* From 1970 to 2000, where PostgreSQL's time begins. */
static const int64_t pg_epoch_us = 946684800000000;

/* In the order of the parameters of ticket_insert.sql. */
enum column {
    ID,
    REF,
    CLIENT_ID,
    KEY_HASH,
    BODY_HASH,
    SOURCE,
    TYPE,
    AREA,
    PROBLEM,
    CONTRACT,
    CUSTOMER_REF,
    CUSTOMER_NAME,
    CUSTOMER_PHONE,
    CUSTOMER_EMAIL,
    CALL_PROVIDER,
    CALL_ID,
    PAYLOAD,
    TRACEPARENT,
    N_COLUMNS
};
_Static_assert((int)N_COLUMNS == (int)ROWS_INSERT_PARAMS, "one column a parameter");

struct rows {
    struct pg_array col[N_COLUMNS];
    struct text payload;
};

static enum pg_oid oid_of(int column)
{
    switch (column) {
    case ID:
        return PG_UUID;
    case CLIENT_ID:
        return PG_INT4;
    case KEY_HASH:
    case BODY_HASH:
        return PG_BYTEA;
    default:
        return PG_TEXT;
    }
}

struct rows *rows_new(void)
{
    struct rows *r = mem_new(1, sizeof *r);
    for (int i = 0; i < N_COLUMNS; i++)
        pg_array_init(&r->col[i], oid_of(i));
    return r;
}

void rows_free(struct rows *r)
{
    for (int i = 0; i < N_COLUMNS; i++)
        pg_array_free(&r->col[i]);
    text_free(&r->payload);
    free(r);
}

/* The event squad.ticket.created.v1 up to its last value, which SQL appends. */
static void put_payload(struct text *t, const struct store_item *item)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(item->id, id);
    text_reset(t);
    text_str(t, "{\"ticket_id\":\"");
    text_str(t, id);
    text_str(t, "\",\"ref\":\"");
    text_str(t, item->ref);
    text_str(t, "\",\"type\":");
    text_json(t, item->fields->type);
    text_str(t, ",\"area\":");
    text_json(t, item->fields->area);
    text_str(t, ",\"source\":");
    text_json(t, item->fields->source);
    text_str(t, ",\"created_at\":\"");
}

static void put_row(struct rows *r, const struct store_item *item)
{
    const struct ticket_fields *f = item->fields;
    struct pg_array *c = r->col;
    pg_array_bytes(&c[ID], item->id, sizeof item->id);
    pg_array_text(&c[REF], item->ref);
    pg_array_int4(&c[CLIENT_ID], item->batch.client_id);
    pg_array_bytes(&c[KEY_HASH], item->batch.key_hash, KEY_HASH_BYTES);
    pg_array_bytes(&c[BODY_HASH], item->batch.body_hash, BODY_HASH_BYTES);
    pg_array_text(&c[SOURCE], f->source);
    pg_array_text(&c[TYPE], f->type);
    pg_array_text(&c[AREA], f->area);
    pg_array_text(&c[PROBLEM], f->problem);
    pg_array_text(&c[CONTRACT], f->contract);
    pg_array_text(&c[CUSTOMER_REF], f->customer_ref);
    pg_array_text(&c[CUSTOMER_NAME], f->customer_name);
    pg_array_text(&c[CUSTOMER_PHONE], f->customer_phone);
    pg_array_text(&c[CUSTOMER_EMAIL], f->customer_email);
    pg_array_text(&c[CALL_PROVIDER], item->call_provider);
    pg_array_text(&c[CALL_ID], item->call_id);
    put_payload(&r->payload, item);
    pg_array_bytes(&c[PAYLOAD], r->payload.data, r->payload.len);
    pg_array_text(&c[TRACEPARENT], item->traceparent);
}

void rows_insert(struct rows *r, struct batch_item **leaders, size_t n, struct pg_params *p)
{
    for (int i = 0; i < N_COLUMNS; i++)
        pg_array_reset(&r->col[i]);
    for (size_t i = 0; i < n; i++)
        put_row(r, store_item_of(leaders[i]));
    for (int i = 0; i < N_COLUMNS; i++)
        pg_array_param(&r->col[i], p);
}

void rows_keys(struct rows *r, struct store_item **items, size_t n, struct pg_params *p)
{
    pg_array_reset(&r->col[CLIENT_ID]);
    pg_array_reset(&r->col[KEY_HASH]);
    for (size_t i = 0; i < n; i++) {
        pg_array_int4(&r->col[CLIENT_ID], items[i]->batch.client_id);
        pg_array_bytes(&r->col[KEY_HASH], items[i]->batch.key_hash, KEY_HASH_BYTES);
    }
    pg_array_param(&r->col[CLIENT_ID], p);
    pg_array_param(&r->col[KEY_HASH], p);
}

void rows_calls(struct rows *r, struct store_item **items, size_t n, struct pg_params *p)
{
    pg_array_reset(&r->col[CALL_PROVIDER]);
    pg_array_reset(&r->col[CALL_ID]);
    for (size_t i = 0; i < n; i++) {
        pg_array_text(&r->col[CALL_PROVIDER], items[i]->call_provider);
        pg_array_text(&r->col[CALL_ID], items[i]->call_id);
    }
    pg_array_param(&r->col[CALL_PROVIDER], p);
    pg_array_param(&r->col[CALL_ID], p);
}

int32_t rows_get_int4(const PGresult *res, int row, int col)
{
    uint32_t be;
    memcpy(&be, PQgetvalue(res, row, col), sizeof be);
    return (int32_t)ntohl(be);
}

int64_t rows_get_time(const PGresult *res, int row, int col)
{
    uint64_t be;
    memcpy(&be, PQgetvalue(res, row, col), sizeof be);
    return (int64_t)be64toh(be) + pg_epoch_us;
}
