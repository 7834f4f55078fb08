/*
 * choose: what one choice of an expert costs, and what an expert costs in memory, without a
 * database.
 *
 * Companies as tests/bench/dispatch/company.sql makes them: twelve types, a hundred areas, three
 * skills and two areas an expert, so that a fiftieth of a quarter of all can take a ticket. "all":
 * everybody can do everything everywhere. Each choice is followed by what a reservation changes.
 * Prints a line a company.
 */
#include "choose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TYPES = 12, AREAS = 100, CHOICES = 20000, ROUNDS = 5 };

static double now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static double rss_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        abort();
    fclose(f);
    return (double)pages * 4096;
}

static void add_types(struct roster *r, bool needs)
{
    char type[16], skill[16];
    for (int i = 0; i < TYPES; i++) {
        snprintf(type, sizeof type, "t%d", i);
        snprintf(skill, sizeof skill, "s%d", i);
        roster_add_type(r, type, 1 + i % 5);
        if (needs)
            roster_add_need(r, type, skill, 2, 0);
    }
}

static void add_experts(struct roster *r, int n, bool all)
{
    for (int i = 1; i <= n; i++) {
        char skills[64] = "", areas[64] = "0,1,2,3,4,5,6,7,8,9";
        for (int k = 0; k < 3 && !all; k++)
            snprintf(skills + strlen(skills), sizeof skills - strlen(skills), "%ss%d:%d",
                     k ? "," : "", (i / 100 * 3 + k) % TYPES, 2 + (i / 7 + k) % 4);
        if (!all)
            snprintf(areas, sizeof areas, "%03d,%03d", i % AREAS, (i + i / 100 + 1) % AREAS);
        roster_put(r,
                   &(struct expert){.id = i,
                                    .version = 1,
                                    .capacity = 1000,
                                    .idle_since_us = -(int64_t)(i % 3600) * 1000000,
                                    .shift = span_always,
                                    .absence = span_never,
                                    .position = point_unknown,
                                    .home = point_unknown,
                                    .active = true,
                                    .available = true},
                   skills, areas);
    }
}

static void choose_many(struct roster *r, int from, int n)
{
    char type[16], area[16];
    for (int i = from; i < from + n; i++) {
        struct choice c;
        snprintf(type, sizeof type, "t%d", i % TYPES);
        snprintf(area, sizeof area, "%03d%02d", i / TYPES % AREAS, i % 97);
        struct wish w = {.type = roster_type(r, type), .area = area, .now_us = 1};
        choose(r, &w, false, &c);
        if (!c.expert)
            abort();
        c.expert->load++;
    }
}

static void measure(const char *name, int experts, bool all)
{
    struct roster r = {0};
    int n = all ? CHOICES / 20 : CHOICES;
    double best = 1e18, before = rss_bytes();
    add_types(&r, !all);
    add_experts(&r, experts, all);
    double bytes = (rss_bytes() - before) / experts;
    choose_many(&r, 0, n); /* the index is made at the first use */
    double indexed = (rss_bytes() - before) / experts;
    for (int i = 1; i <= ROUNDS; i++) {
        double start = now_us();
        choose_many(&r, i * n, n);
        double took = (now_us() - start) / n;
        best = took < best ? took : best;
    }
    printf("%-28s %8.2f us a choice, %6.0f bytes an expert, %6.0f with the index\n", name, best,
           bytes, indexed);
    roster_free(&r);
}

int main(void)
{
    measure("1,000 experts", 1000, false);
    measure("10,000 experts", 10000, false);
    measure("100,000 experts", 100000, false);
    measure("1,000 experts, all", 1000, true);
    measure("10,000 experts, all", 10000, true);
    measure("100,000 experts, all", 100000, true);
    return 0;
}
