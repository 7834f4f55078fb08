/* Every type of problem at its own address: GET /problems and /problems/{slug}. */
#include "page.h"
#include "request.h"
#include "resources.h"
#include "route.h"
#include "web.h"

#include <stdio.h>
#include <string.h>

static const char entry[] =
    "<tr><td>{{status}}</td><td><a href=\"/problems/{{slug}}\"><code>{{slug}}</code></a></td>"
    "<td>{{title}}</td></tr>\n";

static void get_problems(struct request *r)
{
    struct text body = {0};
    char status[16];
    text_str(&body, "<h1 class=\"wide\">Problem types</h1>\n<p>Every error of squad is "
                    "problem+json (RFC 9457); its "
                    "<code>type</code> is one of these addresses.</p>\n<table>\n");
    for (enum problem p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
        snprintf(status, sizeof status, "%d", problem_status(p));
        HTML_FILL(&body, entry, {"status", status}, {"slug", problem_slug(p)},
                  {"title", problem_title(p)});
    }
    text_str(&body, "</table>\n");
    reply_page(r, MHD_HTTP_OK, "Problem types", body.data, 0);
    text_free(&body);
}

static void get_problem(struct request *r)
{
    struct text body = {0};
    char status[16];
    enum problem p = problem_by_slug(r->param[0]);
    if (strcmp(problem_slug(p), r->param[0]) != 0) {
        reply_problem(r, PROBLEM_NOT_FOUND, "There is no problem type of this name.");
        return;
    }
    snprintf(status, sizeof status, "%d", problem_status(p));
    HTML_FILL(&body, web_problem_type, {"status", status}, {"slug", problem_slug(p)},
              {"title", problem_title(p)}, {"advice", problem_advice(p)});
    reply_page(r, MHD_HTTP_OK, problem_title(p), body.data, 0);
    text_free(&body);
}

static const struct route routes[] = {
    {"GET", "/problems", get_problems, 0, TAKES_NOTHING, GIVES_HTML},
    {"GET", "/problems/{}", get_problem, 0, TAKES_NOTHING, GIVES_HTML},
};

const struct resource problems_resource = {routes, sizeof routes / sizeof *routes, NULL, 0};
