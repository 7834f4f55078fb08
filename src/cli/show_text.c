/* Events of the timeline in words. */
#include "out.h"
#include "show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *detail, const char *name)
{
    const char *s = json_string_value(json_object_get(detail, name));
    return s ? s : "";
}

static long long int_of(const json_t *detail, const char *name)
{
    const json_t *v = json_object_get(detail, name);
    return json_is_real(v) ? (long long)json_real_value(v) : (long long)json_integer_value(v);
}

static bool has(const json_t *detail, const char *name)
{
    const json_t *v = json_object_get(detail, name);
    return v && !json_is_null(v);
}

static void say_received(FILE *out, const json_t *d)
{
    fprintf(out, "%s in %s, from %s", text_of(d, "type"), text_of(d, "area"), text_of(d, "source"));
    if (has(d, "client"))
        fprintf(out, " (client %s)", text_of(d, "client"));
    if (has(d, "contract"))
        fprintf(out, ", contract %s", text_of(d, "contract"));
    if (has(d, "call_provider"))
        fprintf(out, ", call by %s", text_of(d, "call_provider"));
}

static void say_published(FILE *out, const json_t *d)
{
    fprintf(out, "%s", text_of(d, "type"));
    if (has(d, "partition"))
        fprintf(out, " on %s, partition %lld, offset %lld", text_of(d, "topic"),
                int_of(d, "partition"), int_of(d, "offset"));
    else
        fprintf(out, " written, not (yet) found on %s", text_of(d, "topic"));
}

static void say_expert(FILE *out, const json_t *d)
{
    if (has(d, "expert"))
        fprintf(out, "%s (expert %lld)", text_of(d, "expert"), int_of(d, "expert_id"));
    else
        fprintf(out, "expert %lld", int_of(d, "expert_id"));
}

/* why: {"experts":12,"fit":3,"load":0,"idle_s":532,"rivals":[{"expert":7,"by":"load"}]}; "able"
 * instead of "fit" when not all were looked at. */
static void say_reserved(FILE *out, const json_t *d)
{
    char span[OUT_TEXT_MAX];
    const json_t *why = json_object_get(d, "why");
    say_expert(out, d);
    if (!why)
        return;
    const char *of = has(why, "able") ? "able" : "fit";
    fprintf(out, ": %lld of %lld %s, load %lld", int_of(why, of), int_of(why, "experts"), of,
            int_of(why, "load"));
    if (has(why, "idle_s"))
        fprintf(out, ", idle for %s", out_span(span, int_of(why, "idle_s") * 1000000));
    const json_t *rival = json_array_get(json_object_get(why, "rivals"), 0);
    if (rival)
        fprintf(out, ", before expert %lld by %s", int_of(rival, "expert"), text_of(rival, "by"));
    if (int_of(d, "attempt") > 1)
        fprintf(out, ", attempt %lld", int_of(d, "attempt"));
}

/* {"experts":12,"inactive":1,"area":8,...,"capacity":1}, bare or as "reason". */
static void say_parked(FILE *out, const json_t *d)
{
    static const struct {
        const char *key, *text;
    } filters[] = {{"inactive", "inactive"},       {"area", "elsewhere"},
                   {"skill", "without the skill"}, {"shift", "off shift"},
                   {"absent", "absent"},           {"presence", "not available"},
                   {"excluded", "tried before"},   {"capacity", "full"}};
    const json_t *reason = json_object_get(d, "reason");
    if (!json_is_object(reason))
        reason = json_object_get(d, "parked");
    if (!json_is_object(reason))
        reason = d;
    if (has(reason, "undeliverable")) {
        fprintf(out, "the expert could not be notified");
        return;
    }
    fprintf(out, "nobody of %lld can take it", int_of(reason, "experts"));
    const char *before = ": ";
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        if (int_of(reason, filters[i].key) == 0)
            continue;
        fprintf(out, "%s%lld %s", before, int_of(reason, filters[i].key), filters[i].text);
        before = ", ";
    }
}

/* attempt_failed, offered, undeliverable. */
static void say_notice(FILE *out, const json_t *d)
{
    say_expert(out, d);
    if (has(d, "channel"))
        fprintf(out, " by %s", text_of(d, "channel"));
    const char *attempt = has(d, "attempts") ? "attempts" : has(d, "attempt") ? "attempt" : NULL;
    if (attempt)
        fprintf(out, ", attempt %lld", int_of(d, attempt));
    if (has(d, "status") && int_of(d, "status"))
        fprintf(out, ", status %lld", int_of(d, "status"));
    if (has(d, "error"))
        fprintf(out, ": %s", text_of(d, "error"));
}

/* What a person did, or somebody in a person's name; squad's own programs stand in their column. */
static void say_actor(FILE *out, const json_t *d)
{
    const char *actor = text_of(d, "actor");
    if (*actor && strncmp(actor, "assigner/", 9) != 0 && strncmp(actor, "notifier/", 9) != 0)
        fprintf(out, ", by %s", actor);
}

/* How the offer or the work of an expert went on or ended. */
static void say_answer(FILE *out, const json_t *d)
{
    say_expert(out, d);
    if (has(d, "code"))
        fprintf(out, ": %s", text_of(d, "code"));
    if (has(d, "reason"))
        fprintf(out, ": %s", text_of(d, "reason"));
    say_actor(out, d);
}

static void say_list(FILE *out, const char *before, const json_t *list)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        fprintf(out, "%s%s", i ? ", " : before, json_string_value(item));
}

static void say_reassigned(FILE *out, const json_t *d)
{
    if (has(d, "expert_id"))
        say_expert(out, d);
    else
        fprintf(out, "to whom the rules choose");
    if (has(d, "from_expert_id"))
        fprintf(out, ", before expert %lld", int_of(d, "from_expert_id"));
    say_list(out, ", against the rules ", json_object_get(d, "override"));
    if (has(d, "reason"))
        fprintf(out, ": %s", text_of(d, "reason"));
    say_actor(out, d);
}

static void say_canceled(FILE *out, const json_t *d)
{
    if (has(d, "expert_id"))
        say_expert(out, d);
    else
        fprintf(out, "was %s", text_of(d, "was"));
    if (has(d, "reason"))
        fprintf(out, ": %s", text_of(d, "reason"));
    say_actor(out, d);
}

static void say_amended(FILE *out, const json_t *d)
{
    say_list(out, "new: ", json_object_get(d, "fields"));
    say_actor(out, d);
}

static void say_prioritized(FILE *out, const json_t *d)
{
    char due[OUT_TEXT_MAX];
    fprintf(out, "priority %lld, before %lld", int_of(d, "to"), int_of(d, "from"));
    if (has(d, "due_us"))
        fprintf(out, ", due %.16s", out_time(due, int_of(d, "due_us")));
    if (has(d, "reason"))
        fprintf(out, ": %s", text_of(d, "reason"));
    say_actor(out, d);
}

static void say_review(FILE *out, const json_t *d)
{
    (void)d;
    fprintf(out, "a person must look at it: its type is unknown");
}

static void say_quarantined(FILE *out, const json_t *d)
{
    fprintf(out, "a person must look at it: %s", text_of(d, "why"));
    say_actor(out, d);
}

static void say_released(FILE *out, const json_t *d)
{
    fprintf(out, "a person has looked at it");
    say_actor(out, d);
}

static void say_told(FILE *out, const json_t *d)
{
    (void)d;
    fprintf(out, "that it still waits");
}

static const struct {
    const char *kind, *label;
    void (*say)(FILE *out, const json_t *detail);
} kinds[] = {
    {"received", "received", say_received},
    {"published", "published", say_published},
    {"written", "written", say_published},
    {"review", "review", say_review},
    {"parked", "parked", say_parked},
    {"reserved", "assigned", say_reserved},
    {"attempt_failed", "try failed", say_notice},
    {"offered", "notified", say_notice},
    {"undeliverable", "not told", say_notice},
    {"accepted", "accepted", say_answer},
    {"declined", "declined", say_answer},
    {"timed_out", "timed out", say_answer},
    {"rescinded", "rescinded", say_answer},
    {"en_route", "en route", say_answer},
    {"on_site", "on site", say_answer},
    {"completed", "completed", say_answer},
    {"canceled", "canceled", say_canceled},
    {"reassigned", "reassigned", say_reassigned},
    {"amended", "amended", say_amended},
    {"prioritized", "prioritized", say_prioritized},
    {"quarantined", "quarantined", say_quarantined},
    {"released", "released", say_released},
    {"manager_told", "manager told", say_told},
    {"customer_told", "customer told", say_told},
};

const char *show_label(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].label;
    return kind;
}

char *show_text(const char *kind, const json_t *detail)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            kinds[i].say(out, detail);
    fclose(out);
    return text;
}
