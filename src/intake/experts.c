/* What is changed about an expert: PUT /v1/experts/{id}/status|location|skills|areas|shifts. */
#include "ask.h"
#include "members.h"
#include "resources.h"
#include "route.h"
#include "sql.h"
#include "ticket.h"

#include <stdio.h>
#include <string.h>

static const struct pg_stmt expert_status = {"expert_status", sql_expert_status, 4, false};
static const struct pg_stmt expert_location = {"expert_location", sql_expert_location, 4, false};
static const struct pg_stmt expert_skills = {"expert_skills", sql_expert_skills, 3, false};
static const struct pg_stmt expert_areas = {"expert_areas", sql_expert_areas, 3, false};
static const struct pg_stmt expert_shifts = {"expert_shifts", sql_expert_shifts, 5, false};
static const struct pg_stmt expert_week = {"expert_week", sql_expert_week, 4, false};

static void put_status(struct request *r)
{
    static const struct member members[] = {{.name = "status",
                                             .kind = MEMBER_CHOICE,
                                             .required = true,
                                             .choices = "available, busy, break or offline"},
                                            {.name = "reason", .kind = MEMBER_TEXT, .max = 200}};
    const char *value[MEMBERS_MAX], *expert = member_expert(r);
    if (expert && members_read(r, members, 2, value))
        ASK(r, &expert_status, reply_row, expert, value[0], value[1], r->actor);
}

static void put_location(struct request *r)
{
    static const struct member members[] = {
        {.name = "lat", .kind = MEMBER_NUMBER, .required = true, .min = -90, .max = 90},
        {.name = "lon", .kind = MEMBER_NUMBER, .required = true, .min = -180, .max = 180},
        {.name = "at", .kind = MEMBER_TIME}};
    const char *value[MEMBERS_MAX], *expert = member_expert(r);
    if (expert && members_read(r, members, 3, value))
        ASK(r, &expert_location, reply_row, expert, value[0], value[1], value[2]);
}

static const char *check_skill(const char *name, const json_t *value)
{
    if (!*name || strlen(name) > 64 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")])
        return "is not the name of a skill";
    return json_is_integer(value) && json_integer_value(value) >= 1 &&
                   json_integer_value(value) <= 5
               ? NULL
               : "must be a level from 1 to 5";
}

static void put_skills(struct request *r)
{
    static const struct member members[] = {
        {.name = "skills", .kind = MEMBER_OBJECT, .required = true, .check = check_skill}};
    const char *value[MEMBERS_MAX], *expert = member_expert(r);
    if (expert && members_read(r, members, 1, value))
        ASK(r, &expert_skills, reply_row, expert, value[0], r->actor);
}

static const char *check_area(const char *name, const json_t *value)
{
    const char *text = json_string_value(value);
    (void)name;
    return text && *text && strlen(text) <= TICKET_AREA_MAX &&
                   !text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -")]
               ? NULL
               : "must be the beginning of a postcode: 1 to 16 of A-Z, 0-9, blank and dash";
}

static void put_areas(struct request *r)
{
    static const struct member members[] = {
        {.name = "areas", .kind = MEMBER_ARRAY, .required = true, .check = check_area}};
    const char *value[MEMBERS_MAX], *expert = member_expert(r);
    if (expert && members_read(r, members, 1, value))
        ASK(r, &expert_areas, reply_row, expert, value[0], r->actor);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static const char *check_shift(const char *name, const json_t *value)
{
    (void)name;
    return json_object_size(value) == 2 && member_local_time(text_of(value, "from")) &&
                   member_local_time(text_of(value, "to"))
               ? NULL
               : "must be {\"from\":\"2026-11-24T08:00\",\"to\":\"2026-11-24T16:00\"} in the "
                 "expert's zone";
}

static const char *check_weekday(const char *name, const json_t *value)
{
    const json_t *day = json_object_get(value, "weekday");
    (void)name;
    return json_object_size(value) == 3 && json_is_integer(day) && json_integer_value(day) >= 1 &&
                   json_integer_value(day) <= 7 && member_clock(text_of(value, "starts")) &&
                   strcmp(text_of(value, "starts"), "24:00") != 0 &&
                   member_clock(text_of(value, "ends"))
               ? NULL
               : "must be {\"weekday\":1,\"starts\":\"08:00\",\"ends\":\"16:00\"}, 1 Monday to 7 "
                 "Sunday";
}

static void refuse_zone(struct request *r)
{
    struct violations v = {0};
    violate(&v, "/zone", "must be an IANA time zone, as Europe/Madrid");
    reply_violations(r, &v);
}

/* What may be one: the constraint of squad.expert knows which there are. */
static bool may_be_zone(const char *zone)
{
    return zone[strspn(
               zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/")] == '\0';
}

static void reply_week(struct request *r, const PGresult *res)
{
    if (PQntuples(res) && strcmp(PQgetvalue(res, 0, 0), "unknown_zone") == 0)
        refuse_zone(r);
    else
        reply_row(r, res);
}

/* Either shifts of the days from-to, or the working week. */
static void put_shifts(struct request *r)
{
    static const struct member members[] = {
        {.name = "from", .kind = MEMBER_DAY},
        {.name = "to", .kind = MEMBER_DAY},
        {.name = "shifts", .kind = MEMBER_ARRAY, .check = check_shift},
        {.name = "week", .kind = MEMBER_ARRAY, .check = check_weekday},
        {.name = "zone", .kind = MEMBER_TEXT, .max = 64}};
    const char *value[MEMBERS_MAX], *expert = member_expert(r);
    struct violations v = {0};
    if (!expert || !members_read(r, members, 5, value))
        return;
    if (value[3] && !value[0] && !value[1] && !value[2]) {
        if (value[4] && !may_be_zone(value[4]))
            refuse_zone(r);
        else
            ASK(r, &expert_week, reply_week, expert, value[4], value[3], r->actor);
        return;
    }
    if (value[0] && value[1] && value[2] && !value[3] && !value[4] &&
        strcmp(value[0], value[1]) <= 0) {
        ASK(r, &expert_shifts, reply_row, expert, value[0], value[1], value[2], r->actor);
        return;
    }
    violate(&v, "",
            "must have from, to (not before it) and shifts; or week and, if it changes, zone");
    reply_violations(r, &v);
}

static const struct route routes[] = {
    {"PUT", "/v1/experts/{}/status", put_status, SCOPE_EXPERTS_WRITE, TAKES_JSON, GIVES_JSON},
    {"PUT", "/v1/experts/{}/location", put_location, SCOPE_EXPERTS_WRITE, TAKES_JSON, GIVES_JSON},
    {"PUT", "/v1/experts/{}/skills", put_skills, SCOPE_EXPERTS_WRITE, TAKES_JSON, GIVES_JSON},
    {"PUT", "/v1/experts/{}/areas", put_areas, SCOPE_EXPERTS_WRITE, TAKES_JSON, GIVES_JSON},
    {"PUT", "/v1/experts/{}/shifts", put_shifts, SCOPE_EXPERTS_WRITE, TAKES_JSON, GIVES_JSON},
};
static const struct pg_stmt *const stmts[] = {&expert_status, &expert_location, &expert_skills,
                                              &expert_areas,  &expert_shifts,   &expert_week};

const struct resource experts_resource = {routes, sizeof routes / sizeof *routes, stmts,
                                          sizeof stmts / sizeof *stmts};
