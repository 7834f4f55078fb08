#include "mem.h"
#include "sim_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { GROUP_JOBS_MIN = 15 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void three(double *values, size_t n, double ret[3])
{
    static const double parts[] = {0.5, 0.9, 0.99};
    if (n)
        qsort(values, n, sizeof *values, by_value);
    for (int i = 0; i < 3; i++)
        ret[i] = n ? values[(size_t)((double)(n - 1) * parts[i])] : 0;
}

static double jain(const double *x, size_t n)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    return squares > 0 ? sum * sum / ((double)n * squares) : 1;
}

static void fairness(struct sim *s)
{
    size_t n = (size_t)s->o->experts, k = 0;
    double *per_hour = mem_new(n + 1, sizeof *per_hour), sum = 0;
    for (size_t i = 0; i < n; i++)
        if (s->workers[i].on_shift_us)
            per_hour[k++] = s->workers[i].jobs / ((double)s->workers[i].on_shift_us / HOUR);
    s->r->jain_all = jain(per_hour, k);
    s->r->jain_groups_min = 1;
    for (size_t from = 0, to; from < n; from = to) {
        int jobs = 0;
        for (to = from, k = 0; to < n && s->workers[to].group == s->workers[from].group; to++) {
            jobs += s->workers[to].jobs;
            if (s->workers[to].on_shift_us)
                per_hour[k++] = s->workers[to].jobs / ((double)s->workers[to].on_shift_us / HOUR);
        }
        if (k < 2 || jobs < GROUP_JOBS_MIN * (int)k)
            continue;
        double index = jain(per_hour, k);
        sum += index;
        s->r->groups++;
        s->r->jain_groups_min = fmin(s->r->jain_groups_min, index);
    }
    s->r->jain_groups_mean = s->r->groups ? sum / s->r->groups : 1;
    free(per_hour);
}

void sim_measure(struct sim *s)
{
    size_t n = (size_t)s->n_tickets, offers = 0, accepts = 0, done = 0;
    double *o = mem_new(n + 1, sizeof *o), *a = mem_new(n + 1, sizeof *a),
           *d = mem_new(n + 1, sizeof *d);
    double busy = 0, on = 0, travel = 0, km = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ticket_state *t = &s->tickets[i];
        if (t->offered_us)
            o[offers++] = (double)(t->offered_us - t->job.created_us) / 1e6;
        if (t->accepted_us)
            a[accepts++] = (double)(t->accepted_us - t->job.created_us) / 1e6;
        if (t->done_us)
            d[done++] = (double)(t->done_us - t->job.created_us) / 1e6;
    }
    three(o, offers, s->r->offer_s);
    three(a, accepts, s->r->accept_s);
    three(d, done, s->r->done_s);
    for (int i = 0; i < s->o->experts; i++) {
        busy += (double)s->workers[i].busy_us;
        travel += (double)s->workers[i].travel_us;
        on += (double)s->workers[i].on_shift_us;
        km += s->workers[i].km;
        s->r->overtime_h += (double)s->workers[i].overtime_us / HOUR;
    }
    s->r->utilisation = on > 0 ? busy / on : 0;
    s->r->travel_part = busy > 0 ? travel / busy : 0;
    s->r->km_per_job = s->r->completed ? km / (double)s->r->completed : 0;
    s->r->waiting = (long)s->n_waiting;
    fairness(s);
    free(o);
    free(a);
    free(d);
}

static void print_times(const char *what, const double t[3], FILE *out)
{
    fprintf(out, "%-12s median %8.1f s   p90 %8.1f s   p99 %8.1f s\n", what, t[0], t[1], t[2]);
}

void sim_print(const struct sim_options *o, const struct sim_result *r, FILE *out)
{
    fprintf(out, "%d experts, %d day%s, %ld tickets, seed %" PRIu64 ", objectives %s\n", o->experts,
            o->days, o->days == 1 ? "" : "s", r->tickets, o->seed, o->objectives);
    fprintf(out, "offers       %ld; %ld declined, %ld timed out, %ld taken back, %ld breaks\n",
            r->offers, r->declined, r->timed_out, r->rescinded, r->breaks);
    fprintf(out, "jobs         %ld completed, %ld wait at the end, %ld were overdue\n",
            r->completed, r->waiting, r->overdue);
    print_times("to offer", r->offer_s, out);
    print_times("to accept", r->accept_s, out);
    print_times("to done", r->done_s, out);
    fprintf(out,
            "experts      %.0f %% of their hours used, %.0f %% of that on the road, %.1f km a job, "
            "%.0f h overtime\n",
            100 * r->utilisation, 100 * r->travel_part, r->km_per_job, r->overtime_h);
    fprintf(out, "fairness     Jain index of jobs per hour on shift: %.3f over all", r->jain_all);
    if (r->groups)
        fprintf(out, "; among equals %.3f at least, %.3f on average (%d groups)",
                r->jain_groups_min, r->jain_groups_mean, r->groups);
    fprintf(out, "\nparked       %ld", r->parked);
    for (int f = 0; f < FILTERS; f++)
        if (r->parked_by[f])
            fprintf(out, ", %ld by %s", r->parked_by[f], filter_names[f]);
    fprintf(out, "\n");
}
