/* What pages load: GET /assets/style.css. */
#include "request.h"
#include "resources.h"
#include "route.h"
#include "web.h"

#include <string.h>

static void get_style(struct request *r)
{
    reply_fixed(r, "text/css; charset=utf-8", web_style, strlen(web_style));
}

static const struct route routes[] = {
    {"GET", "/assets/style.css", get_style, 0, TAKES_NOTHING, GIVES_TEXT | GIVES_HTML | GIVES_JSON},
};

const struct resource assets_resource = {routes, sizeof routes / sizeof *routes, NULL, 0};
