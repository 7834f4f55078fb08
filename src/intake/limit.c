#include "limit.h"

#include "mem.h"

#include <stdlib.h>
#include <sys/random.h>

enum { SETS = 4096, WAYS = 4 };

/* A bucket as the time at which it will be full again (GCRA): one number. */
struct bucket {
    uint64_t key, full_at_ns;
};

struct limit {
    uint64_t seed;
    struct bucket set[SETS][WAYS];
};

struct limit *limit_new(void)
{
    struct limit *l = mem_new(1, sizeof *l);
    if (getrandom(&l->seed, sizeof l->seed, 0) != sizeof l->seed)
        abort();
    return l;
}

void limit_free(struct limit *l)
{
    free(l);
}

uint64_t limit_key(const struct limit *l, const void *data, size_t n)
{
    uint64_t h = l->seed;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ ((const uint8_t *)data)[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h ? h : 1;
}

static struct bucket *find(struct limit *l, uint64_t key)
{
    struct bucket *set = l->set[(key >> 20) % SETS], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].full_at_ns < oldest->full_at_ns)
            oldest = &set[i];
    }
    *oldest = (struct bucket){.key = key};
    return oldest;
}

bool limit_take(struct limit *l, uint64_t key, struct limit_rate rate, uint64_t now_us,
                struct limit_state *ret)
{
    if (rate.per_s <= 0)
        return true;
    uint64_t now = now_us * 1000, each = 1000000000u / (uint64_t)rate.per_s;
    uint64_t whole = each * (uint64_t)rate.burst;
    struct bucket *b = find(l, key);
    uint64_t full_at = (b->full_at_ns > now ? b->full_at_ns : now) + each;
    bool taken = full_at - now <= whole;
    if (taken)
        b->full_at_ns = full_at;
    uint64_t used = b->full_at_ns > now ? b->full_at_ns - now : 0;
    uint64_t room = used < whole ? whole - used : 0;
    *ret = (struct limit_state){
        .burst = rate.burst,
        .window_s = (rate.burst + rate.per_s - 1) / rate.per_s,
        .left = (long)(room / each),
        .wait_s = room >= each ? 0 : (long)((each - room + 999999999u) / 1000000000u),
    };
    return taken;
}
