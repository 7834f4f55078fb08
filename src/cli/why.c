/* squad why: why a ticket waits, or who has it and why. */
#include "answer.h"
#include "command.h"
#include "find.h"
#include "loop.h"
#include "out.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct why_conf {
    struct conf_common common;
    bool json;
};

static const struct pg_stmt stmts[] = {{"why", sql_why, 2, false}};

static void print_head(const json_t *w)
{
    char span[OUT_TEXT_MAX], due[OUT_TEXT_MAX];
    int64_t now = wall_us(), since = answer_time(w, "since"), due_us = answer_time(w, "assign_due");
    printf("%sticket %s%s has been %s for %s: %s in %s", out_style(OUT_BOLD),
           answer_text(w, "ref", ""), out_style(OUT_PLAIN), answer_text(w, "state", ""),
           out_span(span, now - since), answer_text(w, "type", ""), answer_text(w, "area", ""));
    if (answer_has(w, "priority"))
        printf(", priority %" PRId64, answer_int(w, "priority"));
    if (due_us)
        printf(answer_bool(w, "overdue") ? ", %soverdue since %s%s" : ", %sdue in %s%s",
               answer_bool(w, "overdue") ? out_style(OUT_RED) : "",
               out_span(due, answer_bool(w, "overdue") ? now - due_us : due_us - now),
               answer_bool(w, "overdue") ? out_style(OUT_PLAIN) : "");
    printf("\n%s\n", answer_text(w, "chain", ""));
}

static void print_near(const json_t *near)
{
    size_t i, k;
    json_t *expert, *lack;
    if (json_array_size(near))
        printf("\n%snearest misses%s\n", out_style(OUT_BOLD), out_style(OUT_PLAIN));
    json_array_foreach(near, i, expert)
    {
        printf("  %s (%" PRId64 "): ", answer_text(expert, "name", ""),
               answer_int(expert, "expert_id"));
        json_array_foreach(json_object_get(expert, "lacks"), k, lack)
            printf("%s%s", k ? "; " : "", answer_text(lack, "what", ""));
        printf("\n");
    }
}

static void print_wake(const json_t *w)
{
    const char *what = answer_text(w, "what", ""), *name = answer_text(w, "name", ""),
               *detail = answer_text(w, "detail", "");
    char at[OUT_TEXT_MAX] = "";
    if (answer_has(w, "at"))
        out_time(at, answer_time(w, "at"));
    if (strcmp(what, "shift") == 0)
        printf("  %.16s  the shift of %s begins\n", at, name);
    else if (strcmp(what, "relaxation") == 0)
        printf("  %.16s  the requirement %s is dropped\n", at, detail);
    else if (strcmp(what, "exclusion") == 0)
        printf("  %.16s  %s may be asked again (%s)\n", at, name, detail);
    else if (strcmp(what, "absence") == 0)
        printf("  %.16s  %s is back\n", at, name);
    else if (strcmp(what, "presence") == 0)
        printf("  %-16s  %s becomes available (now %s)\n", "when", name, detail);
    else
        printf("  %-16s  %s has a slot free (%s used)\n", "when", name, detail);
}

static void print_tried(const json_t *tried)
{
    size_t i, k;
    json_t *a, *rival;
    char at[OUT_TEXT_MAX];
    if (json_array_size(tried))
        printf("\n%soffered to%s\n", out_style(OUT_BOLD), out_style(OUT_PLAIN));
    json_array_foreach(tried, i, a)
    {
        const json_t *why = json_object_get(a, "why");
        printf("  %.16s  %s (%" PRId64 ") %s%s%s", out_time(at, answer_time(a, "reserved_at")),
               answer_text(a, "name", ""), answer_int(a, "expert_id"), answer_text(a, "state", ""),
               answer_has(a, "code") ? ": " : "", answer_text(a, "code", ""));
        if (answer_has(why, "fit"))
            printf("; %" PRId64 " of %" PRId64 " fit", answer_int(why, "fit"),
                   answer_int(why, "experts"));
        else if (answer_has(why, "able"))
            printf("; %" PRId64 " of %" PRId64 " able", answer_int(why, "able"),
                   answer_int(why, "experts"));
        if (answer_has(why, "by"))
            printf("; given by %s", answer_text(why, "by", ""));
        json_array_foreach(json_object_get(why, "rivals"), k, rival)
            printf("%s%s by %s", k ? ", " : "; before ", answer_text(rival, "name", "somebody"),
                   answer_text(rival, "by", "number"));
        json_array_foreach(json_object_get(a, "override"), k, rival)
            printf("%s%s", k ? ", " : "; against the rules ", json_string_value(rival));
        printf("\n");
    }
}

static void print_text(const json_t *w)
{
    static const struct grid_column others[] = {{"expert", "expert_id", GRID_NUMBER},
                                                {"name", "name", GRID_TEXT},
                                                {"used", "load", GRID_NUMBER},
                                                {"slots", "capacity", GRID_NUMBER},
                                                {"idle", "idle_s", GRID_SPAN}};
    const json_t *wakes = json_object_get(w, "wakes");
    size_t i;
    json_t *wake;
    print_head(w);
    print_near(json_object_get(w, "near"));
    if (json_array_size(wakes))
        printf("\n%swhat wakes it%s\n", out_style(OUT_BOLD), out_style(OUT_PLAIN));
    json_array_foreach(wakes, i, wake) print_wake(wake);
    print_tried(json_object_get(w, "tried"));
    grid_print("others who would do now", json_object_get(w, "others"), others, 5);
}

static int run(const void *arg, char *const *operands, struct err *reterr)
{
    const struct why_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    struct pg_params params = {0};
    struct ticket_name name;
    json_t *w;
    if (find_ticket_name(operands[0], &name, reterr) ||
        answer_open(&pg, conf->common.db, stmts, 1, reterr))
        return -1;
    pg_param_text(&params, name.is_id ? NULL : name.ref);
    pg_param_text(&params, name.is_id ? operands[0] : NULL);
    if (answer_read(pg, "why", &params, &w, reterr))
        return -1;
    if (!w)
        return err_fatal(reterr, EXIT_FOUND, "there is no ticket %s",
                         name.is_id ? operands[0] : name.ref);
    if (conf->json) {
        out_json(w);
    } else {
        print_text(w);
        json_decref(w);
    }
    return EXIT_OK;
}

static const struct opt opts[] = {
    OPT_JSON(struct why_conf),
    OPT_COMMON_BASE(struct why_conf),
};

const struct command why_command = {
    .name = "why",
    .summary = "why a ticket waits, or who has it and why",
    .operands = "REF",
    .n_operands = 1,
    .examples = "  squad why 4V7QK-9XW2M\n"
                "  squad why '4v7qk 9xw2m' --json     # any spelling, or the ticket's id\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .conf_size = sizeof(struct why_conf),
    .run = run,
};
