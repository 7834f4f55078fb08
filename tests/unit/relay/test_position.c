#include "mem.h"
#include "position.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char whole[] =
    "{\"version\":1,\"snapshot_prev\":\"100:105:101,103\",\"snapshot_cur\":\"101:110:\","
    "\"last_seq\":42,\"txn\":7,\"rows\":1000,\"dead\":3,"
    "\"system_identifier\":\"18446744073709551615\",\"database_oid\":4294967295,\"timeline\":2,"
    "\"newest_xid\":109,\"newest_seq\":43,"
    "\"newest_id\":\"5f0c1f3e-0000-4000-8000-000000000001\"}";

static struct position decoded(const char *json)
{
    struct position p = {0};
    struct err e = {0};
    cr_assert_eq(position_decode(json, strlen(json), &p, &e), 0, "%s: %s", json, e.text);
    return p;
}

Test(position, what_was_encoded_is_decoded)
{
    struct position p = decoded(whole);
    cr_expect_str_eq(p.snapshot_prev, "100:105:101,103");
    cr_expect_str_eq(p.snapshot_cur, "101:110:");
    cr_expect_eq(p.last_seq, 42);
    cr_expect_eq(p.txn, 7);
    cr_expect_eq(p.rows, 1000);
    cr_expect_eq(p.dead, 3);
    cr_expect_eq(p.system, UINT64_MAX);
    cr_expect_eq(p.database, UINT32_MAX);
    cr_expect_eq(p.timeline, 2);
    cr_expect_eq(p.newest.xid, 109);
    cr_expect_eq(p.newest.seq, 43);
    cr_expect_str_eq(p.newest.id, "5f0c1f3e-0000-4000-8000-000000000001");
    char *json = position_encode(&p);
    cr_expect_str_eq(json, whole);
    free(json);
    position_free(&p);
}

Test(position, between_windows_there_is_no_end_of_a_window)
{
    struct identity id = {.system = 5, .database = 6, .timeline = 1};
    struct position p = {0};
    position_first(&p, &id);
    char *json = position_encode(&p);
    cr_expect_null(strstr(json, "snapshot_cur"));
    struct position q = decoded(json);
    cr_expect_null(q.snapshot_cur);
    cr_expect_str_eq(q.snapshot_prev, "1:1:", "nothing is visible in the first snapshot");
    cr_expect_eq(q.txn, 0);
    free(json);
    position_free(&p);
    position_free(&q);
}

Test(position, a_copy_owns_its_texts)
{
    struct position p = decoded(whole), q = {0};
    position_copy(&q, &p);
    position_copy(&q, &p); /* what it had before is freed */
    position_free(&p);
    cr_expect_str_eq(q.snapshot_prev, "100:105:101,103");
    cr_expect_str_eq(q.snapshot_cur, "101:110:");
    position_free(&q);
    cr_expect_null(q.snapshot_prev);
}

/* whole, with the first occurrence of `from` replaced. */
static char *spoilt(const char *from, const char *to)
{
    const char *at = strstr(whole, from);
    char *json = NULL;
    cr_assert_not_null(at);
    cr_assert(asprintf(&json, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from)) > 0);
    return json;
}

static void refuses(const char *json, size_t size)
{
    struct position p = {0};
    struct err e = {0};
    cr_expect_eq(position_decode(json, size, &p, &e), -1, "taken: %.*s", (int)size, json);
    cr_expect_eq(e.kind, ERR_FATAL);
    cr_expect_eq(e.exit_code, EXIT_POSITION);
    cr_expect_neq(*e.hint, '\0');
    cr_expect_null(p.snapshot_prev, "nothing is written on failure");
}

Test(position, garbage_is_refused_and_never_read_as_a_beginning)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"\"version\":1", "\"version\":2"},
        {"\"version\":1,", ""},
        {"\"version\":1", "\"version\":\"1\""},
        {"100:105:101,103", ""},
        {"100:105:101,103", "100:105"},
        {"100:105:101,103", "105:100:"},
        {"100:105:101,103", "0:0:"},
        {"100:105:101,103", "100:105:99"},
        {"100:105:101,103", "100:105:105"},
        {"100:105:101,103", "100:105:103,101"},
        {"100:105:101,103", "100:105:101,101"},
        {"100:105:101,103", "100:105:101,,103"},
        {"100:105:101,103", "100:105:101,"},
        {"100:105:101,103", "-100:105:"},
        {"100:105:101,103", " 100:105:"},
        {"100:105:101,103", "0x10:105:"},
        {"100:105:101,103", "100:105:x"},
        {"100:105:101,103", "99999999999999999999:99999999999999999999:"},
        {"101:110:", "110"},
        {"101:110:", "99:104:"}, /* ends before it begins */
        {"\"last_seq\":42", "\"last_seq\":\"42\""},
        {"\"last_seq\":42", "\"last_seq\":-1"},
        {"\"txn\":7", "\"txn\":-7"},
        {"\"txn\":7,", ""},
        {"\"rows\":1000", "\"rows\":-1"},
        {"\"rows\":1000", "\"rows\":10.5"},
        {"\"dead\":3", "\"dead\":1001"},
        {"18446744073709551615", "not a number"},
        {"18446744073709551615", ""},
        {"18446744073709551615", "18446744073709551616"},
        {"\"database_oid\":4294967295,", ""},
        {"4294967295", "4294967296"},
        {"4294967295", "0"},
        {"\"timeline\":2", "\"timeline\":0"},
        {"\"timeline\":2", "\"timeline\":4294967298"},
        {"\"newest_xid\":109", "\"newest_xid\":0"},
        {"\"newest_seq\":43", "\"newest_seq\":\"43\""},
        {"\"newest_seq\":43,", ""},
        {"5f0c1f3e-", "5f0c1f3e"},
        {"5f0c1f3e-", "5f0c1f3'-"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *json = spoilt(rows[i].from, rows[i].to);
        refuses(json, strlen(json));
        free(json);
    }
    refuses("", 0);
    refuses("[]", 2);
    refuses("null", 4);
    refuses(whole, sizeof whole - 2);
    refuses(whole, sizeof whole); /* with its NUL: bytes behind the end */
}

Test(position, it_must_belong_to_the_database)
{
    static const struct {
        const char *why;
        struct identity now;
        const char *expected; /* NULL: fits */
    } rows[] = {
        {"the same", {9, 7, 2, "101:110:", false}, NULL},
        {"later", {9, 7, 2, "110:120:115", false}, NULL},
        {"promoted", {9, 7, 3, "110:120:115", false}, NULL},
        {"another cluster", {8, 7, 2, "101:110:", false}, "belongs to the PostgreSQL cluster 9"},
        {"another database", {9, 8, 2, "101:110:", false}, "belongs to the database with oid 7"},
        {"timeline gone back", {9, 7, 1, "101:110:", false}, "made on timeline 2"},
        {"xmax gone back", {9, 7, 2, "101:109:", false}, "is in the future"},
        {"xmin gone back", {9, 7, 2, "100:110:100", false}, "is in the future"},
        {"unreadable", {9, 7, 2, "?", false}, "is in the future"},
        {"commits lost, ids used again", {9, 7, 3, "110:120:", true}, "seq 43 and id"},
    };
    struct position p = {.snapshot_prev = mem_text("90:100:"),
                         .snapshot_cur = mem_text("101:110:"),
                         .system = 9,
                         .database = 7,
                         .timeline = 2,
                         .newest = {.seq = 43}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        int rc = position_check(&p, &rows[i].now, &e);
        cr_expect_eq(rc, rows[i].expected ? -1 : 0, "%s: %s", rows[i].why, e.text);
        if (rows[i].expected) {
            cr_expect_not_null(strstr(e.text, rows[i].expected), "%s: %s", rows[i].why, e.text);
            cr_expect_eq(e.exit_code, EXIT_POSITION);
            cr_expect_neq(*e.hint, '\0');
        }
    }
    position_free(&p);
}

Test(position, the_newest_row_has_the_highest_transaction_id)
{
    struct position p = {0};
    position_newest(&p, "9", 5, "a");
    position_newest(&p, "10", 3, "b");
    position_newest(&p, "9", 7, "c");
    cr_expect_eq(p.newest.xid, 10);
    cr_expect_eq(p.newest.seq, 3);
    cr_expect_str_eq(p.newest.id, "b");
}

Test(position, a_snapshot_has_bounds)
{
    uint64_t xmin = 0, xmax = 0;
    cr_expect(snapshot_bounds("10:20:10,15,19", &xmin, &xmax));
    cr_expect_eq(xmin, 10);
    cr_expect_eq(xmax, 20);
    cr_expect_not(snapshot_bounds(NULL, &xmin, &xmax));
    cr_expect_not(snapshot_bounds("10:20:10,15,20", &xmin, &xmax));
}
