#include "members.h"

#include "utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY_MINUTES = 24 * 60, OFFSET_MINUTES = 16 * 60 };

/* Exactly n digits; -1: something else, which may be the end of the text. */
static int digits(const char *text, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* "08:00" at the beginning of text, as minutes; -1: not one. */
static int minutes_of(const char *text)
{
    int hours = digits(text, 2);
    int minutes = hours >= 0 && text[2] == ':' ? digits(text + 3, 2) : -1;
    return minutes < 0 || minutes > 59 ? -1 : hours * 60 + minutes;
}

bool member_clock(const char *text)
{
    int minutes = minutes_of(text);
    return minutes >= 0 && minutes <= DAY_MINUTES && !text[5];
}

/* "2026-11-24" at the beginning of text. */
static bool begins_with_day(const char *text)
{
    int year = digits(text, 4);
    int month = year >= 1 && text[4] == '-' ? digits(text + 5, 2) : -1;
    int day = month >= 1 && text[7] == '-' ? digits(text + 8, 2) : -1;
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    if (day < 1)
        return false;
    timegm(&tm); /* the 31st of a short month becomes another day */
    return tm.tm_mon == month - 1 && tm.tm_mday == day;
}

bool member_day(const char *text)
{
    return begins_with_day(text) && !text[10];
}

bool member_local_time(const char *text)
{
    return begins_with_day(text) && text[10] == 'T' && member_clock(text + 11);
}

/* Z, or an offset that PostgreSQL takes. */
static bool is_zone(const char *text)
{
    if (strcmp(text, "Z") == 0)
        return true;
    int minutes = *text == '+' || *text == '-' ? minutes_of(text + 1) : -1;
    return minutes >= 0 && minutes < OFFSET_MINUTES && !text[6];
}

bool member_time(const char *text)
{
    if (!begins_with_day(text) || text[10] != 'T')
        return false;
    int minutes = minutes_of(text + 11);
    int seconds = minutes >= 0 && text[16] == ':' ? digits(text + 17, 2) : -1;
    if (seconds < 0 || seconds > 59 || minutes * 60 + seconds > DAY_MINUTES * 60)
        return false;
    const char *rest = text + 19;
    if (*rest == '.') {
        size_t n = strspn(rest + 1, "0123456789");
        if (n < 1 || n > 9 || (minutes == DAY_MINUTES && strspn(rest + 1, "0") < n))
            return false;
        rest += 1 + n;
    }
    return is_zone(rest);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    if (text[strcspn(text, " ,")]) /* several of them are not one */
        return false;
    for (const char *at = choices; n && (at = strstr(at, text)); at += n)
        if ((at == choices || at[-1] == ' ') && (!at[n] || at[n] == ',' || at[n] == ' '))
            return strcmp(text, "or") != 0;
    return false;
}

static const char *keep_json(struct request *r, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    const char *kept = request_keep(r, text, strlen(text));
    free(text);
    return kept;
}

static void check_elements(const struct member *m, const json_t *value, struct violations *v)
{
    char parent[64], index[24];
    const char *name, *wrong;
    size_t i;
    json_t *element;
    snprintf(parent, sizeof parent, "/%s", m->name);
    json_array_foreach(value, i, element) if ((wrong = m->check(NULL, element)))
    {
        snprintf(index, sizeof index, "%zu", i);
        violate_member(parent, index, wrong, v);
    }
    if (!json_is_object(value))
        return;
    json_object_foreach((json_t *)value, name, element) if ((wrong = m->check(name, element)))
        violate_member(parent, name, wrong, v);
}

/* The value as text; NULL: it breaks the rule, which is added. */
static const char *take(struct request *r, const struct member *m, const json_t *value,
                        struct violations *v)
{
    const char *text = json_string_value(value);
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/%s", m->name);
    switch (m->kind) {
    case MEMBER_TEXT:
        if (text && *text && utf8_length(text) <= (size_t)m->max)
            return request_keep(r, text, strlen(text));
        violate(v, pointer, "must have 1 to %.0f characters", m->max);
        return NULL;
    case MEMBER_CHOICE:
        if (text && is_choice(m->choices, text))
            return request_keep(r, text, strlen(text));
        violate(v, pointer, "must be %s", m->choices);
        return NULL;
    case MEMBER_ID:
        if (json_is_integer(value) && json_integer_value(value) > 0 &&
            json_integer_value(value) <= INT32_MAX)
            return request_keepf(r, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        violate(v, pointer, "must be a whole number from 1");
        return NULL;
    case MEMBER_WHOLE:
        if (json_is_integer(value) && (double)json_integer_value(value) >= m->min &&
            (double)json_integer_value(value) <= m->max)
            return request_keepf(r, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        violate(v, pointer, "must be a whole number from %g to %g", m->min, m->max);
        return NULL;
    case MEMBER_NUMBER:
        if (json_is_number(value) && json_number_value(value) >= m->min &&
            json_number_value(value) <= m->max)
            return request_keepf(r, "%.9g", json_number_value(value));
        violate(v, pointer, "must be a number from %g to %g", m->min, m->max);
        return NULL;
    case MEMBER_BOOL:
        if (json_is_boolean(value))
            return json_is_true(value) ? "true" : "false";
        violate(v, pointer, "must be true or false");
        return NULL;
    case MEMBER_DAY:
        if (text && member_day(text))
            return request_keep(r, text, strlen(text));
        violate(v, pointer, "must be a day as 2026-11-24");
        return NULL;
    case MEMBER_TIME:
        if (text && member_time(text))
            return request_keep(r, text, strlen(text));
        violate(v, pointer, "must be a time as 2026-11-24T08:00:00Z");
        return NULL;
    case MEMBER_ARRAY:
    case MEMBER_OBJECT:
        if (m->kind == MEMBER_ARRAY ? json_is_array(value) : json_is_object(value)) {
            check_elements(m, value, v);
            return keep_json(r, value);
        }
        violate(v, pointer, m->kind == MEMBER_ARRAY ? "must be an array" : "must be an object");
    }
    return NULL;
}

static void take_all(struct request *r, json_t *root, const struct member *members, size_t n,
                     const char **ret, struct violations *v)
{
    const char *name;
    char pointer[64];
    json_t *value;
    json_object_foreach(root, name, value)
    {
        size_t i = 0;
        while (i < n && strcmp(members[i].name, name) != 0)
            i++;
        if (i == n)
            violate_unknown("", name, v);
        else if (!json_is_null(value))
            ret[i] = take(r, &members[i], value, v);
    }
    for (size_t i = 0; i < n; i++)
        if (members[i].required && !json_object_get(root, members[i].name)) {
            snprintf(pointer, sizeof pointer, "/%s", members[i].name);
            violate(v, pointer, "is required");
        }
}

bool members_read(struct request *r, const struct member *members, size_t n,
                  const char *ret[MEMBERS_MAX])
{
    struct violations v = {0};
    json_t *root = r->body.len ? violations_read(r->body.data, r->body.len, &v) : json_object();
    memset(ret, 0, sizeof *ret * MEMBERS_MAX);
    if (root && !json_is_object(root))
        violate(&v, "", "must be a JSON object");
    else if (root)
        take_all(r, root, members, n, ret, &v);
    json_decref(root);
    if (v.n)
        reply_violations(r, &v);
    return v.n == 0;
}

const char *member_expert(struct request *r)
{
    char *end;
    long id = strtol(r->param[0], &end, 10);
    if (r->param[0][0] >= '1' && r->param[0][0] <= '9' && !*end && id <= INT32_MAX)
        return r->param[0];
    reply_problem(r, PROBLEM_NOT_FOUND, "There is no such expert.");
    return NULL;
}
