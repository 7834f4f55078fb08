/* squad expert list, squad expert show. */
#include "answer.h"
#include "command.h"
#include "find.h"
#include "loop.h"
#include "out.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIST_MAX = 1000000, ANY = 4 };

struct list_conf {
    struct conf_common common;
    bool json;
    int status;
    const char *skill, *area;
    long rows;
};

static const char *const statuses[] = {"available", "busy", "break", "offline", "any", NULL};
static const struct pg_stmt list_stmts[] = {{"expert_list", sql_expert_list, 4, false}};

static int list(const void *arg, char *const *operands, struct err *reterr)
{
    static const struct grid_column columns[] = {
        {"expert", "expert_id", GRID_NUMBER}, {"name", "name", GRID_TEXT},
        {"active", "active", GRID_YES},       {"presence", "status", GRID_TEXT},
        {"on shift", "on_shift", GRID_YES},   {"absent", "absent", GRID_YES},
        {"used", "load", GRID_NUMBER},        {"slots", "capacity", GRID_NUMBER},
        {"idle", "idle_s", GRID_SPAN},        {"skills", "skills", GRID_TEXT},
        {"areas", "areas", GRID_TEXT},        {"tickets", "live_tickets", GRID_LIST}};
    const struct list_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    struct pg_params params = {0};
    char heading[OUT_TEXT_MAX];
    json_t *rows;
    (void)operands;
    pg_param_text(&params, conf->status == ANY ? NULL : statuses[conf->status]);
    pg_param_text(&params, conf->skill && *conf->skill ? conf->skill : NULL);
    pg_param_text(&params, conf->area && *conf->area ? conf->area : NULL);
    pg_param_int4(&params, (int32_t)conf->rows + !conf->json); /* one more: are there more? */
    if (answer_open(&pg, conf->common.db, list_stmts, 1, reterr) ||
        answer_read(pg, "expert_list", &params, &rows, reterr))
        return -1;
    if (conf->json) {
        out_json(rows);
        return EXIT_OK;
    }
    int64_t n = (int64_t)json_array_size(rows);
    bool more = n > conf->rows;
    if (more)
        json_array_remove(rows, (size_t)--n);
    grid_print(out_count(heading, n, "expert"), rows, columns, 12);
    if (more)
        printf("  ... and more (--rows N)\n");
    if (!n)
        printf("no expert is like that\n");
    json_decref(rows);
    return EXIT_OK;
}

static const struct opt list_opts[] = {
    {.name = "status",
     .type = OPT_ENUM,
     .offset = offsetof(struct list_conf, status),
     .def = "any",
     .choices = statuses,
     .metavar = "PRESENCE",
     .help = "available, busy, break, offline or any"},
    {.name = "skill",
     .type = OPT_STR,
     .offset = offsetof(struct list_conf, skill),
     .def = "",
     .metavar = "SKILL",
     .help = "those who have it"},
    {.name = "area",
     .type = OPT_STR,
     .offset = offsetof(struct list_conf, area),
     .def = "",
     .metavar = "POSTCODE",
     .help = "those who serve it"},
    {.name = "rows",
     .letter = 'n',
     .type = OPT_INT,
     .offset = offsetof(struct list_conf, rows),
     .def = "1000",
     .min = 1,
     .max = LIST_MAX,
     .metavar = "N",
     .help = "at most so many"},
    OPT_JSON(struct list_conf),
    OPT_COMMON_BASE(struct list_conf),
};

const struct command expert_list_command = {
    .name = "expert list",
    .summary = "the experts: presence, slots, skills, areas, tickets",
    .examples = "  squad expert list\n"
                "  squad expert list --status break\n"
                "  squad expert list --skill tv --area 28013\n",
    .opts = list_opts,
    .n_opts = sizeof list_opts / sizeof *list_opts,
    .conf_size = sizeof(struct list_conf),
    .run = list,
};

struct expert_conf {
    struct conf_common common;
    bool json;
};

static const struct pg_stmt show_stmts[] = {{"expert_show", sql_expert_show, 1, false}, FIND_STMTS};

static void print_week(const json_t *week)
{
    static const char *const days[] = {"", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    size_t i;
    json_t *day;
    if (json_array_size(week))
        printf("week      ");
    json_array_foreach(week, i, day)
        printf("%s%s %s-%s", i ? ", " : "", days[answer_int(day, "weekday") & 7],
               answer_text(day, "starts", ""), answer_text(day, "ends", ""));
    if (json_array_size(week))
        printf("\n");
}

static void print_expert(const json_t *e)
{
    char span[OUT_TEXT_MAX];
    printf("%s%s%s, expert %" PRId64 "%s\n", out_style(OUT_BOLD), answer_text(e, "name", ""),
           out_style(OUT_PLAIN), answer_int(e, "expert_id"),
           answer_bool(e, "active") ? "" : ", inactive");
    printf("presence  %s for %s%s%s%s%s\n", answer_text(e, "status", ""),
           out_span(span, wall_us() - answer_time(e, "status_since")),
           answer_has(e, "status_reason") ? ": " : "", answer_text(e, "status_reason", ""),
           answer_bool(e, "on_shift") ? "" : ", off shift",
           answer_bool(e, "absent") ? ", absent" : "");
    printf("slots     %" PRId64 " of %" PRId64 " used", answer_int(e, "load"),
           answer_int(e, "capacity"));
    if (answer_has(e, "idle_s"))
        printf(", idle for %s", out_span(span, answer_int(e, "idle_s") * 1000000));
    printf("\nskills    %s\nareas     %s\n", answer_text(e, "skills", "none"),
           answer_text(e, "areas", "none"));
    printf("works     %s, %s\n",
           strcmp(answer_text(e, "schedule", ""), "always") == 0 ? "by presence alone"
                                                                 : "in shifts",
           answer_text(e, "zone", ""));
    print_week(json_object_get(e, "week"));
}

static void print_lists(const json_t *e)
{
    static const struct grid_column jobs[] = {{"ticket", "ref", GRID_TEXT},
                                              {"state", "state", GRID_TEXT},
                                              {"since", "reserved_at", GRID_TIME},
                                              {"accepted", "accepted_at", GRID_TIME},
                                              {"ends in", "expires_in_s", GRID_SPAN}};
    static const struct grid_column shifts[] = {{"from", "from_local", GRID_TEXT},
                                                {"to", "to_local", GRID_TEXT},
                                                {"made by", "source", GRID_TEXT}};
    static const struct grid_column absences[] = {{"number", "id", GRID_NUMBER},
                                                  {"from", "from_local", GRID_TEXT},
                                                  {"to", "to_local", GRID_TEXT},
                                                  {"why", "reason", GRID_TEXT}};
    static const struct grid_column history[] = {
        {"time", "at", GRID_TIME}, {"what", "kind", GRID_TEXT}, {"by", "actor", GRID_TEXT}};
    grid_print("tickets", json_object_get(e, "jobs"), jobs, 5);
    grid_print("next shifts, in the expert's zone", json_object_get(e, "shifts"), shifts, 3);
    grid_print("absences, in the expert's zone", json_object_get(e, "absences"), absences, 4);
    grid_print("last changes", json_object_get(e, "history"), history, 3);
}

static int show(const void *arg, char *const *operands, struct err *reterr)
{
    const struct expert_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    struct pg_params params = {0};
    struct expert_name name;
    json_t *e;
    if (answer_open(&pg, conf->common.db, show_stmts, sizeof show_stmts / sizeof *show_stmts,
                    reterr) ||
        find_expert(pg, operands[0], &name, reterr))
        return -1;
    pg_param_int4(&params, name.id);
    if (answer_read(pg, "expert_show", &params, &e, reterr))
        return -1;
    if (conf->json) {
        out_json(e);
        return EXIT_OK;
    }
    print_expert(e);
    print_lists(e);
    json_decref(e);
    return EXIT_OK;
}

static const struct opt show_opts[] = {
    OPT_JSON(struct expert_conf),
    OPT_COMMON_BASE(struct expert_conf),
};

const struct command expert_show_command = {
    .name = "expert show",
    .summary = "one expert: presence, skills, shifts, absences, tickets",
    .operands = "EXPERT",
    .n_operands = 1,
    .examples = "  squad expert show 7\n"
                "  squad expert show gloria       # a part of the name that only one has\n",
    .opts = show_opts,
    .n_opts = sizeof show_opts / sizeof *show_opts,
    .conf_size = sizeof(struct expert_conf),
    .run = show,
};
