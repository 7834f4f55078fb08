#include "validate.h"

#include "json_place.h"
#include "mem.h"
#include "scan.h"
#include "utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDEMPOTENCY_KEY_MAX = 255 };

/* What a field may hold beyond its length. Return the rule that s breaks, or NULL. */
typedef const char *rule_fn(const char *s);

static const char *one_line(const char *s)
{
    bool blank = true;
    for (; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return "must not contain control characters";
        blank &= *s == ' ';
    }
    return blank ? "must not be blank" : NULL;
}

static const char *prose(const char *s)
{
    bool blank = true;
    for (; *s; s++) {
        if (((unsigned char)*s < ' ' && !strchr("\t\n\r", *s)) || *s == 0x7f)
            return "must not contain control characters other than tab and line end";
        blank &= strchr(" \t\n\r", *s) != NULL;
    }
    return blank ? "must not be blank" : NULL;
}

static const char *phone(const char *s)
{
    bool digit = false;
    for (; *s; s++) {
        if (!strchr("+0123456789 ()./-", *s))
            return "must consist of digits and + ( ) . / - or blanks";
        digit |= isdigit((unsigned char)*s) != 0;
    }
    return digit ? NULL : "must contain a digit";
}

static const char *email(const char *s)
{
    static const char rule[] = "must be an address like name@example.com";
    const char *at = strchr(s, '@');
    if (!at || at == s || !at[1] || strchr(at + 1, '@'))
        return rule;
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return rule;
    return NULL;
}

/* A member of the body: where it goes and what it must be. */
struct field {
    const char *name, *pointer;
    size_t offset; /* of a const char * in struct ticket_fields */
    size_t min_chars, max_chars;
    bool required;
    rule_fn *rule;
};

#define TO(member) offsetof(struct ticket_fields, member)

static const struct field ticket_members[] = {
    {"type", "/type", TO(type), 1, TICKET_TYPE_MAX, true, one_line},
    {"problem", "/problem", TO(problem), 1, TICKET_PROBLEM_MAX, true, prose},
    {"source", "/source", TO(source), 1, TICKET_SOURCE_MAX, false, one_line},
    {"contract", "/contract", TO(contract), 1, TICKET_CONTRACT_MAX, false, one_line},
};

static const struct field customer_members[] = {
    {"ref", "/customer/ref", TO(customer_ref), 1, TICKET_CUSTOMER_REF_MAX, false, one_line},
    {"name", "/customer/name", TO(customer_name), 1, TICKET_CUSTOMER_NAME_MAX, false, one_line},
    {"phone", "/customer/phone", TO(customer_phone), 1, TICKET_CUSTOMER_PHONE_MAX, false, phone},
    {"email", "/customer/email", TO(customer_email), 3, TICKET_CUSTOMER_EMAIL_MAX, false, email},
};

enum {
    N_TICKET_MEMBERS = sizeof ticket_members / sizeof *ticket_members,
    N_CUSTOMER_MEMBERS = sizeof customer_members / sizeof *customer_members
};

static void check_text(const struct field *f, const char *s, struct ticket_fields *out,
                       struct violations *v)
{
    size_t n = utf8_length(s);
    if (n < f->min_chars || n > f->max_chars) {
        violate(v, f->pointer, "must have %zu to %zu characters, has %zu", f->min_chars,
                f->max_chars, n);
        return;
    }
    const char *rule = f->rule(s);
    if (rule)
        violate(v, f->pointer, "%s", rule);
    else
        *(const char **)((char *)out + f->offset) = s;
}

static void check_area_text(const char *s, struct ticket_fields *out, struct violations *v)
{
    size_t len = strlen(s);
    while (len && *s == ' ')
        s++, len--;
    while (len && s[len - 1] == ' ')
        len--;
    if (len < 1 || len > TICKET_AREA_MAX) {
        violate(v, "/area", "must have 1 to %d characters", TICKET_AREA_MAX);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x80 || !(isalnum(c) || c == ' ' || c == '-')) {
            violate(v, "/area", "must consist of A-Z, 0-9, blank and -");
            return;
        }
        out->area[i] = (char)toupper(c);
    }
    out->area[len] = '\0';
}

static void check_field(const struct field *f, const json_t *value, struct ticket_fields *out,
                        struct violations *v)
{
    if (!value || json_is_null(value)) {
        if (f->required)
            violate(v, f->pointer, "is required");
        return;
    }
    if (!json_is_string(value)) {
        violate(v, f->pointer, "must be a string");
        return;
    }
    check_text(f, json_string_value(value), out, v);
}

static void check_area(const json_t *value, struct ticket_fields *out, struct violations *v)
{
    if (!value || json_is_null(value))
        violate(v, "/area", "is required");
    else if (!json_is_string(value))
        violate(v, "/area", "must be a string");
    else
        check_area_text(json_string_value(value), out, v);
}

static bool known(const char *name, const struct field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].name, name) == 0)
            return true;
    return false;
}

static void check_customer(json_t *customer, struct ticket_fields *out, struct violations *v)
{
    const char *name;
    json_t *value;
    if (!customer || json_is_null(customer))
        return;
    if (!json_is_object(customer)) {
        violate(v, "/customer", "must be an object");
        return;
    }
    for (size_t i = 0; i < N_CUSTOMER_MEMBERS; i++)
        check_field(&customer_members[i], json_object_get(customer, customer_members[i].name), out,
                    v);
    json_object_foreach(customer, name, value)
    {
        if (!known(name, customer_members, N_CUSTOMER_MEMBERS))
            violate_unknown("/customer", name, v);
    }
}

static void check_ticket(json_t *root, struct ticket_fields *out, struct violations *v)
{
    const char *name;
    json_t *value;
    for (size_t i = 0; i < N_TICKET_MEMBERS; i++)
        check_field(&ticket_members[i], json_object_get(root, ticket_members[i].name), out, v);
    check_area(json_object_get(root, "area"), out, v);
    check_customer(json_object_get(root, "customer"), out, v);
    json_object_foreach(root, name, value)
    {
        if (!known(name, ticket_members, N_TICKET_MEMBERS) && strcmp(name, "area") != 0 &&
            strcmp(name, "customer") != 0)
            violate_unknown("", name, v);
    }
}

/* The pointer of the known member in whose value position is, or "". */
static const char *pointer_at(const char *body, size_t len, size_t position)
{
    struct json_place p;
    json_place_at(body, len, position, &p);
    if (p.depth == 1 && json_place_names(&p, 1, "area"))
        return "/area";
    for (size_t i = 0; i < N_TICKET_MEMBERS && p.depth == 1; i++)
        if (json_place_names(&p, 1, ticket_members[i].name))
            return ticket_members[i].pointer;
    for (size_t i = 0;
         i < N_CUSTOMER_MEMBERS && p.depth == 2 && json_place_names(&p, 1, "customer"); i++)
        if (json_place_names(&p, 2, customer_members[i].name))
            return customer_members[i].pointer;
    return "";
}

static void malformed(const char *body, size_t len, const json_error_t *e, struct violations *v)
{
    const char *pointer = pointer_at(body, len, e->position > 0 ? (size_t)e->position : 0);
    v->malformed = true;
    switch (json_error_code(e)) {
    case json_error_duplicate_key:
        violate(v, "", "has a member twice, near line %d column %d", e->line, e->column);
        break;
    case json_error_invalid_utf8:
        violate(v, pointer, "is not valid UTF-8, near line %d column %d", e->line, e->column);
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        violate(v, pointer, "contains \\u0000, near line %d column %d", e->line, e->column);
        break;
    default:
        violate(v, pointer, "is not JSON: error near line %d column %d", e->line, e->column);
        break;
    }
}

json_t *violations_read(const char *body, size_t len, struct violations *v)
{
    json_error_t e;
    if (!json_within_limits(body, len, v))
        return NULL;
    json_t *root = json_loadb(body, len, JSON_REJECT_DUPLICATES, &e);
    if (!root)
        malformed(body, len, &e, v);
    return root;
}

int ticket_validate_json(json_t *root, const char *default_source, struct ticket_fields *ret,
                         struct violations *ret_violations)
{
    struct violations *v = ret_violations;
    struct ticket_fields f = {.root = root};
    violations_clear(v);
    if (json_is_object(root))
        check_ticket(root, &f, v);
    else
        violate(v, "", "must be a JSON object");
    if (v->n) {
        json_decref(root);
        return -1;
    }
    if (!f.source)
        f.source = default_source;
    *ret = f;
    return 0;
}

/* --- the quick way --- */

static void check_scanned(const struct field *f, const char *text, struct ticket_fields *out,
                          struct violations *v)
{
    if (text)
        check_text(f, text, out, v);
    else if (f->required)
        violate(v, f->pointer, "is required");
}

/* True for a right ticket that scan.h can read. What is wrong, jansson's way says. */
static bool scan_ticket(size_t len, struct ticket_fields *f, struct violations *v)
{
    struct scan_member outer[N_TICKET_MEMBERS + 1], inner[N_CUSTOMER_MEMBERS];
    for (size_t i = 0; i < N_TICKET_MEMBERS; i++)
        outer[i] = (struct scan_member){.name = ticket_members[i].name};
    outer[N_TICKET_MEMBERS] = (struct scan_member){.name = "area"};
    for (size_t i = 0; i < N_CUSTOMER_MEMBERS; i++)
        inner[i] = (struct scan_member){.name = customer_members[i].name};
    if (!scan_texts(f->memory, len, outer, N_TICKET_MEMBERS + 1, "customer", inner,
                    N_CUSTOMER_MEMBERS) ||
        !outer[N_TICKET_MEMBERS].text)
        return false;
    for (size_t i = 0; i < N_TICKET_MEMBERS; i++)
        check_scanned(&ticket_members[i], outer[i].text, f, v);
    check_area_text(outer[N_TICKET_MEMBERS].text, f, v);
    for (size_t i = 0; i < N_CUSTOMER_MEMBERS; i++)
        check_scanned(&customer_members[i], inner[i].text, f, v);
    return v->n == 0;
}

bool ticket_scan(const char *body, size_t len, const char *default_source,
                 struct ticket_fields *ret)
{
    static struct violations v;
    struct ticket_fields f = {.memory = mem_resize(NULL, len + 1, 1)};
    memcpy(f.memory, body, len);
    violations_clear(&v);
    if (!scan_ticket(len, &f, &v)) {
        free(f.memory);
        return false;
    }
    if (!f.source)
        f.source = default_source;
    *ret = f;
    return true;
}

int ticket_validate(const char *body, size_t len, const char *default_source,
                    struct ticket_fields *ret, struct violations *ret_violations)
{
    if (ticket_scan(body, len, default_source, ret))
        return 0;
    violations_clear(ret_violations);
    json_t *root = violations_read(body, len, ret_violations);
    return root ? ticket_validate_json(root, default_source, ret, ret_violations) : -1;
}

void ticket_check_member(const char *pointer, const json_t *value, struct violations *v)
{
    struct ticket_fields unused = {0};
    for (size_t i = 0; i < N_TICKET_MEMBERS; i++)
        if (strcmp(ticket_members[i].pointer, pointer) == 0)
            check_field(&ticket_members[i], value, &unused, v);
    for (size_t i = 0; i < N_CUSTOMER_MEMBERS; i++)
        if (strcmp(customer_members[i].pointer, pointer) == 0)
            check_field(&customer_members[i], value, &unused, v);
}

void ticket_fields_free(struct ticket_fields *f)
{
    json_decref(f->root);
    free(f->memory);
    f->root = NULL;
    f->memory = NULL;
}

static bool all_between(const char *s, char first, char last, size_t max)
{
    size_t n = strlen(s);
    if (n < 1 || n > max)
        return false;
    for (; *s; s++)
        if (*s < first || *s > last)
            return false;
    return true;
}

bool call_provider_valid(const char *s)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(s);
    return n >= 1 && n <= TICKET_CALL_PROVIDER_MAX && strspn(s, allowed) == n;
}

bool call_id_valid(const char *s)
{
    return all_between(s, '!', '~', TICKET_CALL_ID_MAX);
}

bool idempotency_key_valid(const char *s)
{
    return all_between(s, ' ', '~', IDEMPOTENCY_KEY_MAX);
}
