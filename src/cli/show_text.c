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

/* why: {"experts":12,"fit":3,"load":0,"idle_s":532}; among many "able" instead of "fit". */
static void say_reserved(FILE *out, const json_t *d)
{
    char span[OUT_TEXT_MAX];
    const json_t *why = json_object_get(d, "why");
    say_expert(out, d);
    if (!why)
        return;
    fprintf(out, ": %lld of %lld %s, least load (%lld)",
            int_of(why, has(why, "able") ? "able" : "fit"), int_of(why, "experts"),
            has(why, "able") ? "able" : "fit", int_of(why, "load"));
    if (has(why, "idle_s"))
        fprintf(out, ", idle for %s", out_span(span, int_of(why, "idle_s") * 1000000));
    if (int_of(d, "attempt") > 1)
        fprintf(out, ", attempt %lld", int_of(d, "attempt"));
}

/* {"experts":12,"inactive":1,"area":8,"skill":2,"excluded":0,"capacity":1}, bare or as "reason". */
static void say_parked(FILE *out, const json_t *d)
{
    static const struct {
        const char *key, *text;
    } filters[] = {{"inactive", "inactive"},
                   {"area", "elsewhere"},
                   {"skill", "without the skill"},
                   {"excluded", "tried before"},
                   {"capacity", "full"}};
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

static void say_completed(FILE *out, const json_t *d)
{
    say_expert(out, d);
    if (has(d, "actor"))
        fprintf(out, ", by %s", text_of(d, "actor"));
}

static void say_review(FILE *out, const json_t *d)
{
    (void)d;
    fprintf(out, "a person must look at it: its type is unknown");
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
    {"completed", "completed", say_completed},
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
