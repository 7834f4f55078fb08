/* squad board: what a manager looks at. */
#include "answer.h"
#include "command.h"
#include "out.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { ROWS_MAX = 10000, WATCH_MAX_S = 3600 };

struct board_conf {
    struct conf_common common;
    bool json;
    long rows, watch_s;
};

static const struct pg_stmt stmts[] = {{"board", sql_board, 1, false}};

#define COUNT(object, name) answer_int(json_object_get(board, object), name)

static void print_counts(const json_t *board)
{
    char at[OUT_TEXT_MAX];
    printf("%s\n", out_time(at, answer_time(board, "at")));
    printf("%stickets%s  %" PRId64 " waiting (%s%" PRId64 " overdue%s), %" PRId64 " new, %" PRId64
           " in review, %" PRId64 " quarantined\n",
           out_style(OUT_BOLD), out_style(OUT_PLAIN), COUNT("tickets", "parked"),
           answer_int(board, "overdue") ? out_style(OUT_RED) : "", answer_int(board, "overdue"),
           out_style(OUT_PLAIN), COUNT("tickets", "received"), COUNT("tickets", "review"),
           COUNT("tickets", "quarantined"));
    printf("%sjobs%s     %" PRId64 " offered, %" PRId64 " to be notified, %" PRId64
           " accepted, %" PRId64 " en route, %" PRId64 " on site\n",
           out_style(OUT_BOLD), out_style(OUT_PLAIN), COUNT("jobs", "offered"),
           COUNT("jobs", "reserved"), COUNT("jobs", "accepted"), COUNT("jobs", "en_route"),
           COUNT("jobs", "on_site"));
    printf("%sexperts%s  %" PRId64 ": %" PRId64 " at work, %" PRId64 " busy, %" PRId64
           " on break, %" PRId64 " offline, %" PRId64 " off shift, %" PRId64 " absent; %" PRId64
           " of %" PRId64 " slots used\n",
           out_style(OUT_BOLD), out_style(OUT_PLAIN), COUNT("experts", "all"),
           COUNT("experts", "available"), COUNT("experts", "busy"), COUNT("experts", "break"),
           COUNT("experts", "offline"), COUNT("experts", "off_shift"), COUNT("experts", "absent"),
           COUNT("experts", "slots_used"), COUNT("experts", "slots"));
}

static void print_text(const json_t *board)
{
    static const struct grid_column waiting[] = {
        {"ticket", "ref", GRID_TEXT},     {"prio", "priority", GRID_NUMBER},
        {"type", "type", GRID_TEXT},      {"area", "area", GRID_TEXT},
        {"waits", "age_s", GRID_SPAN},    {"due", "assign_due", GRID_TIME},
        {"overdue", "overdue", GRID_YES}, {"tried", "attempts", GRID_NUMBER},
        {"why", "why", GRID_TEXT}};
    static const struct grid_column offers[] = {
        {"ticket", "ref", GRID_TEXT},           {"expert", "expert", GRID_TEXT},
        {"state", "state", GRID_TEXT},          {"try", "attempt", GRID_NUMBER},
        {"of", "offers", GRID_NUMBER},          {"since", "reserved_at", GRID_TIME},
        {"ends in", "expires_in_s", GRID_SPAN}, {"against", "override", GRID_LIST}};
    static const struct grid_column work[] = {{"ticket", "ref", GRID_TEXT},
                                              {"expert", "expert", GRID_TEXT},
                                              {"state", "state", GRID_TEXT},
                                              {"since", "since", GRID_TIME},
                                              {"against", "override", GRID_LIST}};
    static const struct grid_column orphaned[] = {{"ticket", "ref", GRID_TEXT},
                                                  {"expert", "expert", GRID_TEXT},
                                                  {"state", "state", GRID_TEXT},
                                                  {"accepted", "accepted_at", GRID_TIME},
                                                  {"the expert is", "why", GRID_TEXT}};
    static const struct grid_column review[] = {{"ticket", "ref", GRID_TEXT},
                                                {"type", "type", GRID_TEXT},
                                                {"area", "area", GRID_TEXT},
                                                {"waits", "age_s", GRID_SPAN}};
    static const struct grid_column skills[] = {
        {"review", "id", GRID_NUMBER}, {"expert", "expert", GRID_TEXT},
        {"ticket", "ref", GRID_TEXT},  {"type", "type", GRID_TEXT},
        {"has", "skills", GRID_TEXT},  {"needed", "needs", GRID_TEXT}};
    print_counts(board);
    grid_print("waiting, next first", json_object_get(board, "waiting"), waiting, 9);
    grid_print("offers", json_object_get(board, "offers"), offers, 8);
    grid_print("work", json_object_get(board, "work"), work, 5);
    grid_print("accepted work of experts who are off", json_object_get(board, "orphaned"), orphaned,
               5);
    grid_print("of unknown type, for a person", json_object_get(board, "review"), review, 4);
    grid_print("experts who said that another skill is needed",
               json_object_get(board, "skill_reviews"), skills, 6);
}

static int show(const struct board_conf *conf, struct pg *pg, struct err *reterr)
{
    struct pg_params params = {0};
    json_t *board;
    pg_param_int4(&params, (int32_t)conf->rows);
    if (answer_read(pg, "board", &params, &board, reterr))
        return -1;
    if (conf->json) {
        out_json(board);
        return 0;
    }
    if (conf->watch_s && isatty(STDOUT_FILENO))
        printf("\033[H\033[2J");
    print_text(board);
    fflush(stdout);
    json_decref(board);
    return 0;
}

static int run(const void *arg, char *const *operands, struct err *reterr)
{
    const struct board_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    (void)operands;
    if (answer_open(&pg, conf->common.db, stmts, 1, reterr) || show(conf, pg, reterr))
        return -1;
    while (conf->watch_s) {
        nanosleep(&(struct timespec){.tv_sec = conf->watch_s}, NULL);
        if (show(conf, pg, reterr))
            return -1;
    }
    return EXIT_OK;
}

static const struct opt opts[] = {
    {.name = "rows",
     .letter = 'n',
     .type = OPT_INT,
     .offset = offsetof(struct board_conf, rows),
     .def = "20",
     .min = 1,
     .max = ROWS_MAX,
     .metavar = "N",
     .help = "rows of each list"},
    {.name = "watch",
     .letter = 'w',
     .type = OPT_INT,
     .offset = offsetof(struct board_conf, watch_s),
     .max = WATCH_MAX_S,
     .metavar = "SECONDS",
     .help = "show it again so often until interrupted"},
    OPT_JSON(struct board_conf),
    OPT_COMMON_BASE(struct board_conf),
};

const struct command board_command = {
    .name = "board",
    .summary = "what waits and why, who has what, who is off",
    .examples = "  squad board\n"
                "  squad board --watch 5 --rows 40\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .conf_size = sizeof(struct board_conf),
    .run = run,
};
