#include "sim.h"

#include "mem.h"
#include "sim_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct sim_options sim_defaults = {
    .seed = 1,
    .experts = 900,
    .days = 1,
    .capacity = 2,
    .offers_max = 1,
    .tickets_per_day = 3200,
    .decline_part = 0.08,
    .timeout_part = 0.03,
    .burst_factor = 5,
    .objectives = "sticky,load,skill_fit,distance,idle",
};

enum { OFFER_TIMEOUT_S = 120, BREAK_S = 900 };

static double exponential(struct sim *s, double mean)
{
    return -mean * log(1 - sim_chance(s));
}

/* -- events ----------------------------------------------------------------- */

static void push(struct sim *s, struct happening e)
{
    s->heap = mem_room(s->heap, s->n_heap, &s->cap_heap, sizeof *s->heap);
    size_t i = s->n_heap++;
    for (; i && s->heap[(i - 1) / 2].at_us > e.at_us; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
}

static struct happening pop(struct sim *s)
{
    struct happening first = s->heap[0], last = s->heap[--s->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < s->n_heap; i = child) {
        if (child + 1 < s->n_heap && s->heap[child + 1].at_us < s->heap[child].at_us)
            child++;
        if (s->heap[child].at_us >= last.at_us)
            break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return first;
}

/* -- offers ------------------------------------------------------------------- */

static struct expert *expert_of(struct sim *s, int i)
{
    return roster_find(&s->roster, i + 1);
}

static void offer(struct sim *s, int t)
{
    struct ticket_state *ticket = &s->tickets[t];
    if (!ticket->offered_us)
        ticket->offered_us = s->now_us;
    for (int i = 0; i < ticket->job.n_experts; i++) {
        struct expert *e = ticket->job.experts[i];
        e->taken--; /* planned: now it is load, as after the commit */
        e->load++;
        s->r->double_booked += e->load > e->capacity;
        int n = ticket->offers_live++;
        ticket->offer_no[n] = ++s->next_offer;
        ticket->expert[n] = e->id - 1;
        s->r->offers++;
        bool answers = sim_chance(s) >= s->o->timeout_part;
        int64_t after = answers ? (int64_t)(fmin(exponential(s, 25), OFFER_TIMEOUT_S - 1) * 1e6)
                                : OFFER_TIMEOUT_S * SECOND;
        push(s, (struct happening){s->now_us + after, answers ? ANSWER : TIMEOUT, t, e->id - 1,
                                   s->next_offer});
    }
}

static void remember_excluded(struct sim *s, struct ticket_state *ticket)
{
    struct job *j = &ticket->job;
    if (!ticket->n_tried)
        return;
    j->n_excluded = 0;
    j->excluded_us = INT64_MAX;
    j->excluded = mem_resize(j->excluded, TRIED_MAX, sizeof *j->excluded);
    for (int i = 0; i < ticket->n_tried; i++) {
        if (ticket->tried_until_us[i] <= s->now_us)
            continue;
        size_t k = j->n_excluded++;
        for (; k && j->excluded[k - 1] > ticket->tried[i]; k--)
            j->excluded[k] = j->excluded[k - 1];
        j->excluded[k] = ticket->tried[i];
        if (ticket->tried_until_us[i] < j->excluded_us)
            j->excluded_us = ticket->tried_until_us[i];
    }
}

static enum filter last_filter(struct sim *s, const struct job *j)
{
    struct wish w = {.type = j->type,
                     .area = j->area,
                     .routable_us = j->routable_us,
                     .now_us = s->now_us,
                     .excluded = j->excluded,
                     .n_excluded = j->n_excluded};
    struct choice c;
    enum filter last = FILTER_ACTIVE;
    choose(&s->roster, &w, false, &c);
    for (int f = 0; f < FILTERS; f++)
        if (c.removed[f])
            last = (enum filter)f;
    return last;
}

/* Decides about one ticket. True: it is offered to somebody. */
static bool decide(struct sim *s, int t)
{
    struct ticket_state *ticket = &s->tickets[t];
    struct job *order[] = {&ticket->job};
    remember_excluded(s, ticket);
    plan(&s->roster, order, 1, false, s->now_us);
    if (ticket->job.verdict == VERDICT_RESERVE) {
        offer(s, t);
        return true;
    }
    ticket->job.waited = true;
    if (!ticket->was_parked) {
        ticket->was_parked = true;
        s->r->parked++;
        s->r->parked_by[last_filter(s, &ticket->job)]++;
    }
    return false;
}

static int turns(const void *a, const void *b, void *ctx)
{
    const struct sim *s = ctx;
    return compare_turns(&s->tickets[*(const int *)a].job, &s->tickets[*(const int *)b].job,
                         s->now_us);
}

static void wait_in_line(struct sim *s, int t)
{
    s->waiting = mem_resize(s->waiting, s->n_waiting + 1, sizeof *s->waiting);
    s->waiting[s->n_waiting++] = t;
}

/* The best waiting ticket that an expert with room may take, as squad.waiting_for finds it. */
static void wake(struct sim *s, int expert)
{
    struct expert *e = expert_of(s, expert);
    while (expert_free(e) > 0) {
        int best = -1;
        for (size_t i = 0; i < s->n_waiting; i++) {
            struct ticket_state *ticket = &s->tickets[s->waiting[i]];
            remember_excluded(s, ticket);
            struct wish w = {.type = ticket->job.type,
                             .area = ticket->job.area,
                             .routable_us = ticket->job.routable_us,
                             .now_us = s->now_us,
                             .excluded = ticket->job.excluded,
                             .n_excluded = ticket->job.n_excluded};
            if (expert_filter(&s->roster, e, &w) == FILTERS &&
                (best < 0 || turns(&s->waiting[i], &s->waiting[best], s) < 0))
                best = (int)i;
        }
        if (best < 0)
            return;
        int t = s->waiting[best];
        s->waiting[best] = s->waiting[--s->n_waiting];
        if (!decide(s, t)) {
            wait_in_line(s, t);
            return;
        }
    }
}

/* Ends an offer; false: it was over already. */
static bool end_offer(struct sim *s, struct ticket_state *ticket, int number)
{
    for (int i = 0; i < ticket->offers_live; i++) {
        if (ticket->offer_no[i] != number)
            continue;
        expert_of(s, ticket->expert[i])->load--;
        roster_better(&s->roster, expert_of(s, ticket->expert[i]));
        ticket->offers_live--;
        ticket->offer_no[i] = ticket->offer_no[ticket->offers_live];
        ticket->expert[i] = ticket->expert[ticket->offers_live];
        return true;
    }
    return false;
}

static void refuse(struct sim *s, int t, int expert, int64_t exclude_us)
{
    struct ticket_state *ticket = &s->tickets[t];
    if (ticket->n_tried < TRIED_MAX) {
        ticket->tried[ticket->n_tried] = expert + 1;
        ticket->tried_until_us[ticket->n_tried++] = s->now_us + exclude_us;
    }
    if (!ticket->offers_live && !decide(s, t))
        wait_in_line(s, t);
    wake(s, expert);
}

/* -- work --------------------------------------------------------------------- */

static void begin_work(struct sim *s, int t, int expert)
{
    struct ticket_state *ticket = &s->tickets[t];
    struct worker *w = &s->workers[expert];
    struct point there = roster_place(&s->roster, ticket->job.area);
    int64_t from = w->free_at_us > s->now_us ? w->free_at_us : s->now_us;
    double km = distance_km(w->at, there) + 1;
    int64_t travel = (int64_t)((km / 40 * 3600 + 300) * 1e6);
    int64_t work = (int64_t)((double)ticket->job.type->duration_us * (0.5 + 0.7 * sim_chance(s)));
    w->at = there;
    w->km += km;
    w->travel_us += travel;
    w->busy_us += travel + work;
    w->free_at_us = from + travel + work;
    push(s, (struct happening){w->free_at_us, DONE, t, expert, 0});
}

static void accept(struct sim *s, int t, int expert, int number)
{
    struct ticket_state *ticket = &s->tickets[t];
    int others[OFFERS_MAX], n = 0;
    s->workers[expert].timeouts = 0;
    s->r->double_booked += ticket->holder >= 0;
    ticket->holder = expert;
    ticket->accepted_us = s->now_us;
    for (int i = 0; i < ticket->offers_live; i++)
        if (ticket->offer_no[i] != number)
            others[n++] = ticket->offer_no[i];
    for (int i = 0; i < n; i++) {
        int whom = -1;
        for (int k = 0; k < ticket->offers_live; k++)
            if (ticket->offer_no[k] == others[i])
                whom = ticket->expert[k];
        end_offer(s, ticket, others[i]);
        s->r->rescinded++;
        wake(s, whom);
    }
    begin_work(s, t, expert);
}

static void on_answer(struct sim *s, const struct happening *e)
{
    struct ticket_state *ticket = &s->tickets[e->job];
    bool live = false;
    for (int i = 0; i < ticket->offers_live; i++)
        live |= ticket->offer_no[i] == e->offer;
    if (!live)
        return;
    if (sim_chance(s) >= s->o->decline_part) {
        accept(s, e->job, e->expert, e->offer);
        return;
    }
    s->r->declined++;
    s->workers[e->expert].timeouts = 0;
    end_offer(s, ticket, e->offer);
    refuse(s, e->job, e->expert, 12 * HOUR);
}

static void on_timeout(struct sim *s, const struct happening *e)
{
    struct worker *w = &s->workers[e->expert];
    if (!end_offer(s, &s->tickets[e->job], e->offer))
        return;
    s->r->timed_out++;
    if (++w->timeouts >= 2) {
        w->timeouts = 0;
        s->r->breaks++;
        expert_of(s, e->expert)->available = false;
        push(s, (struct happening){s->now_us + BREAK_S * SECOND, BACK, 0, e->expert, 0});
    }
    refuse(s, e->job, e->expert, 900 * SECOND);
}

static void on_done(struct sim *s, const struct happening *e)
{
    struct ticket_state *ticket = &s->tickets[e->job];
    struct expert *x = expert_of(s, e->expert);
    struct worker *w = &s->workers[e->expert];
    ticket->done_us = s->now_us;
    s->r->completed++;
    w->jobs++;
    ticket->offers_live = 0;
    x->load--;
    x->idle_since_us = s->now_us;
    x->position = w->at;
    x->position_us = s->now_us;
    wake(s, e->expert);
}

/* -- time --------------------------------------------------------------------- */

static double rate_at(const struct sim *s, int64_t at_us)
{
    static const double by_hour[24] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 1.2, 2.0, 2.2, 2.0, 1.8,
                                       1.5, 1.3, 1.4, 1.6, 1.7, 1.6, 1.4, 1.0, 0.7, 0.5, 0.3, 0.2};
    int64_t in_day = at_us % DAY;
    double part = by_hour[in_day / HOUR] / 23.6;
    bool burst = (in_day >= 9 * HOUR && in_day < 9 * HOUR + 20 * 60 * SECOND) ||
                 (in_day >= 17 * HOUR && in_day < 17 * HOUR + 20 * 60 * SECOND);
    return s->o->tickets_per_day * part / 3600 * (burst ? s->o->burst_factor : 1); /* a second */
}

static void arrive(struct sim *s)
{
    if (s->n_tickets == s->cap_tickets) {
        s->cap_tickets = s->cap_tickets ? 2 * s->cap_tickets : 4096;
        s->tickets = mem_resize(s->tickets, (size_t)s->cap_tickets, sizeof *s->tickets);
    }
    int t = s->n_tickets++;
    struct ticket_state *ticket = &s->tickets[t];
    memset(ticket, 0, sizeof *ticket);
    ticket->holder = -1;
    ticket->job = (struct job){
        .open = true, .created_us = s->now_us, .routable_us = s->now_us, .excluded_us = INT64_MAX};
    memcpy(ticket->job.ticket, &t, sizeof t);
    ticket->job.type = roster_type(&s->roster, sim_skills[(int)(sim_chance(s) * SKILLS)]);
    ticket->job.due_us = s->now_us + sim_due_s[ticket->job.type->priority] * SECOND;
    snprintf(ticket->job.area, sizeof ticket->job.area, "%02d%03d", (int)(sim_chance(s) * ZONES),
             (int)(sim_chance(s) * 1000));
    s->r->tickets++;
    if (!decide(s, t))
        wait_in_line(s, t);
}

/* Once a minute: arrivals of the next one, shifts that begin and end, requirements that are
 * dropped. */
static void tick(struct sim *s)
{
    double expected = rate_at(s, s->now_us) * 60;
    for (double at = exponential(s, 60 / expected); at < 60; at += exponential(s, 60 / expected))
        push(s, (struct happening){s->now_us + (int64_t)(at * 1e6), ARRIVE, 0, 0, 0});
    int32_t *ended;
    size_t n = roster_tick(&s->roster, s->now_us, &ended);
    for (size_t i = 0; i < n; i++)
        roster_set_times(&s->roster, roster_find(&s->roster, ended[i]),
                         sim_shift(&s->workers[ended[i] - 1], s->now_us), span_never);
    free(ended);
    for (int i = 0; i < s->o->experts; i++) {
        struct expert *e = expert_of(s, i);
        bool on = e->shift.from_us <= s->now_us && s->now_us < e->shift.to_us;
        s->workers[i].on_shift_us += on ? 60 * SECOND : 0;
        s->workers[i].overtime_us += !on && s->workers[i].free_at_us > s->now_us ? 60 * SECOND : 0;
        if (e->woken) {
            roster_wake(&s->roster, e, false);
            wake(s, i);
        }
    }
    for (size_t i = 0; i < s->n_waiting; i++) {
        struct ticket_state *ticket = &s->tickets[s->waiting[i]];
        if (!ticket->was_overdue && ticket->job.due_us <= s->now_us) {
            ticket->was_overdue = true;
            s->r->overdue++;
        }
        if (ticket->job.retry_us <= s->now_us && decide(s, s->waiting[i]))
            s->waiting[i--] = s->waiting[--s->n_waiting];
    }
    if (s->now_us + 60 * SECOND < s->end_us)
        push(s, (struct happening){s->now_us + 60 * SECOND, TICK, 0, 0, 0});
}

static void happen(struct sim *s, const struct happening *e)
{
    switch (e->kind) {
    case ARRIVE:
        arrive(s);
        break;
    case ANSWER:
        on_answer(s, e);
        break;
    case TIMEOUT:
        on_timeout(s, e);
        break;
    case DONE:
        on_done(s, e);
        break;
    case TICK:
        tick(s);
        break;
    case BACK:
        expert_of(s, e->expert)->available = true;
        wake(s, e->expert);
    }
}

void sim_run(const struct sim_options *options, struct sim_result *ret)
{
    struct sim s = {.o = options, .r = ret, .state = options->seed, .end_us = options->days * DAY};
    *ret = (struct sim_result){0};
    s.workers = mem_new((size_t)options->experts, sizeof *s.workers);
    memset(s.workers, 0, sizeof *s.workers * (size_t)options->experts);
    sim_make_company(&s);
    push(&s, (struct happening){0, TICK, 0, 0, 0});
    while (s.n_heap && s.heap[0].at_us < s.end_us) {
        struct happening e = pop(&s);
        s.now_us = e.at_us;
        happen(&s, &e);
    }
    sim_measure(&s);
    for (int i = 0; i < s.n_tickets; i++)
        free(s.tickets[i].job.excluded);
    roster_free(&s.roster);
    free(s.heap);
    free(s.tickets);
    free(s.waiting);
    free(s.workers);
}
