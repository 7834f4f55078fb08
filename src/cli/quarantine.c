/* squad ticket quarantined, squad ticket release: what a machine seems to have posted. */
#include "answer.h"
#include "command.h"
#include "find.h"
#include "out.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

struct quarantine_conf {
    struct conf_common common;
    const char *actor;
    bool json;
};

static const struct pg_stmt stmts[] = {
    {"ticket_quarantined", sql_ticket_quarantined, 0, false},
    {"ticket_release", sql_ticket_release, 3, false},
};
enum { N_STMTS = sizeof stmts / sizeof *stmts };

static int list(const void *arg, char *const *operands, struct err *reterr)
{
    static const struct grid_column columns[] = {
        {"ticket", "ref", GRID_TEXT},    {"posted", "at", GRID_TIME},
        {"client", "client", GRID_TEXT}, {"type", "type", GRID_TEXT},
        {"area", "area", GRID_TEXT},     {"problem", "problem", GRID_TEXT}};
    const struct quarantine_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    json_t *all;
    (void)operands;
    if (answer_open(&pg, conf->common.db, stmts, N_STMTS, reterr) ||
        answer_read(pg, "ticket_quarantined", NULL, &all, reterr))
        return -1;
    if (conf->json) {
        out_json(all);
        return EXIT_OK;
    }
    if (json_array_size(all) == 0)
        printf("no ticket is quarantined\n");
    else
        grid_print("quarantined", all, columns, sizeof columns / sizeof *columns);
    json_decref(all);
    return EXIT_OK;
}

static int release(const void *arg, char *const *operands, struct err *reterr)
{
    const struct quarantine_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params p = {0};
    struct ticket_name name;
    if (find_ticket_name(operands[0], &name, reterr) ||
        answer_open(&pg, conf->common.db, stmts, N_STMTS, reterr))
        return -1;
    pg_param_text(&p, name.is_id ? NULL : name.ref);
    pg_param_text(&p, name.is_id ? operands[0] : NULL);
    pg_param_text(&p, conf->actor);
    if (pg_run(pg, "ticket_release", &p, &res, reterr))
        return -1;
    if (PQntuples(res) == 0)
        return err_fatal(reterr, EXIT_FOUND, "there is no ticket %s",
                         name.is_id ? operands[0] : name.ref);
    const char *ref = PQgetvalue(res, 0, 0);
    if (strcmp(PQgetvalue(res, 0, 1), "released") != 0) {
        err_fatal(reterr, EXIT_FOUND, "ticket %s is not quarantined", ref);
        return err_hint(reterr, "squad ticket quarantined lists those that are.");
    }
    if (conf->json)
        out_json(json_pack("{s:s, s:b}", "ticket", ref, "released", 1));
    else
        printf("ticket %s is released: the assigners have it now\n", ref);
    return EXIT_OK;
}

static const struct opt list_opts[] = {OPT_JSON(struct quarantine_conf),
                                       OPT_COMMON_BASE(struct quarantine_conf)};

static const struct opt release_opts[] = {
    {.name = "actor",
     .type = OPT_STR,
     .offset = offsetof(struct quarantine_conf, actor),
     .def = "operator",
     .metavar = "WHO",
     .help = "who has looked at it, for the ticket's history"},
    OPT_JSON(struct quarantine_conf),
    OPT_COMMON_BASE(struct quarantine_conf),
};

const struct command ticket_quarantined_command = {
    .name = "ticket quarantined",
    .summary = "list tickets that a machine seems to have posted",
    .examples = "  squad ticket quarantined\n",
    .opts = list_opts,
    .n_opts = sizeof list_opts / sizeof *list_opts,
    .conf_size = sizeof(struct quarantine_conf),
    .run = list,
};

const struct command ticket_release_command = {
    .name = "ticket release",
    .summary = "a person has looked at a quarantined ticket: assign it",
    .operands = "REF",
    .n_operands = 1,
    .examples = "  squad ticket release 4V7QK-9XW2M --actor ana\n",
    .opts = release_opts,
    .n_opts = sizeof release_opts / sizeof *release_opts,
    .conf_size = sizeof(struct quarantine_conf),
    .run = release,
};
