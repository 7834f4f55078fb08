#include "topics.h"

#include <criterion/criterion.h>

Test(topics, an_aggregatetype_names_its_topic)
{
    struct topics t = {0};
    topics_name(&t, "berlin");
    cr_expect_str_eq(t.name[topics_route("ticket")], "berlin.tickets");
    cr_expect_str_eq(t.name[topics_route("expert")], "berlin.experts");
    cr_expect_str_eq(t.name[topics_route("notice")], "berlin.notices");
    cr_expect_str_eq(t.name[TOPIC_DEAD], "berlin.dead");
    cr_expect_str_eq(t.name[TOPIC_PROGRESS], "berlin.relay.progress");
}

Test(topics, others_have_none_and_never_the_relays_own)
{
    static const char *const types[] = {"",     "tickets",        "Ticket",
                                        "dead", "relay.progress", "invoice"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        cr_expect_eq(topics_route(types[i]), -1, "%s", types[i]);
}
