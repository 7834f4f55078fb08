/*
 * choose() against a slow version of it that is obviously right: one pass over
 * all experts, everything written out, on plain data of its own and no index.
 * Rosters are random and small, so that ties are common; between two choices
 * something changes, so that the index must follow.
 *
 * SQUAD_SEED repeats a run; the seed is printed when a case fails.
 */
#include "batch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SKILLS = 4,
    EXPERTS = 24,
    TYPES = 5,
    ROSTERS = 6000,
    CHOICES = 50,
    AREAS_EACH = 2,
    ANY_MAX = 4
};

static const char *const skills[SKILLS] = {"tv", "internet", "phone", "wiring"};
static const char *const prefixes[] = {"2", "28", "280", "281", "2801", "2802", "9"};
static const char *const areas[] = {"28013", "28022", "28100", "29000", "90000", "70000"};
static const char *const names[TYPES] = {"t0", "t1", "t2", "t3", "t4"};
static const char *const places[] = {"280", "28013", "281", "9"};

struct model_expert {
    struct expert facts; /* without skills and areas */
    int level[SKILLS];
    const char *areas[AREAS_EACH];
    int n_areas;
    bool there;
};

struct model_need {
    int skill, level, importance;
};

struct model_type {
    int priority, n_needs, n_objectives;
    struct model_need needs[2];
    int64_t duration_us;
    enum objective objectives[OBJECTIVES];
};

static uint64_t state, seed;
static long by_shortlist; /* choices that did not look at all */
static int64_t clock_us;
static struct model_expert model[EXPERTS + 1]; /* by id */
static struct model_type types[TYPES];
static struct point model_places[4];
static int64_t relax_us[PRIORITIES + 1][IMPORTANCES + 1];
static struct roster roster;

/* Below n, from splitmix64. */
static int pick(int n)
{
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

static void begin(void)
{
    const char *given = getenv("SQUAD_SEED");
    seed = state = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
}

/* On a grid that floats can hold, so that differences are exact. */
static struct point random_point(void)
{
    if (pick(4) == 0)
        return point_unknown;
    return (struct point){(float)(40 * 64 + pick(40)) / 64, (float)(-3 * 64 + pick(40)) / 64};
}

static struct span random_span(struct span otherwise)
{
    if (pick(3))
        return otherwise;
    int64_t from = pick(20) - 10;
    return (struct span){from, from + 1 + pick(20)};
}

static void put_expert(int id)
{
    struct model_expert *m = &model[id], before = *m;
    char skill_list[128] = "", area_list[64] = "";
    *m = (struct model_expert){.there = true, .n_areas = pick(AREAS_EACH + 1)};
    m->facts = (struct expert){.id = id,
                               .version = pick(1000),
                               .load = pick(3),
                               .capacity = pick(4),
                               .idle_since_us = pick(3),
                               .shift = random_span(span_always),
                               .absence = random_span(span_never),
                               .position = random_point(),
                               .home = random_point(),
                               .position_us = -pick(20),
                               .active = pick(8) > 0,
                               .available = pick(6) > 0};
    if (before.there) { /* what the roster keeps */
        m->facts.taken = before.facts.taken;
        m->facts.woken = before.facts.woken;
        m->facts.held = before.facts.held;
    }
    for (int s = 0; s < SKILLS; s++)
        if ((m->level[s] = pick(6)) > 0)
            sprintf(skill_list + strlen(skill_list), "%s%s:%d", *skill_list ? "," : "", skills[s],
                    m->level[s]);
    for (int a = 0; a < m->n_areas; a++) {
        m->areas[a] = prefixes[pick(7)];
        if (a && m->areas[a] == m->areas[0])
            m->n_areas = 1;
        else
            sprintf(area_list + strlen(area_list), "%s%s", a ? "," : "", m->areas[a]);
    }
    roster_put(&roster, &m->facts, skill_list, area_list);
}

static void say_better(int id)
{
    struct expert *e = roster_find(&roster, id);
    if (e)
        roster_better(&roster, e);
}

static void make_types(void)
{
    for (int p = 1; p <= PRIORITIES; p++)
        for (int i = 1; i <= IMPORTANCES; i++)
            relax_us[p][i] = i == IMPORTANCES ? pick(10) : 0;
    for (int p = 1; p <= PRIORITIES; p++)
        for (int i = IMPORTANCES - 1; i >= 1; i--)
            relax_us[p][i] = relax_us[p][i + 1] + pick(10);
    memcpy(roster.relax_us, relax_us, sizeof relax_us);
    roster.position_max_age_us = 10;
    for (int i = 0; i < 4; i++) {
        do
            model_places[i] = random_point();
        while (!point_known(model_places[i]));
        roster_add_place(&roster, places[i], model_places[i]);
    }
    for (int t = 0; t < TYPES; t++) {
        struct model_type *m = &types[t];
        *m = (struct model_type){
            .priority = 1 + pick(5), .n_needs = pick(3), .duration_us = 1 + pick(10)};
        struct ticket_type *made = roster_add_type(&roster, names[t], m->priority);
        made->duration_us = m->duration_us;
        int first = pick(SKILLS);
        for (int n = 0; n < m->n_needs; n++) {
            m->needs[n] = (struct model_need){(first + n) % SKILLS, 1 + pick(5), pick(4)};
            roster_add_need(&roster, names[t], skills[m->needs[n].skill], m->needs[n].level,
                            m->needs[n].importance);
        }
        enum objective all[OBJECTIVES] = {0, 1, 2, 3, 4};
        m->n_objectives = pick(OBJECTIVES + 1);
        made = roster_type(&roster, names[t]);
        made->n_objectives = m->n_objectives;
        for (int i = 0; i < OBJECTIVES; i++) {
            int k = i + pick(OBJECTIVES - i);
            enum objective o = all[k];
            all[k] = all[i];
            m->objectives[i] = made->objectives[i] = all[i] = o;
        }
    }
}

static void change_something(void)
{
    int id = 1 + pick(EXPERTS);
    struct model_expert *m = &model[id];
    struct expert *e = roster_find(&roster, id);
    cr_assert_eq(e != NULL, m->there);
    switch (pick(8)) {
    case 0:
        put_expert(id);
        return;
    case 1:
        if (e && pick(3) == 0) {
            roster_remove(&roster, id);
            m->there = false;
        }
        return;
    case 2:
        if (e)
            e->load = m->facts.load = pick(3);
        say_better(id);
        return;
    case 3:
        if (e)
            e->taken = m->facts.taken = pick(2);
        say_better(id);
        return;
    case 4:
        if (e)
            e->idle_since_us = m->facts.idle_since_us = pick(3);
        say_better(id);
        return;
    case 5:
        if (e) {
            m->facts.shift = random_span(span_always);
            m->facts.absence = random_span(span_never);
            roster_set_times(&roster, e, m->facts.shift, m->facts.absence);
        }
        return;
    case 6:
        if (e)
            e->held = m->facts.held = pick(2);
        return;
    default:
        if (e) {
            m->facts.woken = pick(2);
            roster_wake(&roster, e, m->facts.woken);
        }
    }
}

/* -- the slow version ------------------------------------------------------ */

static bool is_dropped(const struct model_type *t, const struct model_need *n, const struct wish *w)
{
    return n->importance > 0 && w->now_us - w->routable_us >= relax_us[t->priority][n->importance];
}

static enum filter slow_filter(const struct model_expert *m, const struct model_type *t,
                               const struct wish *w)
{
    bool serves = false, excluded = false;
    for (int i = 0; i < m->n_areas; i++)
        serves |= strncmp(w->area, m->areas[i], strlen(m->areas[i])) == 0;
    for (size_t i = 0; i < w->n_excluded; i++)
        excluded |= w->excluded[i] == m->facts.id;
    if (!m->facts.active)
        return FILTER_ACTIVE;
    if (!serves)
        return FILTER_AREA;
    for (int i = 0; i < t->n_needs; i++)
        if (!is_dropped(t, &t->needs[i], w) && m->level[t->needs[i].skill] < t->needs[i].level)
            return FILTER_SKILL;
    if (!(m->facts.shift.from_us <= w->now_us &&
          w->now_us + t->duration_us <= m->facts.shift.to_us))
        return FILTER_SHIFT;
    if (!(m->facts.absence.to_us <= w->now_us ||
          w->now_us + t->duration_us <= m->facts.absence.from_us))
        return FILTER_ABSENT;
    if (!m->facts.available)
        return FILTER_PRESENCE;
    if (excluded)
        return FILTER_EXCLUDED;
    return m->facts.load + m->facts.taken >= m->facts.capacity ? FILTER_CAPACITY : FILTERS;
}

/* By the angle between two vectors: another formula than the program's. */
static int slow_km(struct point a, struct point b)
{
    double rad = M_PI / 180, x[3], y[3];
    struct point p[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        double *v = i ? y : x;
        v[0] = cos(p[i].lat * rad) * cos(p[i].lon * rad);
        v[1] = cos(p[i].lat * rad) * sin(p[i].lon * rad);
        v[2] = sin(p[i].lat * rad);
    }
    double cx = x[1] * y[2] - x[2] * y[1], cy = x[2] * y[0] - x[0] * y[2],
           cz = x[0] * y[1] - x[1] * y[0];
    return (int)(6371.0088 *
                 atan2(sqrt(cx * cx + cy * cy + cz * cz), x[0] * y[0] + x[1] * y[1] + x[2] * y[2]));
}

static int slow_distance(const struct model_expert *m, const struct wish *w)
{
    struct point place = point_unknown, from = m->facts.home;
    size_t longest = 0;
    for (int i = 0; i < 4; i++)
        if (strncmp(w->area, places[i], strlen(places[i])) == 0 && strlen(places[i]) > longest) {
            longest = strlen(places[i]);
            place = model_places[i];
        }
    if (!isnan(m->facts.position.lat) && w->now_us - m->facts.position_us <= 10)
        from = m->facts.position;
    return isnan(from.lat) || isnan(place.lat) ? 1000000 : slow_km(from, place);
}

static int surplus(const struct model_expert *m, const struct model_type *t, const struct wish *w)
{
    int sum = 0;
    for (int i = 0; i < t->n_needs; i++)
        if (!is_dropped(t, &t->needs[i], w))
            sum += m->level[t->needs[i].skill] - t->needs[i].level;
    return sum;
}

/* What an objective makes of an expert: less is better. */
static double value_of(enum objective o, const struct model_expert *m, const struct model_type *t,
                       const struct wish *w)
{
    switch (o) {
    case OBJECTIVE_STICKY:
        return m->facts.id == w->sticky ? 0 : 1;
    case OBJECTIVE_LOAD:
        return (double)(m->facts.load + m->facts.taken) / m->facts.capacity;
    case OBJECTIVE_SKILL_FIT:
        return t->priority <= 2 ? -surplus(m, t, w) : surplus(m, t, w);
    case OBJECTIVE_DISTANCE:
        return slow_distance(m, w);
    case OBJECTIVE_IDLE:
        return (double)m->facts.idle_since_us;
    case OBJECTIVES:
        break;
    }
    return m->facts.id;
}

/* True: x is better than y, by *ret. */
static bool beats(const struct model_expert *x, const struct model_expert *y,
                  const struct model_type *t, const struct wish *w, enum objective *ret)
{
    for (int i = 0; i <= t->n_objectives; i++) {
        *ret = i < t->n_objectives ? t->objectives[i] : OBJECTIVES;
        double a = value_of(*ret, x, t, w), b = value_of(*ret, y, t, w);
        if (a != b)
            return a < b;
    }
    return false;
}

struct slow {
    int removed[FILTERS], fit, yielded, n;
    const struct model_expert *best[EXPERTS + 1]; /* best first */
};

static struct slow slow_choose(const struct model_type *t, const struct wish *w, bool held_only)
{
    struct slow s = {0};
    enum objective by;
    for (int id = 1; id <= EXPERTS; id++) {
        const struct model_expert *m = &model[id];
        if (!m->there)
            continue;
        enum filter f = slow_filter(m, t, w);
        if (f != FILTERS) {
            s.removed[f]++;
            continue;
        }
        s.fit++;
        if (w->yields && m->facts.woken)
            s.yielded++;
        else if (m->facts.held || !held_only) {
            int i = s.n++;
            for (; i > 0 && beats(m, s.best[i - 1], t, w, &by); i--)
                s.best[i] = s.best[i - 1];
            s.best[i] = m;
        }
    }
    return s;
}

/* -- comparing -------------------------------------------------------------- */

static void compare(const struct slow *s, const struct model_type *t, const struct wish *w, int n,
                    struct expert *const *experts, int wanted, const struct choice *c)
{
    int expected = s->n < wanted ? s->n : wanted, rivals = s->n - expected;
    cr_assert_eq(n, expected, "seed %lu: %d chosen, %d expected", seed, n, expected);
    cr_assert(c->counted || n, "seed %lu: nobody, and not counted", seed);
    cr_assert_eq(c->able,
                 s->fit + s->removed[FILTER_SHIFT] + s->removed[FILTER_ABSENT] +
                     s->removed[FILTER_PRESENCE] + s->removed[FILTER_EXCLUDED] +
                     s->removed[FILTER_CAPACITY],
                 "seed %lu", seed);
    for (int f = 0; f < FILTERS && (c->counted || f < FILTER_SHIFT); f++)
        cr_assert_eq(c->removed[f], s->removed[f], "seed %lu: %s removed %d, expected %d", seed,
                     filter_names[f], c->removed[f], s->removed[f]);
    if (c->counted)
        cr_assert_eq(c->fit, s->fit, "seed %lu", seed);
    by_shortlist += !c->counted;
    for (int i = 0; i < n; i++)
        cr_assert_eq(experts[i]->id, s->best[i]->facts.id,
                     "seed %lu: place %d is expert %d, expected %d", seed, i, experts[i]->id,
                     s->best[i]->facts.id);
    cr_assert_eq(c->expert ? c->expert->id : 0, n ? s->best[0]->facts.id : 0, "seed %lu", seed);
    cr_assert_eq(c->n_rivals, n ? (rivals < RIVALS_MAX ? rivals : RIVALS_MAX) : 0, "seed %lu",
                 seed);
    for (int i = 0; i < c->n_rivals; i++) {
        enum objective by;
        beats(s->best[n - 1], s->best[n + i], t, w, &by);
        cr_assert_eq(c->rivals[i].expert, s->best[n + i]->facts.id, "seed %lu", seed);
        cr_assert_eq(c->rivals[i].by, by, "seed %lu: rival %d lost by %d, expected %d", seed, i,
                     c->rivals[i].by, by);
    }
}

static void one_choice(void)
{
    int type = pick(TYPES), wanted = 1 + pick(OFFERS_MAX);
    int32_t excluded[ANY_MAX];
    struct wish w = {.type = roster_type(&roster, names[type]),
                     .area = areas[pick(6)],
                     .routable_us = clock_us - pick(30),
                     .now_us = clock_us,
                     .sticky = pick(3) ? 0 : 1 + pick(EXPERTS),
                     .excluded = excluded,
                     .yields = pick(4) == 0};
    for (int id = 1; id <= EXPERTS && w.n_excluded < ANY_MAX; id++)
        if (pick(8) == 0)
            excluded[w.n_excluded++] = id;
    bool held_only = pick(4) == 0;
    struct expert *experts[OFFERS_MAX];
    struct choice c;
    struct slow s = slow_choose(&types[type], &w, held_only);
    int n = choose_several(&roster, &w, held_only, wanted, experts, &c);
    compare(&s, &types[type], &w, n, experts, wanted, &c);
    choose(&roster, &w, held_only, &c);
    compare(&s, &types[type], &w, c.expert ? 1 : 0, &c.expert, 1, &c);
    for (int id = 1; id <= EXPERTS; id++)
        if (model[id].there)
            cr_assert_eq(expert_filter(&roster, roster_find(&roster, id), &w),
                         slow_filter(&model[id], &types[type], &w), "seed %lu: expert %d", seed,
                         id);
}

Test(reference, three_hundred_thousand_choices_are_those_of_a_slow_version, .timeout = 300)
{
    begin();
    for (int r = 0; r < ROSTERS; r++) {
        make_types();
        memset(model, 0, sizeof model);
        roster.short_from = pick(2) ? 1 : 0;
        int n = pick(EXPERTS + 1), few = pick(4);
        clock_us = 0;
        for (int id = 1; id <= n; id++)
            put_expert(id);
        for (int c = 0; c < CHOICES; c++) {
            one_choice();
            for (int i = pick(few + 1); i > 0; i--)
                change_something();
            clock_us += pick(6) == 0;
        }
        roster_free(&roster);
    }
    cr_expect_gt(by_shortlist, ROSTERS * CHOICES / 10, "seed %lu: hardly a shortlist was used",
                 seed);
}

/* -- nobody is overtaken by an equal ---------------------------------------- */

enum { JOBS = 60, STEPS = 120, COMPANIES = 1500 };

static struct job jobs[JOBS];
static int n_jobs, type_of[JOBS], area_of[JOBS];

static bool waits(const struct job *j)
{
    return j->verdict != VERDICT_RESERVE;
}

/* Equal: same type and area, nobody excluded, no expert preferred. */
static void check_order(int newer)
{
    for (int i = 0; i < newer; i++)
        cr_assert(type_of[i] != type_of[newer] || area_of[i] != area_of[newer] || !waits(&jobs[i]),
                  "seed %lu: ticket %d got an expert before %d, which is older", seed, newer, i);
}

static void plan_these(struct job **order, size_t n, int64_t now_us)
{
    plan(&roster, order, n, false, now_us);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < order[i]->n_experts; k++) { /* committed: as settle() does */
            struct expert *e = order[i]->experts[k];
            e->load += 1;
            e->taken -= 1;
            roster_better(&roster, e);
            model[e->id].facts.load = e->load;
        }
    for (size_t i = 0; i < n; i++)
        order[i]->fresh = false;
    for (size_t i = 0; i < n; i++) {
        order[i]->waited |= waits(order[i]);
        order[i]->open = waits(order[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (!waits(order[i]))
            check_order((int)(order[i] - jobs));
}

static void arrive(int64_t now_us)
{
    struct job *j = &jobs[n_jobs];
    *j = (struct job){.open = true,
                      .fresh = true,
                      .created_us = now_us,
                      .routable_us = now_us,
                      .due_us = now_us + 40,
                      .excluded_us = INT64_MAX};
    type_of[n_jobs] = pick(TYPES);
    area_of[n_jobs] = pick(3);
    j->type = roster_type(&roster, names[type_of[n_jobs]]);
    memset(j->ticket, n_jobs, sizeof j->ticket);
    snprintf(j->area, sizeof j->area, "%s", areas[area_of[n_jobs]]);
    n_jobs++;
    struct job *order[] = {j};
    plan_these(order, 1, now_us);
}

/* One slot of one expert becomes free; sometimes a new ticket is faster than those that wait. */
static void free_one(int64_t now_us)
{
    struct expert *e = roster_find(&roster, 1 + pick(EXPERTS));
    struct job *order[JOBS];
    size_t n = 0;
    if (!e || !e->load)
        return;
    e->load--;
    roster_wake(&roster, e, true);
    if (n_jobs < JOBS && pick(2))
        arrive(now_us);
    for (int i = 0; i < n_jobs; i++)
        if (waits(&jobs[i]))
            order[n++] = &jobs[i];
    plan_these(order, n, now_us);
    roster_wake(&roster, e, false);
}

Test(reference, a_newer_ticket_never_overtakes_an_equal_older_one, .timeout = 300)
{
    begin();
    int served = 0, waited = 0;
    for (int c = 0; c < COMPANIES; c++) {
        make_types();
        memset(model, 0, sizeof model);
        memset(jobs, 0, sizeof jobs);
        n_jobs = 0;
        for (int id = 1; id <= EXPERTS; id++) {
            put_expert(id);
            struct expert *e = roster_find(&roster, id);
            roster_set_times(&roster, e, span_always, span_never); /* the clock wakes elsewhere */
            e->load = pick(3) ? e->capacity : 0;
        }
        for (int step = 0; step < STEPS; step++) {
            if (n_jobs < JOBS && pick(2))
                arrive(step);
            else
                free_one(step);
        }
        for (int i = 0; i < n_jobs; i++)
            (*(waits(&jobs[i]) ? &waited : &served))++;
        roster_free(&roster);
    }
    cr_expect_gt(served, 1000, "seed %lu: too few were served to say anything", seed);
    cr_expect_gt(waited, 1000, "seed %lu: too few waited to say anything", seed);
}
