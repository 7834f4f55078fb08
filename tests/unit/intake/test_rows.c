#include "rows.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <jansson.h>
#include <string.h>

static uint32_t be32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return be32toh(v);
}

/* The n-th element of a binary array (array_recv): NULL for SQL null. Sets *ret_size. */
static const char *element(const struct pg_params *p, int param, uint32_t n, uint32_t *ret_size)
{
    const char *a = p->values[param];
    cr_assert_eq(be32(a), 1, "one dimension");
    cr_assert(n < be32(a + 12));
    a += 20;
    for (;; n--) {
        uint32_t size = be32(a);
        bool null = size == UINT32_MAX;
        if (n == 0) {
            *ret_size = null ? 0 : size;
            return null ? NULL : a + 4;
        }
        a += 4 + (null ? 0 : size);
    }
}

static struct ticket_fields fields = {
    .source = "web", .type = "a\"b", .problem = "No picture", .area = "28013"};

static struct store_item made(uint8_t n)
{
    struct store_item item = {.fields = &fields, .traceparent = "t"};
    item.batch.client_id = 7;
    item.batch.key_hash[0] = n;
    item.id[15] = n;
    strcpy(item.ref, "K7QM3-ZT94W");
    return item;
}

Test(rows, an_insert_has_one_array_a_column_and_one_element_a_ticket)
{
    struct store_item a = made(1), b = made(2);
    struct batch_item *leaders[] = {&a.batch, &b.batch};
    struct rows *rows = rows_new();
    for (int again = 0; again < 2; again++) {
        struct pg_params p = {0};
        uint32_t size;
        rows_insert(rows, leaders, 2, &p);
        cr_assert_eq(p.n, ROWS_INSERT_PARAMS);
        for (int i = 0; i < p.n; i++) {
            cr_expect_eq(be32(p.values[i] + 12), 2, "column %d", i);
            cr_expect_eq(p.formats[i], 1);
        }
        const char *id = element(&p, 0, 1, &size);
        cr_expect_eq(size, 16);
        cr_expect_arr_eq(id, b.id, 16);
        cr_expect_eq(be32(element(&p, 2, 0, &size)), 7);
        const char *problem = element(&p, 8, 1, &size);
        cr_assert_eq(size, strlen("No picture"));
        cr_expect_arr_eq(problem, "No picture", size);
        cr_expect_null(element(&p, 9, 0, &size), "no contract is SQL null");
    }
    rows_free(rows);
}

Test(rows, the_event_is_json_once_its_time_is_appended_and_holds_no_personal_data)
{
    struct store_item a = made(1);
    struct batch_item *leaders[] = {&a.batch};
    struct rows *rows = rows_new();
    struct pg_params p = {0};
    uint32_t size;
    char json[1000];
    fields.customer_name = "Ana Ruiz";
    rows_insert(rows, leaders, 1, &p);
    const char *payload = element(&p, 16, 0, &size);
    memcpy(json, payload, size);
    strcpy(json + size, "2026-01-02T03:04:05.000006Z\"}");
    json_t *j = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(j, "%s", json);
    cr_expect_eq(json_object_size(j), 6);
    cr_expect_str_eq(json_string_value(json_object_get(j, "type")), "a\"b");
    cr_expect_str_eq(json_string_value(json_object_get(j, "ticket_id")),
                     "00000000-0000-0000-0000-000000000001");
    cr_expect_null(strstr(json, "Ana"));
    cr_expect_null(strstr(json, "picture"));
    json_decref(j);
    rows_free(rows);
}

Test(rows, keys_and_calls_are_pairs_of_arrays)
{
    struct store_item a = made(1);
    struct store_item *items[] = {&a};
    struct rows *rows = rows_new();
    struct pg_params p = {0}, q = {0};
    uint32_t size;
    rows_keys(rows, items, 1, &p);
    cr_assert_eq(p.n, 2);
    cr_expect_arr_eq(element(&p, 1, 0, &size), a.batch.key_hash, KEY_HASH_BYTES);
    a.call_provider = "acme";
    a.call_id = "77";
    rows_calls(rows, items, 1, &q);
    cr_assert_eq(q.n, 2);
    cr_expect_arr_eq(element(&q, 1, 0, &size), "77", 2);
    rows_free(rows);
}
