/* squad client add, change, rotate, revoke, list: who may call intake. Running intakes see a change
 * within a second. */
#include "api_key.h"
#include "command.h"
#include "db.h"
#include "out.h"
#include "pg.h"
#include "sql.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_WAIT_MS = 5000, RATE_MAX = 10000000, GRACE_MAX_S = 30 * 24 * 3600 };

struct client_conf {
    struct conf_common common;
    struct opt_list scopes, origins;
    long rate, burst, grace_s;
    bool json;
};

static const struct pg_stmt stmts[] = {
    {"client_add", sql_client_add, 6, false},       {"client_change", sql_client_change, 5, false},
    {"client_rotate", sql_client_rotate, 3, false}, {"client_revoke", sql_client_revoke, 1, false},
    {"client_list", sql_client_list, 0, false},
};

static int open_db(struct pg **ret, const struct client_conf *conf, struct err *reterr)
{
    return db_open(ret,
                   &(struct pg_options){.conninfo = conf->common.db,
                                        .stmts = stmts,
                                        .n_stmts = sizeof stmts / sizeof *stmts},
                   CONNECT_WAIT_MS, reterr);
}

static void print_key(const struct client_conf *conf, const char *name, const char *key)
{
    if (conf->json)
        out_json(json_pack("{s:s, s:s}", "client", name, "api_key", key));
    else
        printf("client \"%s\" has the API key %s (shown this once)\n", name, key);
}

static int no_such(struct err *reterr, const char *name)
{
    err_fatal(reterr, EXIT_FOUND, "there is no client \"%s\", or it is revoked", name);
    return err_hint(reterr, "squad client list shows them all.");
}

/* --- add --- */

static int explain_add(struct err *reterr, const char *name)
{
    if (strcmp(reterr->constraint, "client_name_key") == 0)
        return err_fatal(reterr, EXIT_FOUND, "there is a client \"%s\" already", name);
    if (strcmp(reterr->constraint, "client_scopes") == 0)
        return err_fatal(
            reterr, EXIT_CONFIG,
            "--scope is wrong: it must be tickets:write, tickets:read, calls:write, jobs:write, "
            "experts:read, experts:write or form");
    if (strcmp(reterr->constraint, "client_origins") == 0)
        return err_fatal(
            reterr, EXIT_CONFIG,
            "--origin is wrong: it must be as https://www.example.com, without a path");
    if (strcmp(reterr->constraint, "client_name_check") == 0)
        return err_fatal(reterr, EXIT_CONFIG, "NAME must have 1 to 64 characters");
    return -1;
}

static void param_list(struct pg_params *p, struct pg_array *a, const struct opt_list *list)
{
    pg_array_init(a, PG_TEXT);
    for (size_t i = 0; i < list->n; i++)
        pg_array_text(a, list->item[i]);
    pg_array_param(a, p);
}

static int add(const void *arg, char *const *operands, struct err *reterr)
{
    const struct client_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    char key[API_KEY_TEXT_MAX];
    struct pg_params p = {0};
    struct pg_array scopes, origins;
    if (api_key_make(key, reterr) || open_db(&pg, conf, reterr))
        return -1;
    pg_param_text(&p, operands[0]);
    pg_param_text(&p, key);
    param_list(&p, &scopes, &conf->scopes);
    param_list(&p, &origins, &conf->origins);
    pg_param_int4(&p, (int32_t)conf->rate);
    pg_param_int4(&p, (int32_t)conf->burst);
    int failed = pg_run(pg, "client_add", &p, NULL, reterr);
    pg_array_free(&scopes);
    pg_array_free(&origins);
    if (failed)
        return explain_add(reterr, operands[0]);
    print_key(conf, operands[0], key);
    return EXIT_OK;
}

/* --- change --- */

/* An empty list: null, as it is. */
static void param_list_or_null(struct pg_params *p, struct pg_array *a, const struct opt_list *list)
{
    if (list->n) {
        param_list(p, a, list);
    } else {
        pg_array_init(a, PG_TEXT);
        pg_param_null(p);
    }
}

/* "none" alone: no origin any more. A client without scopes is one to revoke. */
static void param_origins(struct pg_params *p, struct pg_array *a, const struct opt_list *list)
{
    struct opt_list none = {0};
    if (list->n == 1 && strcmp(list->item[0], "none") == 0)
        param_list(p, a, &none);
    else
        param_list_or_null(p, a, list);
}

static int change(const void *arg, char *const *operands, struct err *reterr)
{
    const struct client_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params p = {0};
    struct pg_array scopes, origins;
    if (!conf->scopes.n && !conf->origins.n && conf->rate < 0 && conf->burst < 0)
        return err_fatal(reterr, EXIT_CONFIG,
                         "say what to change: --scope, --origin, --rate or --burst");
    if (open_db(&pg, conf, reterr))
        return -1;
    pg_param_text(&p, operands[0]);
    param_list_or_null(&p, &scopes, &conf->scopes);
    param_origins(&p, &origins, &conf->origins);
    pg_param_int4(&p, (int32_t)conf->rate);
    pg_param_int4(&p, (int32_t)conf->burst);
    int failed = pg_run(pg, "client_change", &p, &res, reterr);
    pg_array_free(&scopes);
    pg_array_free(&origins);
    if (failed)
        return explain_add(reterr, operands[0]);
    if (PQntuples(res) == 0)
        return no_such(reterr, operands[0]);
    if (conf->json)
        out_json(json_pack("{s:s, s:s, s:s}", "client", operands[0], "scopes",
                           PQgetvalue(res, 0, 0), "origins", PQgetvalue(res, 0, 1)));
    else
        printf("client \"%s\" may now: %s\n", operands[0], PQgetvalue(res, 0, 0));
    return EXIT_OK;
}

/* --- rotate, revoke --- */

static int rotate(const void *arg, char *const *operands, struct err *reterr)
{
    const struct client_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *res = NULL;
    char key[API_KEY_TEXT_MAX];
    struct pg_params p = {0};
    if (api_key_make(key, reterr) || open_db(&pg, conf, reterr))
        return -1;
    pg_param_text(&p, operands[0]);
    pg_param_text(&p, key);
    pg_param_int4(&p, (int32_t)conf->grace_s);
    if (pg_run(pg, "client_rotate", &p, &res, reterr))
        return -1;
    if (PQntuples(res) == 0)
        return no_such(reterr, operands[0]);
    print_key(conf, operands[0], key);
    if (conf->grace_s && !conf->json)
        printf("the key before is let in for %ld s more\n", conf->grace_s);
    return EXIT_OK;
}

static int revoke(const void *arg, char *const *operands, struct err *reterr)
{
    const struct client_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params p = {0};
    if (open_db(&pg, conf, reterr))
        return -1;
    pg_param_text(&p, operands[0]);
    if (pg_run(pg, "client_revoke", &p, &res, reterr))
        return -1;
    if (PQntuples(res) == 0)
        return no_such(reterr, operands[0]);
    if (conf->json)
        out_json(json_pack("{s:s, s:b}", "client", operands[0], "revoked", 1));
    else
        printf("client \"%s\" is let in no more\n", operands[0]);
    return EXIT_OK;
}

/* --- list --- */

enum { NAME, SCOPES, ORIGINS, RATE, BURST, CREATED, REVOKED, OLD_KEY };

static json_t *time_or_null(const PGresult *res, int row, int col)
{
    char buf[OUT_TEXT_MAX];
    return PQgetisnull(res, row, col) ? json_null()
                                      : json_string(out_rfc3339(buf, pg_get_int8(res, row, col)));
}

static void list_json(const PGresult *res)
{
    json_t *all = json_array();
    for (int row = 0; row < PQntuples(res); row++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o}", "client",
                                             PQgetvalue(res, row, NAME), "scopes",
                                             PQgetvalue(res, row, SCOPES), "origins",
                                             PQgetvalue(res, row, ORIGINS), "rate_per_s",
                                             (json_int_t)pg_get_int8(res, row, RATE), "burst",
                                             (json_int_t)pg_get_int8(res, row, BURST), "created_at",
                                             time_or_null(res, row, CREATED), "revoked_at",
                                             time_or_null(res, row, REVOKED), "old_key_until",
                                             time_or_null(res, row, OLD_KEY)));
    out_json(all);
}

static void time_cell(struct table *table, const PGresult *res, int row, int col)
{
    char buf[OUT_TEXT_MAX];
    table_cell(table, "%.16s",
               PQgetisnull(res, row, col) ? "" : out_time(buf, pg_get_int8(res, row, col)));
}

static void list_text(const PGresult *res)
{
    static const struct table_column columns[] = {
        {"client", false}, {"may", false},     {"origins", false},      {"requests/s", true},
        {"at once", true}, {"revoked", false}, {"old key until", false}};
    struct table *table = table_new(columns, sizeof columns / sizeof *columns);
    if (!PQntuples(res))
        printf("there is no client; squad client add NAME makes one\n");
    for (int row = 0; row < PQntuples(res); row++) {
        table_cell(table, "%s", PQgetvalue(res, row, NAME));
        table_cell(table, "%s", PQgetvalue(res, row, SCOPES));
        table_cell(table, "%s", PQgetvalue(res, row, ORIGINS));
        table_cell(table, "%s", pg_get_int8(res, row, RATE) ? PQgetvalue(res, row, RATE) : "");
        table_cell(table, "%s", pg_get_int8(res, row, BURST) ? PQgetvalue(res, row, BURST) : "");
        time_cell(table, res, row, REVOKED);
        time_cell(table, res, row, OLD_KEY);
    }
    if (PQntuples(res))
        table_print(table, stdout);
    table_free(table);
}

static int list(const void *arg, char *const *operands, struct err *reterr)
{
    const struct client_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *res = NULL;
    (void)operands;
    if (open_db(&pg, conf, reterr) || pg_run(pg, "client_list", NULL, &res, reterr))
        return -1;
    if (conf->json)
        list_json(res);
    else
        list_text(res);
    return EXIT_OK;
}

static const struct opt add_opts[] = {
    {.name = "scope",
     .type = OPT_LIST,
     .offset = offsetof(struct client_conf, scopes),
     .metavar = "SCOPE",
     .help = "what it may do (default: all but experts and form)"},
    {.name = "origin",
     .type = OPT_LIST,
     .offset = offsetof(struct client_conf, origins),
     .metavar = "URL",
     .help = "site whose pages may call in its name (CORS)"},
    {.name = "rate",
     .type = OPT_INT,
     .offset = offsetof(struct client_conf, rate),
     .max = RATE_MAX,
     .metavar = "N",
     .help = "requests a second (default: intake's --client-rate)"},
    {.name = "burst",
     .type = OPT_INT,
     .offset = offsetof(struct client_conf, burst),
     .max = RATE_MAX,
     .metavar = "N",
     .help = "requests at once (default: twice --rate)"},
    OPT_JSON(struct client_conf),
    OPT_COMMON_BASE(struct client_conf),
};

static const struct opt change_opts[] = {
    {.name = "scope",
     .type = OPT_LIST,
     .offset = offsetof(struct client_conf, scopes),
     .metavar = "SCOPE",
     .help = "what it may do from now on; may be repeated"},
    {.name = "origin",
     .type = OPT_LIST,
     .offset = offsetof(struct client_conf, origins),
     .metavar = "URL",
     .help = "site whose pages may call in its name; none: no site"},
    {.name = "rate",
     .type = OPT_INT,
     .offset = offsetof(struct client_conf, rate),
     .def = "-1",
     .min = -1,
     .max = RATE_MAX,
     .metavar = "N",
     .help = "requests a second; 0: intake's --client-rate; -1: as it is"},
    {.name = "burst",
     .type = OPT_INT,
     .offset = offsetof(struct client_conf, burst),
     .def = "-1",
     .min = -1,
     .max = RATE_MAX,
     .metavar = "N",
     .help = "requests at once; 0: twice --rate; -1: as it is"},
    OPT_JSON(struct client_conf),
    OPT_COMMON_BASE(struct client_conf),
};

static const struct opt rotate_opts[] = {
    {.name = "grace",
     .type = OPT_INT,
     .offset = offsetof(struct client_conf, grace_s),
     .def = "3600",
     .max = GRACE_MAX_S,
     .metavar = "S",
     .help = "seconds for which the old key is let in"},
    OPT_JSON(struct client_conf),
    OPT_COMMON_BASE(struct client_conf),
};

static const struct opt plain_opts[] = {OPT_JSON(struct client_conf),
                                        OPT_COMMON_BASE(struct client_conf)};

#define COMMAND(variable, title, does, operand, n, table, function, shown)                         \
    const struct command variable = {.name = title,                                                \
                                     .summary = does,                                              \
                                     .operands = operand,                                          \
                                     .n_operands = n,                                              \
                                     .examples = shown,                                            \
                                     .opts = table,                                                \
                                     .n_opts = sizeof table / sizeof *table,                       \
                                     .conf_size = sizeof(struct client_conf),                      \
                                     .run = function}

COMMAND(client_add_command, "client add", "let another system call intake; prints its API key",
        "NAME", 1, add_opts, add,
        "  squad client add web-backend --scope tickets:write --scope tickets:read\n"
        "  squad client add website --scope form        # the form at /new/website\n"
        "  squad client add spa --origin https://www.example.com --rate 50\n");
COMMAND(client_change_command, "client change",
        "change what a client may do, its origins or its rate", "NAME", 1, change_opts, change,
        "  squad client change web-backend --scope tickets:write    # and nothing else any more\n"
        "  squad client change spa --origin none --rate 200\n");
COMMAND(client_rotate_command, "client rotate", "give a client another API key", "NAME", 1,
        rotate_opts, rotate,
        "  squad client rotate web-backend              # the old key works for another hour\n"
        "  squad client rotate web-backend --grace 0    # the old key is known to others\n");
COMMAND(client_revoke_command, "client revoke", "let a client in no more", "NAME", 1, plain_opts,
        revoke, "  squad client revoke web-backend\n");
COMMAND(client_list_command, "client list", "show who may call intake", NULL, 0, plain_opts, list,
        "  squad client list --json\n");
