/*
 * simulate: a company's days through the real choice of experts, to compare policies.
 *
 *   simulate [--seed N] [--experts N] [--days N] [--tickets PER_DAY] [--capacity N] [--offers K]
 *            [--decline PART] [--timeout PART] [--burst FACTOR] [--objectives LIST] [--equals]
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int usage(const char *arg)
{
    fprintf(stderr,
            "simulate: %s is not known\nusage: simulate [--seed N] [--experts N] [--days N] "
            "[--tickets PER_DAY] [--capacity N]\n"
            "  [--offers K] [--decline PART] [--timeout PART] [--burst FACTOR] [--objectives LIST] "
            "[--equals]\n",
            arg);
    return 2;
}

int main(int argc, char **argv)
{
    struct sim_options o = sim_defaults;
    struct sim_result r;
    struct timespec from, to;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--equals") == 0) {
            o.equals = true;
            continue;
        }
        if (strcmp(name, "--seed") == 0)
            o.seed = strtoull(value, NULL, 10);
        else if (strcmp(name, "--experts") == 0)
            o.experts = atoi(value);
        else if (strcmp(name, "--days") == 0)
            o.days = atoi(value);
        else if (strcmp(name, "--tickets") == 0)
            o.tickets_per_day = atof(value);
        else if (strcmp(name, "--capacity") == 0)
            o.capacity = atoi(value);
        else if (strcmp(name, "--offers") == 0)
            o.offers_max = atoi(value);
        else if (strcmp(name, "--decline") == 0)
            o.decline_part = atof(value);
        else if (strcmp(name, "--timeout") == 0)
            o.timeout_part = atof(value);
        else if (strcmp(name, "--burst") == 0)
            o.burst_factor = atof(value);
        else if (strcmp(name, "--objectives") == 0)
            o.objectives = value;
        else
            return usage(name);
        i++;
    }
    if (o.experts < 1 || o.days < 1 || o.days > 366 || o.capacity < 1 || o.offers_max < 1 ||
        o.offers_max > OFFERS_MAX || !(o.tickets_per_day > 0))
        return usage("a number out of its range");
    clock_gettime(CLOCK_MONOTONIC, &from);
    sim_run(&o, &r);
    clock_gettime(CLOCK_MONOTONIC, &to);
    sim_print(&o, &r, stdout);
    fprintf(stderr, "simulated in %.1f s\n",
            (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    return r.double_booked ? 1 : 0;
}
