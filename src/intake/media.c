#include "media.h"

#include "route.h"

#include <string.h>
#include <strings.h>

static bool is_type(const char *header, const char *type)
{
    size_t n = strlen(type);
    return strncasecmp(header, type, n) == 0 && (!header[n] || strchr("; \t", header[n]));
}

static bool is_utf8(const char *header)
{
    const char *charset = strcasestr(header, "charset=");
    if (!charset)
        return true;
    charset += strlen("charset=");
    charset += *charset == '"';
    return strncasecmp(charset, "utf-8", 5) == 0 && (!charset[5] || strchr("\"; \t", charset[5]));
}

bool media_is_multipart(const char *content_type)
{
    return content_type && is_type(content_type, "multipart/form-data");
}

unsigned media_of(const char *content_type)
{
    if (!content_type)
        return 0;
    if (strcmp(content_type, "application/json") == 0)
        return TAKES_JSON;
    if (media_is_multipart(content_type))
        return TAKES_FORM;
    if (!is_utf8(content_type))
        return 0;
    if (is_type(content_type, "application/json"))
        return TAKES_JSON;
    if (is_type(content_type, "application/x-www-form-urlencoded"))
        return TAKES_FORM;
    if (is_type(content_type, "application/merge-patch+json"))
        return TAKES_PATCH;
    return 0;
}

const char *media_names(unsigned takes)
{
    switch (takes & ~(unsigned)TAKES_OPTIONAL) {
    case TAKES_JSON | TAKES_FORM:
        return "application/json, application/x-www-form-urlencoded or multipart/form-data";
    case TAKES_FORM:
        return "application/x-www-form-urlencoded or multipart/form-data";
    case TAKES_PATCH:
    case TAKES_PATCH | TAKES_JSON:
        return "application/merge-patch+json";
    default:
        return "application/json";
    }
}
