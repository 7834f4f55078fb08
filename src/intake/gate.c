#include "gate.h"

#include <string.h>
#include <strings.h>

enum { REQUEST_ID_MAX = 64, TRACEPARENT_LEN = 55, LENGTH_DIGITS_MAX = 12, HOST_MAX = 255 };

static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

void gate_target(struct gate *g, const char *target)
{
    size_t n = 0;
    for (; target[n]; n++)
        if (target[n] <= ' ' || target[n] > '~')
            g->target_bad = true;
    g->target = target;
    g->target_len = n;
    if (n == 0 || target[0] != '/')
        g->target_bad = true;
    if (n > TARGET_MAX_BYTES)
        g->target_long = true;
}

/* RFC 9110 section 5.6.2 */
static const bool token_chars[256] = {
    ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['!'] = true,  ['#'] = true,
    ['$'] = true,         ['%'] = true,         ['&'] = true,         ['\''] = true, ['*'] = true,
    ['+'] = true,         ['-'] = true,         ['.'] = true,         ['^'] = true,  ['_'] = true,
    ['`'] = true,         ['|'] = true,         ['~'] = true,
};

static bool is_token(const char *s, size_t n)
{
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!token_chars[(unsigned char)s[i]])
            return false;
    return true;
}

static bool is_field_value(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
            return false;
    return true;
}

/* Headers that squad reads. One that may not repeat makes the request a bad one when it does. */
static const struct known {
    const char *name;
    size_t len, offset; /* of a const char * in struct gate */
    bool repeats;
} known[] = {
#define HEADER(name, member, repeats)                                                              \
    {                                                                                              \
        name, sizeof name - 1, offsetof(struct gate, member), repeats                              \
    }
    HEADER("Host", host, false),
    HEADER("Content-Length", content_length, false),
    HEADER("Content-Type", content_type, false),
    HEADER("Content-Encoding", content_encoding, false),
    HEADER("Authorization", authorization, false),
    HEADER("Idempotency-Key", idempotency_key, false),
    HEADER("X-Request-Id", request_id, false),
    HEADER("traceparent", traceparent, false),
    HEADER("Accept", accept, true),
    HEADER("Prefer", prefer, true),
    HEADER("If-Match", if_match, false),
    HEADER("If-None-Match", if_none_match, false),
    HEADER("Origin", origin, false),
    HEADER("X-Forwarded-For", forwarded_for, true),
#undef HEADER
};

static void take_header(struct gate *g, const char *name, size_t name_len, const char *value,
                        size_t value_len)
{
    g->n_headers++;
    if (!is_token(name, name_len) || !is_field_value(value, value_len))
        g->bad_character = true;
    if (strcasecmp(name, "Transfer-Encoding") == 0)
        g->transfer_encoding = true;
    for (const struct known *k = known; k < known + sizeof known / sizeof *known; k++)
        if (name_len == k->len && strncasecmp(name, k->name, name_len) == 0) {
            const char **to = (const char **)((char *)g + k->offset);
            g->twice |= *to && !k->repeats;
            *to = value;
            break;
        }
}

/* Where the headers begin, or NULL when the request line is not as it must be. */
static const char *after_request_line(const struct gate *g, const char *head, const char *end)
{
    static const char line_end[2] = {0};
    size_t method_len = strnlen(head, (size_t)(end - head));
    if (!g->target || !is_token(head, method_len) || head + method_len + 1 != g->target)
        return NULL;
    const char *version = g->target + g->target_len + 1;
    if (version >= end)
        return NULL;
    const char *p = version + strnlen(version, (size_t)(end - version));
    if (end - p < 2 || memcmp(p, line_end, 2) != 0)
        return NULL;
    return p + 2;
}

void gate_head(struct gate *g, const char *head, size_t size)
{
    const char *end = head + size, *p = after_request_line(g, head, end);
    g->bad_line = true;
    g->head_large = size > HEAD_MAX_BYTES;
    if (!p)
        return;
    while (end - p > 2) {
        const char *name = p;
        size_t name_len = strnlen(name, (size_t)(end - name));
        const char *value = name + name_len + 1;
        while (value < end && (*value == ' ' || *value == '\t'))
            value++;
        if (value >= end)
            return;
        size_t value_len = strnlen(value, (size_t)(end - value));
        p = value + value_len + 2;
        if (p > end || p[-1])
            return;
        take_header(g, name, name_len, value, value_len);
    }
    g->bad_line = end - p != 2 || p[0] || p[1];
}

static bool parse_length(struct gate *g)
{
    const char *s = g->content_length;
    size_t n = strlen(s);
    if (n < 1 || n > LENGTH_DIGITS_MAX || strspn(s, "0123456789") != n)
        return false;
    for (g->length = 0; *s; s++)
        g->length = g->length * 10 + (size_t)(*s - '0');
    return true;
}

static bool host_valid(const char *s)
{
    size_t n = strlen(s);
    if (n < 1 || n > HOST_MAX)
        return false;
    for (; *s; s++)
        if (!strchr(alnum, *s) && !strchr("-._~:[]%", *s))
            return false;
    return true;
}

enum problem gate_check(struct gate *g, const char *method, const char *version,
                        const char **ret_detail)
{
#define REFUSE(problem, text) return (*ret_detail = (text), (problem))
    bool with_body = strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
    if (strcmp(version, "HTTP/1.1") != 0)
        REFUSE(PROBLEM_VERSION, "Only HTTP/1.1 is spoken here.");
    if (g->target_long)
        REFUSE(PROBLEM_TARGET_LONG, "The target must have at most 1024 bytes.");
    if (g->target_bad)
        REFUSE(PROBLEM_BAD_REQUEST, "The target must begin with / and be printable ASCII.");
    if (g->head_large)
        REFUSE(PROBLEM_HEADERS_LARGE, "The head of a request must have at most 6144 bytes.");
    if (g->bad_line)
        REFUSE(PROBLEM_BAD_REQUEST,
               "A line of the head is folded, ends without CR LF, or has a NUL.");
    if (g->bad_character)
        REFUSE(PROBLEM_BAD_REQUEST, "A header's name or value has a character it must not have.");
    if (g->twice)
        REFUSE(PROBLEM_BAD_REQUEST, "A header that may stand once stands twice.");
    if (!g->host || !host_valid(g->host))
        REFUSE(PROBLEM_BAD_REQUEST, "There must be exactly one Host, and it must be valid.");
    if (g->transfer_encoding)
        REFUSE(PROBLEM_LENGTH_REQUIRED, "Transfer-Encoding is not accepted: send Content-Length.");
    if (g->content_length && !parse_length(g))
        REFUSE(PROBLEM_BAD_REQUEST, "Content-Length must be a number.");
    if (g->content_encoding && strcasecmp(g->content_encoding, "identity") != 0)
        REFUSE(PROBLEM_MEDIA_TYPE, "Content-Encoding is not accepted: send the body as it is.");
    if (!with_body && g->length > 0)
        REFUSE(PROBLEM_BAD_REQUEST, "This method takes no body.");
    return PROBLEM_NONE;
#undef REFUSE
}

bool request_id_valid(const char *s)
{
    size_t n = strlen(s);
    return n >= 1 && n <= REQUEST_ID_MAX &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static bool hex_not_zero(const char *s, size_t n)
{
    bool nonzero = false;
    for (size_t i = 0; i < n; i++) {
        if (!s[i] || !strchr("0123456789abcdef", s[i]))
            return false;
        nonzero |= s[i] != '0';
    }
    return nonzero;
}

bool traceparent_valid(const char *s)
{
    return strlen(s) == TRACEPARENT_LEN && strncmp(s, "00-", 3) == 0 && s[35] == '-' &&
           s[52] == '-' && hex_not_zero(s + 3, 32) && hex_not_zero(s + 36, 16) &&
           strspn(s + 53, "0123456789abcdef") == 2;
}
