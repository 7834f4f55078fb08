#include "plant.h"

#include <criterion/criterion.h>
#include <string.h>

Test(topics, are_made_once_and_found_again)
{
    struct world w;
    world_make(&w, 0);
    struct ran first = world_squad(&w, "", "topics --partitions 3");
    struct ran second = world_squad(&w, "", "topics --partitions 3 --json");
    cr_expect_eq(first.code, 0, "%s", first.err);
    cr_expect(strstr(first.out, "created"), "%s", first.out);
    cr_expect_eq(second.code, 0, "%s", second.err);
    cr_expect_null(strstr(second.out, "true"), "%s", second.out);
    cr_expect(
        strstr(second.out, "relay.progress\",\"partitions\":1,\"cleanup_policy\":\"compact\""),
        "%s", second.out);
    ran_free(&first);
    ran_free(&second);
    world_drop(&w);
}

/* A topic as someone else has made it. */
static void make_topic(struct world *w, const char *suffix, int partitions, const char *policy)
{
    char name[128], text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", getenv("SQUAD_KAFKA"), text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    snprintf(name, sizeof name, "%s.%s", w->name, suffix);
    rd_kafka_NewTopic_t *n = rd_kafka_NewTopic_new(name, partitions, 1, text, sizeof text);
    rd_kafka_NewTopic_set_config(n, "cleanup.policy", policy);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_CreateTopics(rk, &n, 1, NULL, q);
    rd_kafka_event_t *e = rd_kafka_queue_poll(q, 10000);
    cr_assert(e && !rd_kafka_event_error(e));
    rd_kafka_event_destroy(e);
    rd_kafka_queue_destroy(q);
    rd_kafka_NewTopic_destroy(n);
    rd_kafka_destroy(rk);
}

static void refused(const char *suffix, int partitions, const char *policy, const char *says)
{
    struct world w;
    world_make(&w, 0);
    make_topic(&w, suffix, partitions, policy);
    struct ran r = world_squad(&w, "", "topics");
    cr_expect_eq(r.code, 5, "exit %d", r.code);
    cr_expect(strstr(r.err, says), "%s", r.err);
    ran_free(&r);
    world_drop(&w);
}

Test(topics, progress_with_two_partitions_is_refused)
{
    refused("relay.progress", 2, "compact", "has 2 partitions: it must have 1");
}

Test(topics, progress_without_compaction_is_refused)
{
    refused("relay.progress", 1, "delete", "cleanup.policy=delete: it must be compact");
}

Test(topics, a_compacted_data_topic_is_refused)
{
    refused("tickets", 4, "compact", "compaction would lose events");
}

Test(topics, no_broker_is_waited_for_and_then_told)
{
    struct world w;
    world_make(&w, 0);
    struct ran r = world_squad(&w, "SQUAD_KAFKA=127.0.0.1:1", "topics --wait 1");
    cr_expect_eq(r.code, 5);
    cr_expect(strstr(r.err, "could not reach Kafka at 127.0.0.1:1"), "%s", r.err);
    ran_free(&r);
    world_drop(&w);
}
