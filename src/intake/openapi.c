/* The interface described by itself: GET /openapi.json, and GET /docs made from it. */
#include "docs_page.h"
#include "page.h"
#include "request.h"
#include "resources.h"
#include "route.h"
#include "web.h"

#include <string.h>

static void get_openapi(struct request *r)
{
    reply_fixed(r, TYPE_JSON, web_openapi, strlen(web_openapi));
}

static void get_docs(struct request *r)
{
    struct text body = {0};
    docs_page(&body, web_openapi);
    reply_page(r, MHD_HTTP_OK, "squad: the HTTP interface", body.data, 0);
    text_free(&body);
}

static const struct route routes[] = {
    {"GET", "/openapi.json", get_openapi, 0, TAKES_NOTHING, GIVES_JSON},
    {"GET", "/docs", get_docs, 0, TAKES_NOTHING, GIVES_HTML},
};

const struct resource openapi_resource = {routes, sizeof routes / sizeof *routes, NULL, 0};
