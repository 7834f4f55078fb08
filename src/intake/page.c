#include "page.h"

#include "request.h"
#include "web.h"

#include <stdio.h>

static const char policy[] =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'";

void reply_page(struct request *r, unsigned status, const char *title, const char *body,
                int refresh_s)
{
    char refresh[16] = "";
    if (refresh_s)
        snprintf(refresh, sizeof refresh, "%d", refresh_s);
    struct text *t = reply_start(r, status, TYPE_HTML);
    HTML_FILL(t, web_page, {"title", title}, {"refresh", refresh}, {"body", body});
    reply_header(r, "Content-Security-Policy", policy);
    reply_header(r, "X-Content-Type-Options", "nosniff");
    reply_header(r, "Referrer-Policy", "same-origin");
    reply_header(r, "Cache-Control", "no-store");
}

void page_problem(struct request *r, enum problem p, const char *detail)
{
    struct text body = {0};
    char status[16];
    snprintf(status, sizeof status, "%d", problem_status(p));
    HTML_FILL(&body, web_problem, {"status", status}, {"title", problem_title(p)},
              {"detail", detail}, {"request_id", r->request_id}, {"slug", problem_slug(p)});
    reply_page(r, (unsigned)problem_status(p), problem_title(p), body.data, 0);
    text_free(&body);
}
