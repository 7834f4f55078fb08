#include "ledger.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum { OFFSET_BITS = 44, PARTITION_BITS = 16, ROWS_FIRST = 1024 };

struct row {
    struct ledger_row row;
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
    while (l->index[at] && memcmp(l->rows[l->index[at] - 1].row.id, id, 16) != 0)
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
    l->rows = realloc(l->rows, l->row_room * sizeof *l->rows);
    free(l->index);
    l->index = calloc(l->index_size, sizeof *l->index);
    if (!l->rows || !l->index || l->row_room >= UINT32_MAX)
        abort();
    for (size_t i = 0; i < l->n_rows; i++)
        l->index[slot_of(l, l->rows[i].row.id)] = (uint32_t)i + 1;
}

bool ledger_add_row(struct ledger *l, const struct ledger_row *row)
{
    if (l->n_rows == l->row_room)
        grow(l);
    size_t at = slot_of(l, row->id);
    if (l->index[at])
        return false;
    l->rows[l->n_rows] = (struct row){.row = *row, .place = LEDGER_NOWHERE};
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

static void match(struct ledger *l, struct row *row, const struct ledger_record *record)
{
    if (!record->dead && record->content != row->row.content) {
        note(l, LEDGER_ALTERED, record->id, row->row.seq, record->place);
        return;
    }
    if (row->place != LEDGER_NOWHERE) {
        note(l, LEDGER_DUPLICATED, record->id, row->row.seq, record->place);
        return;
    }
    row->place = record->place;
    if (record->dead)
        row->row.group = 0; /* no order to keep */
    l->missing -= row->row.required;
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

static int by_group_then_place(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->row.group != y->row.group)
        return x->row.group < y->row.group ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool same_partition(uint64_t a, uint64_t b)
{
    return a >> OFFSET_BITS == b >> OFFSET_BITS;
}

/* Within a partition the rows of a group must stand by seq: each one that comes after a later row
 * is out of order. Sorting breaks the index, so this comes last. */
static void judge_order(struct ledger *l)
{
    if (!l->n_rows)
        return;
    qsort(l->rows, l->n_rows, sizeof *l->rows, by_group_then_place);
    int64_t highest = l->rows[0].row.seq;
    for (size_t i = 1; i < l->n_rows; i++) {
        const struct row *before = &l->rows[i - 1], *r = &l->rows[i];
        bool together = r->row.group && r->row.group == before->row.group &&
                        r->place != LEDGER_NOWHERE && same_partition(r->place, before->place);
        if (together && r->row.seq < highest)
            note(l, LEDGER_REORDERED, r->row.id, r->row.seq, r->place);
        else
            highest = r->row.seq;
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
        bool seen = l->rows[i].place != LEDGER_NOWHERE;
        l->result.rows += seen || l->rows[i].row.required;
        if (!seen && l->rows[i].row.required)
            note(l, LEDGER_LOST, l->rows[i].row.id, l->rows[i].row.seq, LEDGER_NOWHERE);
    }
    judge_order(l);
    *ret = l->result;
}
