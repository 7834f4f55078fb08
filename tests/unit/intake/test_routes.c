#include "request.h"
#include "route.h"

#include <criterion/criterion.h>
#include <string.h>

static void nothing(struct request *r)
{
    (void)r;
}

static const struct route table[] = {
    {.method = "POST", .pattern = "/things", .handle = nothing},
    {.method = "GET", .pattern = "/things/{}", .handle = nothing},
    {.method = "POST", .pattern = "/things/{}/parts/{}", .handle = nothing},
};

static const struct resource things = {table, sizeof table / sizeof *table, NULL, 0};
static const struct resource *const resources[] = {&things, NULL};

static struct request *find(const char *method, const char *path)
{
    static struct request *r;
    request_unref(r);
    r = request_new(NULL);
    route_find(resources, method, path, r);
    return r;
}

Test(routes, a_path_and_a_method_name_a_route)
{
    cr_expect_eq(find("POST", "/things")->route, &table[0]);
    struct request *r = find("POST", "/things/7/parts/a-b");
    cr_expect_eq(r->route, &table[2]);
    cr_expect_str_eq(r->param[0], "7");
    cr_expect_str_eq(r->param[1], "a-b");
}

Test(routes, head_goes_where_get_goes)
{
    cr_expect_eq(find("HEAD", "/things/1")->route, &table[1]);
}

Test(routes, an_unknown_path_is_404_and_nothing_like_a_known_one)
{
    static const char *const paths[] = {
        "/",          "/thing",  "/things/",        "/thingsx",         "//things",
        "/things/1/", "/Things", "/things/1/parts", "/things//parts/1", "/things/%31/parts/"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct request *r = find("GET", paths[i]);
        cr_expect_eq(r->reply.status, 404, "%s", paths[i]);
        cr_expect_null(r->route);
    }
}

Test(routes, a_wrong_method_is_405_and_allow_says_which)
{
    struct request *r = find("DELETE", "/things");
    cr_expect_eq(r->reply.status, 405);
    cr_expect_str_eq(reply_get_header(&r->reply, "Allow"), "POST");
    cr_expect_str_eq(reply_get_header(&find("POST", "/things/1")->reply, "Allow"), "GET, HEAD");
}

Test(routes, segments_are_told_apart_before_they_are_decoded)
{
    struct request *r = find("GET", "/things/a%2Fb%20%c3%a9");
    cr_expect_eq(r->route, &table[1]);
    cr_expect_str_eq(r->param[0], "a/b \xc3\xa9");
}

Test(routes, a_wrong_escape_a_nul_or_a_long_segment_is_404)
{
    static const char *const paths[] = {"/things/%", "/things/%4", "/things/%zz", "/things/a%00b",
                                        "/things/%-1"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        cr_expect_eq(find("GET", paths[i])->reply.status, 404, "%s", paths[i]);
    char path[16 + PARAM_MAX_BYTES] = "/things/";
    memset(path + 8, 'x', PARAM_MAX_BYTES);
    path[8 + PARAM_MAX_BYTES] = '\0';
    cr_expect_eq(find("GET", path)->reply.status, 404);
    path[8 + PARAM_MAX_BYTES - 1] = '\0';
    cr_expect_eq(find("GET", path)->route, &table[1]);
}

Test(routes, every_route_of_the_program_is_found_and_handled)
{
    for (const struct resource *const *res = public_resources; *res; res++)
        for (size_t i = 0; i < (*res)->n_routes; i++) {
            const struct route *route = &(*res)->routes[i];
            char path[200], *to = path;
            for (const char *p = route->pattern; *p; p++)
                if (*p != '}')
                    *to++ = *p == '{' ? 'x' : *p;
            *to = '\0';
            struct request *r = request_new(NULL);
            route_find(public_resources, route->method, path, r);
            cr_expect_eq(r->route, route, "%s %s", route->method, path);
            cr_expect_not_null(route->handle);
            cr_expect(route->gives, "%s %s gives nothing", route->method, path);
            request_unref(r);
        }
}
