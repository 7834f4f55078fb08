/* squad expert status, skills, areas, capacity. */
#include "expert_set.h"

#include "answer.h"
#include "out.h"
#include "sql.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pg_stmt stmts[] = {{"expert_status", sql_expert_status, 3, false},
                                       {"expert_skills", sql_expert_skills, 3, false},
                                       {"expert_areas", sql_expert_areas, 2, false},
                                       {"expert_capacity", sql_expert_capacity, 2, false},
                                       {"skill_names", sql_skill_names, 0, false},
                                       FIND_STMTS};

static int open_and_find(struct pg **pg, const struct set_conf *conf, const char *text,
                         struct expert_name *ret, struct err *reterr)
{
    return answer_open(pg, conf->common.db, stmts, sizeof stmts / sizeof *stmts, reterr) ||
                   find_expert(*pg, text, ret, reterr)
               ? -1
               : 0;
}

int set_run(struct pg *pg, const struct expert_name *expert, const char *stmt,
            const char *const *values, size_t n, const struct set_problem *problems,
            struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params params = {0};
    pg_param_int4(&params, expert->id);
    for (size_t i = 0; i < n; i++)
        pg_param_text(&params, values[i]);
    out_progress("asking PostgreSQL");
    int failed = pg_run(pg, stmt, &params, &res, reterr);
    out_progress_end();
    if (failed)
        return -1;
    const char *outcome = PQntuples(res) ? pg_get_text(res, 0, 0) : NULL;
    if (!outcome || strcmp(outcome, "missing") == 0)
        return err_fatal(reterr, EXIT_FOUND, "there is no expert %" PRId32 " any more", expert->id);
    for (; problems && problems->outcome; problems++)
        if (strcmp(problems->outcome, outcome) == 0)
            return err_fatal(reterr, EXIT_CONFIG, "%s", problems->text);
    return 0;
}

const char *set_list(const char *operand, struct err *reterr)
{
    if (strcmp(operand, "none") == 0)
        return "";
    if (operand[strspn(operand, " ,")])
        return operand;
    err_fatal(reterr, EXIT_CONFIG, "an empty list would take everything away");
    err_hint(reterr, "Say none if that is meant.");
    return NULL;
}

bool set_next(const char **list, char *ret, size_t size)
{
    const char *from = *list + strspn(*list, " ,");
    size_t n = strcspn(from, ",");
    *list = from + n;
    while (n && from[n - 1] == ' ')
        n--;
    snprintf(ret, size, "%.*s", (int)n, from);
    return n > 0;
}

static int status(const void *arg, char *const *operands, struct err *reterr)
{
    static const char *const statuses[] = {"available", "busy", "break", "offline"};
    const struct set_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params params = {0};
    struct expert_name expert;
    const char *near = opt_nearest(operands[1], statuses, 4);
    if (!near || strcmp(near, operands[1]) != 0) {
        err_fatal(reterr, EXIT_CONFIG,
                  "\"%s\" is not a presence: available, busy, break or offline", operands[1]);
        return near ? err_hint(reterr, "Did you mean: %s?", near) : -1;
    }
    if (open_and_find(&pg, conf, operands[0], &expert, reterr))
        return -1;
    pg_param_int4(&params, expert.id);
    pg_param_text(&params, operands[1]);
    pg_param_text(&params, *conf->reason ? conf->reason : NULL);
    if (pg_run(pg, "expert_status", &params, &res, reterr))
        return -1;
    printf("%s is %s%s%s", expert.name, strcmp(operands[1], "break") == 0 ? "on " : "", operands[1],
           strcmp(PQgetvalue(res, 0, 0), "already") == 0 ? ", as before" : "");
    if (pg_get_int8(res, 0, 1))
        printf("; %s offers taken back", PQgetvalue(res, 0, 1));
    if (pg_get_int8(res, 0, 2))
        printf("; keeps %s tickets", PQgetvalue(res, 0, 2));
    printf("\n");
    return EXIT_OK;
}

/* "tv:3, internet:2" to two array literals; the server checks what a skill may be called. */
static int read_skills(const char *list, char skills[2048], char levels[512], struct err *reterr)
{
    char item[128];
    size_t used = 1, used_levels = 1;
    strcpy(skills, "{");
    strcpy(levels, "{");
    while (set_next(&list, item, sizeof item)) {
        char *colon = strchr(item, ':');
        const char *level = colon ? colon + 1 : "";
        if (colon)
            *colon = '\0';
        if (!*item || item[strspn(item, "abcdefghijklmnopqrstuvwxyz0123456789_-")] ||
            strlen(level) != 1 || *level < '1' || *level > '5') {
            err_fatal(reterr, EXIT_CONFIG, "\"%s\" is not a skill with a level from 1 to 5", item);
            return err_hint(reterr, "As tv:3,internet:2");
        }
        if (used + strlen(item) + 3 > 2048 || used_levels + 4 > 512)
            return err_fatal(reterr, EXIT_CONFIG, "these are too many skills");
        used += (size_t)sprintf(skills + used, "%s%s", used > 1 ? "," : "", item);
        used_levels +=
            (size_t)sprintf(levels + used_levels, "%s%s", used_levels > 1 ? "," : "", level);
    }
    strcat(skills, "}");
    strcat(levels, "}");
    return 0;
}

/* Which of the skills there is none of, and what may be meant. */
static int unknown_skill(struct pg *pg, const char *list, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    const char *names[1024];
    char item[128];
    if (pg_run(pg, "skill_names", NULL, &res, reterr))
        return -1;
    size_t n = (size_t)PQntuples(res) < 1024 ? (size_t)PQntuples(res) : 1024;
    for (size_t i = 0; i < n; i++)
        names[i] = PQgetvalue(res, (int)i, 0);
    while (set_next(&list, item, sizeof item)) {
        item[strcspn(item, ":")] = '\0';
        const char *near = opt_nearest(item, names, n);
        if (near && strcmp(near, item) == 0)
            continue;
        err_fatal(reterr, EXIT_FOUND, "there is no skill \"%s\"", item);
        return near ? err_hint(reterr, "Did you mean: %s?", near)
                    : err_hint(reterr, "SELECT * FROM squad.skill shows them.");
    }
    return err_fatal(reterr, EXIT_FOUND, "there is no such skill");
}

static int skills(const void *arg, char *const *operands, struct err *reterr)
{
    static const struct set_problem problems[] = {{"unknown_skill", "unknown skill"}, {0}};
    _cleanup_pg_ struct pg *pg = NULL;
    struct expert_name expert;
    char names[2048], levels[512];
    const char *values[] = {names, levels}, *list = set_list(operands[1], reterr);
    if (!list || read_skills(list, names, levels, reterr) ||
        open_and_find(&pg, arg, operands[0], &expert, reterr))
        return -1;
    if (set_run(pg, &expert, "expert_skills", values, 2, problems, reterr))
        return strcmp(reterr->text, "unknown skill") == 0 ? unknown_skill(pg, list, reterr) : -1;
    printf("%s has %s\n", expert.name, operands[1]);
    return EXIT_OK;
}

static int areas(const void *arg, char *const *operands, struct err *reterr)
{
    _cleanup_pg_ struct pg *pg = NULL;
    struct expert_name expert;
    char literal[4096] = "{", item[64];
    size_t used = 1;
    const char *list = set_list(operands[1], reterr);
    if (!list)
        return -1;
    while (set_next(&list, item, sizeof item)) {
        for (char *c = item; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        if (strlen(item) > TICKET_AREA_MAX ||
            item[strspn(item, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -")])
            return err_fatal(reterr, EXIT_CONFIG,
                             "\"%s\" is not the beginning of a postcode: letters, digits, blank "
                             "and dash, at most %d",
                             item, TICKET_AREA_MAX);
        if (used + strlen(item) + 5 > sizeof literal)
            return err_fatal(reterr, EXIT_CONFIG, "these are too many areas");
        used += (size_t)sprintf(literal + used, "%s\"%s\"", used > 1 ? "," : "", item);
    }
    strcat(literal, "}");
    const char *values[] = {literal};
    if (open_and_find(&pg, arg, operands[0], &expert, reterr) ||
        set_run(pg, &expert, "expert_areas", values, 1, NULL, reterr))
        return -1;
    printf("%s serves %s\n", expert.name, operands[1]);
    return EXIT_OK;
}

static int capacity(const void *arg, char *const *operands, struct err *reterr)
{
    static const struct set_problem problems[] = {
        {"below_load", "the expert holds more tickets than that now"}, {0}};
    _cleanup_pg_ struct pg *pg = NULL;
    struct expert_name expert;
    const char *values[] = {operands[1]};
    char *end;
    long n = strtol(operands[1], &end, 10);
    if (!*operands[1] || *end || n < 0 || n > 1000000)
        return err_fatal(reterr, EXIT_CONFIG, "\"%s\" is not a number of slots from 0 to 1000000",
                         operands[1]);
    if (open_and_find(&pg, arg, operands[0], &expert, reterr) ||
        set_run(pg, &expert, "expert_capacity", values, 1, problems, reterr))
        return -1;
    printf("%s has %ld slot%s\n", expert.name, n, n == 1 ? "" : "s");
    return EXIT_OK;
}

static const struct opt status_opts[] = {
    {.name = "reason",
     .type = OPT_STR,
     .offset = offsetof(struct set_conf, reason),
     .def = "",
     .metavar = "TEXT",
     .help = "why, shown beside it"},
    SET_OPTS_BASE,
};
static const struct opt opts[] = {SET_OPTS_BASE};

SET_COMMAND(
    expert_status_command, "expert status", "set presence: available, busy, break or offline",
    "EXPERT PRESENCE", 2,
    "  squad expert status 7 break\n"
    "  squad expert status gloria offline --reason 'flat tyre'   # takes open offers back\n",
    status_opts, status);
SET_COMMAND(expert_skills_command, "expert skills", "replace an expert's skills", "EXPERT SKILLS",
            2,
            "  squad expert skills 7 tv:4,appliance:2\n"
            "  squad expert skills 7 none\n",
            opts, skills);
SET_COMMAND(expert_areas_command, "expert areas",
            "replace an expert's areas, beginnings of postcodes", "EXPERT PREFIXES", 2,
            "  squad expert areas 7 280,289\n", opts, areas);
SET_COMMAND(expert_capacity_command, "expert capacity",
            "set how many tickets an expert may hold at once", "EXPERT SLOTS", 2,
            "  squad expert capacity 7 3\n", opts, capacity);
