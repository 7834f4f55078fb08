#include "ledger.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum { OFFSET_BITS = 44, PARTITION_BITS = 16, ROWS_FIRST = 1024 };

/* Places of a row that no record has shown yet. Whether it is required matters until then only. */
#define AWAITED  LEDGER_NOWHERE
#define OPTIONAL (LEDGER_NOWHERE - 1)

struct row {
    uint8_t id[16];
    int64_t seq;
    uint64_t content, group;
    uint64_t place; /* first record that shows it */
};

struct ledger {
    struct row *rows;
    size_t n_rows, row_room;
    uint32_t *index; /* row number + 1, or 0; open addressing, at most half full */
    size_t index_size;
    struct ledger_record *unexplained;
    size_t n_unexplained, unexplained_room;
    uint64_t missing;
    struct ledger_result result;
};

uint64_t ledger_hash(uint64_t h, const void *data, size_t size)
{
    static const uint64_t k = 0x9E3779B97F4A7C15u;
    const unsigned char *p = data;
    h = (h ^ (data ? size + 1 : 0)) * k;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = (h ^ v) * k;
        h ^= h >> 29;
    }
    uint64_t tail = 0;
    if (size)
        memcpy(&tail, p, size);
    h = (h ^ tail) * k;
    return h ^ h >> 32;
}

uint64_t ledger_place(unsigned topic, int32_t partition, int64_t offset)
{
    return (uint64_t)topic << (OFFSET_BITS + PARTITION_BITS) |
           (uint64_t)(uint16_t)partition << OFFSET_BITS | (uint64_t)offset;
}

unsigned ledger_place_topic(uint64_t place)
{
    return (unsigned)(place >> (OFFSET_BITS + PARTITION_BITS));
}

int32_t ledger_place_partition(uint64_t place)
{
    return (int32_t)(place >> OFFSET_BITS & ((1u << PARTITION_BITS) - 1));
}

int64_t ledger_place_offset(uint64_t place)
{
    return (int64_t)(place & ((UINT64_C(1) << OFFSET_BITS) - 1));
}

struct ledger *ledger_new(void)
{
    struct ledger *l = mem_new(1, sizeof *l);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    free(l->rows);
    free(l->index);
    free(l->unexplained);
    free(l);
}

/* Ids of version 7 begin with the time, so the whole id is hashed. */
static size_t slot_of(const struct ledger *l, const uint8_t id[16])
{
    size_t at = (size_t)ledger_hash(0, id, 16) & (l->index_size - 1);
    while (l->index[at] && memcmp(l->rows[l->index[at] - 1].id, id, 16) != 0)
        at = (at + 1) & (l->index_size - 1);
    return at;
}

static struct row *find(const struct ledger *l, const uint8_t id[16])
{
    uint32_t n = l->index_size ? l->index[slot_of(l, id)] : 0;
    return n ? &l->rows[n - 1] : NULL;
}

static void grow(struct ledger *l)
{
    l->row_room = l->row_room ? 2 * l->row_room : ROWS_FIRST;
    l->index_size = 2 * l->row_room;
    if (l->row_room >= UINT32_MAX)
        abort();
    l->rows = mem_resize(l->rows, l->row_room, sizeof *l->rows);
    free(l->index);
    l->index = mem_new(l->index_size, sizeof *l->index);
    for (size_t i = 0; i < l->n_rows; i++)
        l->index[slot_of(l, l->rows[i].id)] = (uint32_t)i + 1;
}

bool ledger_add_row(struct ledger *l, const struct ledger_row *row)
{
    if (l->n_rows == l->row_room)
        grow(l);
    size_t at = slot_of(l, row->id);
    if (l->index[at])
        return false;
    struct row *r = &l->rows[l->n_rows];
    *r = (struct row){.seq = row->seq,
                      .content = row->content,
                      .group = row->group,
                      .place = row->required ? AWAITED : OPTIONAL};
    memcpy(r->id, row->id, sizeof r->id);
    l->index[at] = (uint32_t)++l->n_rows;
    l->missing += row->required;
    return true;
}

static void note(struct ledger *l, enum ledger_kind kind, const uint8_t id[16], int64_t seq,
                 uint64_t place)
{
    uint64_t n = l->result.count[kind]++;
    if (n >= LEDGER_SAMPLES)
        return;
    struct ledger_finding *f = &l->result.samples[kind][n];
    *f = (struct ledger_finding){.kind = kind, .seq = seq, .place = place};
    memcpy(f->id, id, 16);
}

static bool seen(const struct row *row)
{
    return row->place != AWAITED && row->place != OPTIONAL;
}

static void match(struct ledger *l, struct row *row, const struct ledger_record *record)
{
    if (!record->dead && record->content != row->content) {
        note(l, LEDGER_ALTERED, record->id, row->seq, record->place);
        return;
    }
    if (seen(row)) {
        note(l, LEDGER_DUPLICATED, record->id, row->seq, record->place);
        return;
    }
    l->missing -= row->place == AWAITED;
    row->place = record->place;
    if (record->dead)
        row->group = 0; /* no order to keep */
}

void ledger_add_record(struct ledger *l, const struct ledger_record *record)
{
    l->result.records++;
    l->result.dead += record->dead;
    struct row *row = find(l, record->id);
    if (row) {
        match(l, row, record);
        return;
    }
    if (l->n_unexplained == l->unexplained_room) {
        l->unexplained_room = l->unexplained_room ? 2 * l->unexplained_room : 64;
        l->unexplained = mem_resize(l->unexplained, l->unexplained_room, sizeof *l->unexplained);
    }
    l->unexplained[l->n_unexplained++] = *record;
}

uint64_t ledger_missing(const struct ledger *l)
{
    return l->missing;
}

static int by_group_then_place(const void *a, const void *b, void *rows)
{
    const struct row *x = (const struct row *)rows + *(const uint32_t *)a,
                     *y = (const struct row *)rows + *(const uint32_t *)b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool same_partition(uint64_t a, uint64_t b)
{
    return a >> OFFSET_BITS == b >> OFFSET_BITS;
}

/* Within a partition the rows of a group must stand by seq: each one that comes after a later row
 * is out of order. Numbers of rows are sorted, in the index, which nobody looks into any more. */
static void judge_order(struct ledger *l)
{
    if (!l->n_rows)
        return;
    uint32_t *order = l->index;
    for (size_t i = 0; i < l->n_rows; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, l->n_rows, sizeof *order, by_group_then_place, l->rows);
    int64_t highest = l->rows[order[0]].seq;
    for (size_t i = 1; i < l->n_rows; i++) {
        const struct row *before = &l->rows[order[i - 1]], *r = &l->rows[order[i]];
        bool together = r->group && r->group == before->group && seen(r) &&
                        same_partition(r->place, before->place);
        if (together && r->seq < highest)
            note(l, LEDGER_REORDERED, r->id, r->seq, r->place);
        else
            highest = r->seq;
    }
}

void ledger_finish(struct ledger *l, struct ledger_result *ret)
{
    for (size_t i = 0; i < l->n_unexplained; i++) {
        struct row *row = find(l, l->unexplained[i].id);
        if (row)
            match(l, row, &l->unexplained[i]);
        else
            note(l, LEDGER_PHANTOM, l->unexplained[i].id, 0, l->unexplained[i].place);
    }
    for (size_t i = 0; i < l->n_rows; i++) {
        const struct row *r = &l->rows[i];
        l->result.rows += r->place != OPTIONAL;
        if (r->place == AWAITED)
            note(l, LEDGER_LOST, r->id, r->seq, LEDGER_NOWHERE);
    }
    judge_order(l);
    *ret = l->result;
}
