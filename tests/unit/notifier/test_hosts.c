#include "hosts.h"

#include <criterion/criterion.h>
#include <stdio.h>

static size_t count(const struct hosts *hosts, long *ret_in_flight)
{
    size_t n = 0;
    *ret_in_flight = 0;
    for (const struct host *h = NULL; (h = hosts_next(hosts, h)); n++)
        *ret_in_flight += h->in_flight;
    return n;
}

Test(hosts, equal_names_are_one_host)
{
    struct hosts hosts = {0};
    char copy[] = "a.example.com:8443";
    struct host *a = hosts_take(&hosts, "a.example.com:8443");
    cr_expect_eq(hosts_take(&hosts, copy), a);
    cr_expect_neq(hosts_take(&hosts, "a.example.com"), a);
    cr_expect_eq(a->in_flight, 2);
    cr_expect_eq(hosts.n, 2);
    hosts_free(&hosts);
}

Test(hosts, one_with_none_in_flight_is_forgotten)
{
    struct hosts hosts = {0};
    struct host *a = hosts_take(&hosts, "a");
    hosts_take(&hosts, "a");
    hosts_release(&hosts, a);
    cr_expect_eq(a->in_flight, 1);
    hosts_release(&hosts, a);
    cr_expect_eq(hosts.n, 0);
    cr_expect_null(hosts_next(&hosts, NULL));
}

Test(hosts, no_host_is_no_host)
{
    struct hosts hosts = {0};
    cr_expect_null(hosts_take(&hosts, NULL));
    hosts_release(&hosts, NULL);
    cr_expect_eq(hosts.n, 0);
}

Test(hosts, every_one_of_many_is_visited_once)
{
    enum { MANY = 5000 };
    static struct host *taken[MANY];
    struct hosts hosts = {0};
    long in_flight;
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "host-%d", i);
        taken[i] = hosts_take(&hosts, name);
    }
    cr_expect_eq(count(&hosts, &in_flight), MANY);
    cr_expect_eq(in_flight, MANY);
    for (int i = 0; i < MANY; i += 2)
        hosts_release(&hosts, taken[i]);
    cr_expect_eq(count(&hosts, &in_flight), MANY / 2);
    cr_expect_eq(hosts.n, MANY / 2);
    hosts_free(&hosts);
    cr_expect_eq(count(&hosts, &in_flight), 0);
}
