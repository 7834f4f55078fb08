#include "reference.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const skills[SKILLS] = {"tv", "internet", "phone", "wiring"};
static const char *const prefixes[PREFIXES] = {"2", "28", "280", "281", "2801", "2802", "9"};
const char *const areas[AREAS] = {"28013", "28022", "28100", "29000", "90000", "70000"};
const char *const names[TYPES] = {"t0", "t1", "t2", "t3", "t4"};
static const char *const places[PLACES] = {"280", "28013", "281", "9"};

static uint64_t state;
uint64_t seed;
int64_t clock_us;
struct model_expert model[EXPERTS + 1];
struct model_type types[TYPES];
static struct point model_places[PLACES];
static int64_t relax_us[PRIORITIES + 1][IMPORTANCES + 1];
struct roster roster;

int pick(int n)
{
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

void model_begin(void)
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

void model_put(int id)
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
        m->areas[a] = prefixes[pick(PREFIXES)];
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

void model_make_types(void)
{
    for (int p = 1; p <= PRIORITIES; p++)
        for (int i = 1; i <= IMPORTANCES; i++)
            relax_us[p][i] = i == IMPORTANCES ? pick(10) : 0;
    for (int p = 1; p <= PRIORITIES; p++)
        for (int i = IMPORTANCES - 1; i >= 1; i--)
            relax_us[p][i] = relax_us[p][i + 1] + pick(10);
    memcpy(roster.relax_us, relax_us, sizeof relax_us);
    roster.position_max_age_us = 10;
    for (int i = 0; i < PLACES; i++) {
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

void model_change(void)
{
    int id = 1 + pick(EXPERTS);
    struct model_expert *m = &model[id];
    struct expert *e = roster_find(&roster, id);
    cr_assert_eq(e != NULL, m->there);
    switch (pick(8)) {
    case 0:
        model_put(id);
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

static bool is_dropped(const struct model_type *t, const struct model_need *n, const struct wish *w)
{
    return n->importance > 0 && w->now_us - w->routable_us >= relax_us[t->priority][n->importance];
}

enum filter slow_filter(const struct model_expert *m, const struct model_type *t,
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
    for (int i = 0; i < PLACES; i++)
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

bool beats(const struct model_expert *x, const struct model_expert *y, const struct model_type *t,
           const struct wish *w, enum objective *ret)
{
    for (int i = 0; i <= t->n_objectives; i++) {
        *ret = i < t->n_objectives ? t->objectives[i] : OBJECTIVES;
        double a = value_of(*ret, x, t, w), b = value_of(*ret, y, t, w);
        if (a != b)
            return a < b;
    }
    return false;
}

struct slow slow_choose(const struct model_type *t, const struct wish *w, bool held_only)
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
