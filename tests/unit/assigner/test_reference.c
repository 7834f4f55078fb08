/* choose() against reference.h's slow version of it; between two choices something changes. */
#include "reference.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ROSTERS = 6000, CHOICES = 50, ANY_MAX = 4 };

static long by_shortlist; /* choices that did not look at all */

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
                     .area = areas[pick(AREAS)],
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
    model_begin();
    for (int r = 0; r < ROSTERS; r++) {
        model_make_types();
        memset(model, 0, sizeof model);
        roster.short_from = pick(2) ? 1 : 0;
        int n = pick(EXPERTS + 1), few = pick(4);
        clock_us = 0;
        for (int id = 1; id <= n; id++)
            model_put(id);
        for (int c = 0; c < CHOICES; c++) {
            one_choice();
            for (int i = pick(few + 1); i > 0; i--)
                model_change();
            clock_us += pick(6) == 0;
        }
        roster_free(&roster);
    }
    cr_expect_gt(by_shortlist, ROSTERS * CHOICES / 10, "seed %lu: hardly a shortlist was used",
                 seed);
}
