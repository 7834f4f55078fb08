/* Joining a group, on librdkafka's own play broker: slow, or without the topic. */
#include "consumer.h"
#include "loop.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>
#include <time.h>

enum { LATENCY_MS = 300, JOIN_MAX_MS = 15000 };

struct scene {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *brokers;
    struct conf_common conf;
    struct loop *loop;
    struct consumer *consumer;
};

static void on_wakeup(void *ctx, uint32_t events)
{
    (void)ctx;
    (void)events;
}

static void make(struct scene *s)
{
    static const char *const topics[] = {"one", NULL};
    char text[256];
    struct err err = {0};
    s->owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof text);
    s->brokers = rd_kafka_mock_cluster_new(s->owner, 1);
    rd_kafka_mock_topic_create(s->brokers, "test.one", 2, 1);
    s->conf = (struct conf_common){.kafka = rd_kafka_mock_cluster_bootstraps(s->brokers),
                                   .topic_prefix = "test",
                                   .instance = "a"};
    cr_assert_eq(loop_new(&s->loop, &err), 0, "%s", err.text);
    s->consumer =
        consumer_new(&(struct consumer_options){.common = &s->conf,
                                                .name = "test",
                                                .suffixes = topics,
                                                .wake_fd = loop_wakeup(s->loop, on_wakeup, NULL)});
}

static void drop(struct scene *s)
{
    consumer_close(s->consumer, 5000);
    loop_free(s->loop);
    rd_kafka_mock_cluster_destroy(s->brokers);
    rd_kafka_destroy(s->owner);
}

/* Until all partitions are read to their end. Returns how long the longest turn was, in ms. */
static uint64_t read_to_end(struct scene *s, int *ret_failed, struct err *err)
{
    uint64_t longest_ms = 0, until_ms = now_ms() + JOIN_MAX_MS;
    for (*ret_failed = 0; !*ret_failed && !consumer_at_end(s->consumer) && now_ms() < until_ms;) {
        rd_kafka_message_t *m = NULL;
        uint64_t began_ms = now_ms();
        *ret_failed = consumer_next(s->consumer, &m, err);
        if (now_ms() - began_ms > longest_ms)
            longest_ms = now_ms() - began_ms;
        if (m)
            rd_kafka_message_destroy(m);
        else
            loop_once(s->loop, 20);
    }
    return longest_ms;
}

Test(consumer, brokers_far_away_are_joined_all_the_same, .timeout = 60)
{
    struct scene s;
    struct err err = {0};
    int failed;
    make(&s);
    rd_kafka_mock_broker_set_rtt(s.brokers, 1, LATENCY_MS);
    uint64_t longest_ms = read_to_end(&s, &failed, &err);
    cr_assert_eq(failed, 0, "%s", err.text);
    cr_assert(consumer_at_end(s.consumer), "it has not joined");
    cr_assert_lt(longest_ms, 1000, "it was deaf for %llu ms", (unsigned long long)longest_ms);
    drop(&s);
}

Test(consumer, a_missing_topic_is_found_missing_from_far_away_too, .timeout = 60)
{
    struct scene s;
    struct err err = {0};
    int failed;
    make(&s);
    rd_kafka_mock_topic_set_error(s.brokers, "test.one", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    rd_kafka_mock_broker_set_rtt(s.brokers, 1, LATENCY_MS);
    read_to_end(&s, &failed, &err);
    cr_assert_eq(failed, -1);
    cr_assert_eq(err.kind, ERR_FATAL);
    cr_assert_eq(err.exit_code, EXIT_KAFKA, "%s", err.text);
    drop(&s);
}
