#include "opt.h"

#include "health.h"
#include "log.h"
#include "loop.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const char *const opt_log_levels[] = {"debug", "info", "warn", "error", NULL};
const char *const opt_log_formats[] = {"auto", "logfmt", "pretty", NULL};

enum { NEAREST_MAX_WORD = 63 };

static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NEAREST_MAX_WORD + 1], la = strlen(a), lb = strlen(b);
    if (la > NEAREST_MAX_WORD || lb > NEAREST_MAX_WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

const char *opt_nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2;
    for (size_t i = 0; i < n; i++) {
        size_t d = edit_distance(word, names[i]);
        if (d < best_distance) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}

/* Where a value came from, for errors: "--listen" or "SQUAD_LISTEN". */
static int bad_value(const struct opt *o, const char *origin, const char *value, struct err *reterr,
                     const char *rule)
{
    if (o->secret)
        return err_fatal(reterr, EXIT_CONFIG, "%s is wrong: it must be %s", origin, rule);
    return err_fatal(reterr, EXIT_CONFIG, "%s is \"%s\": it must be %s", origin, value, rule);
}

static int set_int(const struct opt *o, const char *origin, const char *text, long *ret,
                   struct err *reterr)
{
    char *end, rule[96];
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < o->min || v > o->max) {
        snprintf(rule, sizeof rule, "a whole number from %ld to %ld", o->min, o->max);
        return bad_value(o, origin, text, reterr, rule);
    }
    *ret = v;
    return 0;
}

static int set_bool(const struct opt *o, const char *origin, const char *text, bool *ret,
                    struct err *reterr)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off", ""};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (strcasecmp(text, yes[i]) == 0)
            return *ret = true, 0;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (strcasecmp(text, no[i]) == 0)
            return *ret = false, 0;
    return bad_value(o, origin, text, reterr, "true or false");
}

static int set_enum(const struct opt *o, const char *origin, const char *text, int *ret,
                    struct err *reterr)
{
    char rule[160] = "one of";
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], text) == 0)
            return *ret = i, 0;
        strncat(rule, i ? ", " : " ", sizeof rule - strlen(rule) - 1);
        strncat(rule, o->choices[i], sizeof rule - strlen(rule) - 1);
    }
    return bad_value(o, origin, text, reterr, rule);
}

static int add_item(const struct opt *o, const char *origin, const char *text,
                    struct opt_list *list, struct err *reterr)
{
    char rule[64];
    if (list->n == OPT_LIST_MAX) {
        snprintf(rule, sizeof rule, "given at most %d times", OPT_LIST_MAX);
        return bad_value(o, origin, text, reterr, rule);
    }
    list->item[list->n++] = text;
    return 0;
}

/* The environment's list is one string; its copy lives as long as the process. */
static char *copies[8];
static size_t n_copies;

static int add_items(const struct opt *o, const char *origin, const char *text,
                     struct opt_list *list, struct err *reterr)
{
    char *copy = strdup(text), *save = NULL;
    if (!copy || n_copies == sizeof copies / sizeof *copies)
        abort();
    copies[n_copies++] = copy;
    for (char *w = strtok_r(copy, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save))
        if (add_item(o, origin, w, list, reterr))
            return -1;
    return 0;
}

static int set_value(const struct opt *o, const char *origin, const char *text, void *conf,
                     bool whole_list, struct err *reterr)
{
    void *at = (char *)conf + o->offset;
    switch (o->type) {
    case OPT_STR:
        *(const char **)at = text;
        return 0;
    case OPT_INT:
        return set_int(o, origin, text, at, reterr);
    case OPT_BOOL:
        return set_bool(o, origin, text, at, reterr);
    case OPT_ENUM:
        return set_enum(o, origin, text, at, reterr);
    case OPT_LIST:
        return whole_list ? add_items(o, origin, text, at, reterr)
                          : add_item(o, origin, text, at, reterr);
    }
    return -1;
}

static int unknown_flag(const struct opt_set *set, const char *flag, struct err *reterr)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < set->n_opts && n < sizeof names / sizeof *names; i++)
        names[n++] = set->opts[i].name;
    const char *near = flag[1] == '-' ? opt_nearest(flag + 2, names, n) : NULL;
    err_fatal(reterr, EXIT_CONFIG, "there is no option %s", flag);
    if (near)
        return err_hint(reterr, "Did you mean --%s?", near);
    return err_hint(reterr, "%s --help lists the options.", set->program);
}

static const struct opt *find_opt(const struct opt_set *set, const char *arg,
                                  const char **ret_value)
{
    *ret_value = NULL;
    for (size_t i = 0; i < set->n_opts; i++) {
        const struct opt *o = &set->opts[i];
        if (arg[1] == '-') {
            size_t n = strlen(o->name);
            if (strncmp(arg + 2, o->name, n) == 0 && (arg[2 + n] == '\0' || arg[2 + n] == '=')) {
                *ret_value = arg[2 + n] ? arg + 3 + n : NULL;
                return o;
            }
        } else if (o->letter && arg[1] == o->letter) {
            *ret_value = arg[2] ? arg + 2 : NULL;
            return o;
        }
    }
    return NULL;
}

static int parse_argv(const struct opt_set *set, int argc, char *const *argv, void *conf,
                      int *ret_index, struct err *reterr)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        const char *value;
        const struct opt *o = find_opt(set, argv[i], &value);
        if (!o)
            return unknown_flag(set, argv[i], reterr);
        char origin[80];
        snprintf(origin, sizeof origin, "--%s", o->name);
        if (o->type == OPT_BOOL && !value)
            value = "true";
        else if (!value && ++i < argc)
            value = argv[i];
        if (!value)
            return err_fatal(reterr, EXIT_CONFIG, "%s needs a value (%s)", origin,
                             o->metavar ? o->metavar : "VALUE");
        if (set_value(o, origin, value, conf, false, reterr))
            return -1;
    }
    if (i < argc && !set->operands)
        return err_fatal(reterr, EXIT_CONFIG, "unexpected argument \"%s\"", argv[i]);
    *ret_index = i;
    return 0;
}

int opt_parse(const struct opt_set *set, int argc, char *const *argv, void *conf, int *ret_index,
              struct err *reterr)
{
    for (size_t i = 0; i < set->n_opts; i++) {
        const struct opt *o = &set->opts[i];
        const char *env = o->env ? getenv(o->env) : NULL;
        if (o->def && !(env && *env) && set_value(o, o->name, o->def, conf, true, reterr))
            return -1;
        if (env && *env && set_value(o, o->env, env, conf, true, reterr))
            return -1;
    }
    return parse_argv(set, argc, argv, conf, ret_index, reterr);
}

static void help_row(const struct opt *o, FILE *out)
{
    char flag[80], letter[8] = "    ";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(flag, sizeof flag, "%s--%s%s%s", letter, o->name, o->type == OPT_BOOL ? "" : "=",
             o->type == OPT_BOOL ? ""
             : o->metavar        ? o->metavar
                                 : "VALUE");
    if (strlen(flag) > 30)
        fprintf(out, "  %s\n  %-30s  %s\n", flag, "", o->help);
    else
        fprintf(out, "  %-30s  %s\n", flag, o->help);
    if (o->def && *o->def && o->type != OPT_BOOL && o->env)
        fprintf(out, "  %-30s  [%s; default %s]\n", "", o->env, o->def);
    else if (o->env)
        fprintf(out, "  %-30s  [%s]\n", "", o->env);
    else if (o->def && *o->def && o->type != OPT_BOOL)
        fprintf(out, "  %-30s  [default %s]\n", "", o->def);
}

void opt_help(const struct opt_set *set, FILE *out)
{
    fprintf(out, "%s: %s\n\nusage: %s [option ...]%s%s\n\n", set->program, set->summary,
            set->program, set->operands ? " " : "", set->operands ? set->operands : "");
    for (size_t i = 0; i < set->n_opts; i++)
        help_row(&set->opts[i], out);
    if (set->examples)
        fprintf(out, "\nexamples:\n%s", set->examples);
}

void opt_markdown(const struct opt_set *set, FILE *out)
{
    fprintf(out, "| option | environment | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < set->n_opts; i++) {
        const struct opt *o = &set->opts[i];
        fprintf(out, "| `");
        if (o->letter)
            fprintf(out, "-%c, ", o->letter);
        fprintf(out, "--%s", o->name);
        if (o->type != OPT_BOOL)
            fprintf(out, "=%s", o->metavar ? o->metavar : "VALUE");
        fprintf(out, "` | %s%s%s | ", o->env ? "`" : "", o->env ? o->env : "", o->env ? "`" : "");
        if (o->def && *o->def && o->type != OPT_BOOL)
            fprintf(out, "`%s`", o->def);
        fprintf(out, " | %s |\n", o->help);
    }
}

static bool given(const char *text)
{
    return text && *text;
}

/* Serves --health for a container's health check; it never returns. */
static void report_health(const struct conf_common *common)
{
    struct err err = {0};
    if (!given(common->heartbeat))
        err_fatal(&err, EXIT_CONFIG, "--health needs --heartbeat or SQUAD_HEARTBEAT");
    else if (health_check(common->heartbeat, now_ms(), &err) == 0)
        exit(EXIT_OK);
    log_err(LOG_ERROR, "not well", &err);
    exit((int)err.exit_code);
}

int opt_start(const struct opt_set *set, int argc, char *const *argv, void *conf)
{
    struct conf_common *common = conf;
    struct err err = {0};
    int index = argc;
    log_init(set->program, LOG_INFO, LOG_AUTO);
    int failed = opt_parse(set, argc, argv, conf, &index, &err);
    if (common->help || common->version || common->help_markdown) {
        if (common->version)
            printf("%s %s\n", set->program, SQUAD_VERSION);
        else if (common->help)
            opt_help(set, stdout);
        else
            opt_markdown(set, stdout);
        exit(EXIT_OK);
    }
    if (failed) {
        log_err(LOG_ERROR, "could not start", &err);
        exit(EXIT_CONFIG);
    }
    log_init(set->program, (enum log_level)common->log_level, (enum log_format)common->log_format);
    if (common->health)
        report_health(common);
    if (given(common->heartbeat) && health_open(common->heartbeat, &err)) {
        log_err(LOG_ERROR, "could not start", &err);
        exit((int)err.exit_code);
    }
    return index;
}
