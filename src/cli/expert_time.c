/* squad expert week, shifts, absence, back: working time. */
#include "expert_set.h"

#include "answer.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RANGES_MAX = 64, ARRAY_MAX = 4096 };

static const struct pg_stmt stmts[] = {{"expert_week", sql_expert_week, 5, false},
                                       {"expert_shifts", sql_expert_shifts, 4, false},
                                       {"expert_absence", sql_expert_absence, 4, false},
                                       {"absence_remove", sql_absence_remove, 1, false},
                                       FIND_STMTS};

static int open_session(struct pg **pg, const struct set_conf *conf, struct err *reterr)
{
    return answer_open(pg, conf->common.db, stmts, sizeof stmts / sizeof *stmts, reterr);
}

/* Array literals that are filled item by item. */
struct arrays {
    char days[ARRAY_MAX], starts[ARRAY_MAX], ends[ARRAY_MAX];
};

static void append(char *literal, const char *item)
{
    size_t used = strlen(literal);
    snprintf(literal + used, ARRAY_MAX - used, "%s\"%s\"", used > 1 ? "," : "", item);
}

static bool is_clock(const char *text)
{
    int hours, minutes, end = 0;
    return strlen(text) == 5 && sscanf(text, "%2d:%2d%n", &hours, &minutes, &end) == 2 &&
           end == 5 && hours >= 0 && minutes >= 0 && minutes < 60 &&
           (hours < 24 || (hours == 24 && minutes == 0));
}

/* "08:00-16:00" */
static bool read_range(const char *text, char starts[6], char ends[6])
{
    return strlen(text) == 11 && text[5] == '-' && snprintf(starts, 6, "%.5s", text) == 5 &&
           snprintf(ends, 6, "%.5s", text + 6) == 5 && is_clock(starts) && is_clock(ends) &&
           strcmp(starts, "24:00") != 0;
}

/* 1 Monday to 7 Sunday; 0: no day. */
static int day_of(const char *name)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    for (int i = 0; i < 7; i++)
        if (strncasecmp(name, days[i], 3) == 0)
            return i + 1;
    return 0;
}

/* "mon-fri 08:00-16:00" or "sat 09:00-13:00" */
static bool add_days(struct arrays *a, const char *item)
{
    char starts[6], ends[6], number[4];
    const char *blank = strchr(item, ' ');
    int first = day_of(item), last = first;
    if (!blank || !first || !read_range(blank + 1 + strspn(blank + 1, " "), starts, ends))
        return false;
    if (blank - item == 7 && item[3] == '-')
        last = day_of(item + 4);
    else if (blank - item != 3)
        return false;
    if (!last)
        return false;
    for (int day = first;; day = day % 7 + 1) {
        snprintf(number, sizeof number, "%d", day);
        append(a->days, number);
        append(a->starts, starts);
        append(a->ends, ends);
        if (day == last)
            return true;
    }
}

static void close_arrays(struct arrays *a)
{
    strcat(a->days, "}");
    strcat(a->starts, "}");
    strcat(a->ends, "}");
}

static int week(const void *arg, char *const *operands, struct err *reterr)
{
    static const struct set_problem problems[] = {
        {"overlap", "two working times of the week overlap"},
        {"unknown_zone", "there is no such time zone: --zone takes one as Europe/Madrid"},
        {0}};
    const struct set_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    struct expert_name expert;
    struct arrays a = {"{", "{", "{"};
    const char *list = set_list(operands[1], reterr);
    char item[64];
    if (!list)
        return -1;
    for (int n = 0; set_next(&list, item, sizeof item); n++)
        if (n == RANGES_MAX || !add_days(&a, item)) {
            err_fatal(reterr, EXIT_CONFIG, "\"%s\" is not days with a working time", item);
            return err_hint(reterr, "As 'mon-fri 08:00-16:00, sat 09:00-13:00'; an end before its "
                                    "start is on the next day.");
        }
    close_arrays(&a);
    const char *values[] = {*conf->zone ? conf->zone : NULL, a.days, a.starts, a.ends};
    if (open_session(&pg, conf, reterr) || find_expert(pg, operands[0], &expert, reterr) ||
        set_run(pg, &expert, "expert_week", values, 4, problems, reterr))
        return -1;
    printf("%s works %s\n", expert.name, operands[1]);
    return EXIT_OK;
}

static bool is_date(const char *text)
{
    int year, month, day, end = 0;
    return strlen(text) == 10 && sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) == 3 &&
           end == 10 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* Adds one shift of that day; one that does not end after it begins ends on the next. */
static bool add_shift(struct arrays *a, const char *date, const char *item)
{
    char starts[6], ends[6], text[64];
    if (!read_range(item, starts, ends))
        return false;
    snprintf(text, sizeof text, "%s %s", date, starts);
    append(a->starts, text);
    if (strcmp(ends, starts) > 0)
        snprintf(text, sizeof text, "%s %s", date, ends);
    else {
        int year, month, day;
        sscanf(date, "%d-%d-%d", &year, &month, &day);
        struct tm tm = {
            .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day + 1, .tm_hour = 12};
        time_t noon = timegm(&tm);
        gmtime_r(&noon, &tm);
        snprintf(text, sizeof text, "%04d-%02d-%02d %s", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, ends);
    }
    append(a->ends, text);
    return true;
}

static int shifts(const void *arg, char *const *operands, struct err *reterr)
{
    static const struct set_problem problems[] = {
        {"overlap", "two shifts overlap"},
        {"wrong_range", "a shift does not end after it begins: clocks change that day"},
        {0}};
    _cleanup_pg_ struct pg *pg = NULL;
    struct expert_name expert;
    struct arrays a = {"{", "{", "{"};
    const char *list = set_list(operands[2], reterr);
    char item[64];
    if (!list)
        return -1;
    if (!is_date(operands[1]))
        return err_fatal(reterr, EXIT_CONFIG, "\"%s\" is not a day as 2026-03-29", operands[1]);
    for (int n = 0; set_next(&list, item, sizeof item); n++)
        if (n == RANGES_MAX || !add_shift(&a, operands[1], item)) {
            err_fatal(reterr, EXIT_CONFIG, "\"%s\" is not a working time", item);
            return err_hint(reterr, "As 08:00-12:00,13:00-17:00, or none.");
        }
    close_arrays(&a);
    const char *values[] = {operands[1], a.starts, a.ends};
    if (open_session(&pg, arg, reterr) || find_expert(pg, operands[0], &expert, reterr) ||
        set_run(pg, &expert, "expert_shifts", values, 3, problems, reterr))
        return -1;
    printf("%s works %s on %s\n", expert.name, operands[2], operands[1]);
    return EXIT_OK;
}

static bool is_moment(const char *text)
{
    char day[11];
    snprintf(day, sizeof day, "%.10s", text);
    return is_date(day) &&
           (!text[10] || ((text[10] == 'T' || text[10] == ' ') && is_clock(text + 11)));
}

static int absence(const void *arg, char *const *operands, struct err *reterr)
{
    static const char *const reasons[] = {"holiday", "sick", "training", "other"};
    const struct set_conf *conf = arg;
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params params = {0};
    struct expert_name expert;
    bool open = strcmp(operands[2], "open") == 0;
    const char *near = opt_nearest(conf->reason, reasons, 4);
    if (!near || strcmp(near, conf->reason) != 0)
        return err_fatal(reterr, EXIT_CONFIG,
                         "\"%s\" is not a reason: holiday, sick, training or other", conf->reason);
    for (int i = 1; i <= 2; i++)
        if (!(i == 2 && open) && !is_moment(operands[i]))
            return err_fatal(reterr, EXIT_CONFIG,
                             "\"%s\" is not a day or a time as 2026-12-24 or 2026-12-24T08:00",
                             operands[i]);
    if (!open && strcmp(operands[1], operands[2]) >= 0)
        return err_fatal(reterr, EXIT_CONFIG, "the absence ends before it begins");
    if (open_session(&pg, conf, reterr) || find_expert(pg, operands[0], &expert, reterr))
        return -1;
    pg_param_int4(&params, expert.id);
    pg_param_text(&params, operands[1]);
    pg_param_text(&params, open ? NULL : operands[2]);
    pg_param_text(&params, conf->reason);
    if (pg_run(pg, "expert_absence", &params, &res, reterr))
        return -1;
    printf("%s is absent from %s %s%s: absence %s\n", expert.name, operands[1],
           open ? "until it is taken back" : "to ", open ? "" : operands[2],
           PQntuples(res) ? PQgetvalue(res, 0, 0) : "");
    return EXIT_OK;
}

static int back(const void *arg, char *const *operands, struct err *reterr)
{
    _cleanup_pg_ struct pg *pg = NULL;
    _cleanup_result_ PGresult *res = NULL;
    struct pg_params params = {0};
    if (!*operands[0] || operands[0][strspn(operands[0], "0123456789")] ||
        strlen(operands[0]) > 18) {
        err_fatal(reterr, EXIT_CONFIG, "\"%s\" is not the number of an absence", operands[0]);
        return err_hint(reterr, "squad expert show EXPERT shows the numbers.");
    }
    if (open_session(&pg, arg, reterr))
        return -1;
    pg_param_text(&params, operands[0]);
    if (pg_run(pg, "absence_remove", &params, &res, reterr))
        return -1;
    if (!pg_get_bool(res, 0, 0))
        return err_fatal(reterr, EXIT_FOUND, "there is no absence %s", operands[0]);
    printf("absence %s is taken back\n", operands[0]);
    return EXIT_OK;
}

static const struct opt week_opts[] = {
    {.name = "zone",
     .type = OPT_STR,
     .offset = offsetof(struct set_conf, zone),
     .def = "",
     .metavar = "ZONE",
     .help = "IANA time zone of these hours, as Europe/Madrid (default: as it is)"},
    SET_OPTS_BASE,
};
static const struct opt absence_opts[] = {
    {.name = "reason",
     .type = OPT_STR,
     .offset = offsetof(struct set_conf, reason),
     .def = "other",
     .metavar = "WHY",
     .help = "holiday, sick, training or other"},
    SET_OPTS_BASE,
};
static const struct opt opts[] = {SET_OPTS_BASE};

SET_COMMAND(expert_week_command, "expert week", "replace an expert's working week", "EXPERT HOURS",
            2,
            "  squad expert week 7 'mon-fri 08:00-16:00, sat 09:00-13:00' --zone Europe/Madrid\n",
            week_opts, week);
SET_COMMAND(expert_shifts_command, "expert shifts", "replace an expert's shifts of one day",
            "EXPERT DAY HOURS", 3,
            "  squad expert shifts 7 2026-12-24 08:00-12:00\n"
            "  squad expert shifts 7 2026-12-25 none\n",
            opts, shifts);
SET_COMMAND(
    expert_absence_command, "expert absence", "an expert is away for a time", "EXPERT FROM TO", 3,
    "  squad expert absence 7 2026-08-03 2026-08-17 --reason holiday\n"
    "  squad expert absence 7 2026-11-24T10:00 open --reason sick     # until squad expert back\n",
    absence_opts, absence);
SET_COMMAND(expert_back_command, "expert back", "take an absence back", "NUMBER", 1,
            "  squad expert back 12\n", opts, back);
