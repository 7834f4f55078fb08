#include "sim_parts.h"

#include <stdio.h>
#include <string.h>

const char *const sim_skills[SKILLS] = {"tv",     "internet",  "phone",
                                        "wiring", "appliance", "heating"};
const int64_t sim_due_s[PRIORITIES + 1] = {0, 900, 3600, 14400, 86400, 259200};
static const int shift_from_h[SHIFTS] = {6, 8, 14};

double sim_chance(struct sim *s)
{
    uint64_t z = (s->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

struct span sim_shift(const struct worker *w, int64_t now_us)
{
    for (int64_t day = now_us / DAY - 1;; day++) {
        struct span span = {day * DAY + shift_from_h[w->shift] * HOUR, 0};
        span.to_us = span.from_us + 8 * HOUR;
        if (span.to_us > now_us && day >= 0 && day % 7 != w->rest_day &&
            day % 7 != (w->rest_day + 1) % 7)
            return span;
    }
}

/* Groups of equals: 12 experts of one zone and shift each, who can do everything. */
static void add_expert(struct sim *s, int i)
{
    int group = s->o->equals ? i / 12 : i;
    struct worker *w = &s->workers[i];
    char skills[96], areas[32];
    w->group = group;
    w->zone = group % ZONES;
    w->shift = group / ZONES % SHIFTS;
    w->rest_day = (s->o->equals ? i : group * 3) % 7;
    w->skill = group % SKILLS;
    w->at = (struct point){(float)(s->zone_lat[w->zone] + sim_chance(s) * 0.05),
                           (float)(s->zone_lon[w->zone] + sim_chance(s) * 0.05)};
    int second = (int)(sim_chance(s) * SKILLS);
    *skills = '\0';
    for (int k = 0; k < SKILLS; k++)
        if (s->o->equals || k == w->skill || k == second)
            snprintf(skills + strlen(skills), sizeof skills - strlen(skills), "%s%s:%d",
                     *skills ? "," : "", sim_skills[k],
                     s->o->equals ? 3 : 2 + (int)(sim_chance(s) * 4));
    snprintf(areas, sizeof areas, "%02d", w->zone);
    if (!s->o->equals)
        snprintf(areas, sizeof areas, "%02d,%02d", w->zone, (w->zone + 1) % ZONES);
    struct expert facts = {.id = i + 1,
                           .version = 1,
                           .active = true,
                           .available = true,
                           .capacity = s->o->capacity,
                           .shift = sim_shift(w, 0),
                           .absence = span_never,
                           .home = w->at,
                           .position = point_unknown};
    roster_put(&s->roster, &facts, skills, areas);
}

void sim_make_company(struct sim *s)
{
    for (int z = 0; z < ZONES; z++) {
        char prefix[16];
        s->zone_lat[z] = 40 + z / 5 * 0.12;
        s->zone_lon[z] = -4 + z % 5 * 0.12;
        snprintf(prefix, sizeof prefix, "%02d", z);
        roster_add_place(&s->roster, prefix,
                         (struct point){(float)s->zone_lat[z], (float)s->zone_lon[z]});
    }
    for (int t = 0; t < SKILLS; t++) {
        struct ticket_type *type = roster_add_type(&s->roster, sim_skills[t], 1 + t % 5);
        type->duration_us = (30 + 12 * t) * 60 * SECOND;
        type->offers_max = s->o->offers_max;
        roster_set_objectives(type, s->o->objectives);
        roster_add_need(&s->roster, sim_skills[t], sim_skills[t], 2, 0);
    }
    for (int p = 1; p <= PRIORITIES; p++)
        for (int i = 1; i <= IMPORTANCES; i++)
            s->roster.relax_us[p][i] = sim_due_s[p] * SECOND * (IMPORTANCES + 1 - i);
    s->roster.position_max_age_us = HOUR;
    for (int i = 0; i < s->o->experts; i++)
        add_expert(s, i);
}
