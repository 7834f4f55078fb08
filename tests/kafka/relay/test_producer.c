/* One producer of the pair against a real broker: fencing, refusals, a handle that was aborted. */
#include "kafka.h"
#include "producer.h"
#include "world.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static struct world w;
static struct conf_common common;
static struct topics topics;
static const struct outbox_row row = {.seq = 1,
                                      .id = "5f0c1f3e-0000-4000-8000-000000000001",
                                      .aggregatetype = "ticket",
                                      .aggregateid = "k",
                                      .type = "squad.test.v1",
                                      .payload = "{}",
                                      .payload_size = 2,
                                      .at = "2026-11-24 13:05:01.213640+00"};

static void setup(void)
{
    world_make(&w, WORLD_MIGRATED | WORLD_TOPICS);
    common = (struct conf_common){.kafka = getenv("SQUAD_KAFKA"), .topic_prefix = w.name};
    struct err e = {0};
    rd_kafka_t *rk;
    topics_name(&topics, w.name);
    cr_assert_eq(
        kafka_open(&rk, RD_KAFKA_PRODUCER, kafka_conf(&common, "test", NULL, &e), NULL, 5000, &e),
        0, "%s", e.text);
    cr_assert_eq(topics_load(&topics, rk, NULL, 5000, &e), 0, "%s", e.text);
    kafka_close(rk, 5000);
}

static void teardown(void)
{
    world_drop(&w);
}

TestSuite(producer, .init = setup, .fini = teardown);

static struct producer *open_one(void)
{
    struct err e = {0};
    struct producer *p = NULL;
    struct producer_options o = {.common = &common, .topics = &topics, .transaction_ms = 10000};
    cr_assert_eq(producer_open(&p, &o, 10000, &e), 0, "%s", e.text);
    return p;
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static void is_fenced(const struct err *e)
{
    cr_assert(kafka_is_fenced(e->code), "%s (%d)", e->text, e->code);
    cr_assert_eq(e->kind, ERR_FATAL);
}

/* Not as "fatal", which would be got over by a new handle: that would fence the other in turn. */
Test(producer, a_fenced_one_hears_it_whatever_it_does_next)
{
    struct err e = {0};
    struct producer *old = open_one();
    cr_assert_eq(producer_begin(old, 1, &e), 0, "%s", e.text);
    cr_assert_eq(producer_row(old, TOPIC_TICKETS, &row, &e), 0, "%s", e.text);
    struct producer *new = open_one();
    /* It learns it while rows are still being sent. */
    int tries = 0;
    while (producer_row(old, TOPIC_TICKETS, &row, &e) == 0 && ++tries < 1000) {
        usleep(10000);
        producer_disturbed(old); /* serves callbacks */
    }
    cr_assert_lt(tries, 1000, "it was never told");
    is_fenced(&e);
    cr_assert_eq(producer_position(old, "{}", &e), -1);
    is_fenced(&e);
    cr_assert_eq(producer_commit(old, never, NULL, &e), -1);
    is_fenced(&e);
    cr_assert_eq(producer_begin(old, 1, &e), -1);
    is_fenced(&e);
    producer_close(old);
    cr_assert_eq(producer_begin(new, 1, &e), 0, "%s", e.text);
    cr_assert_eq(producer_position(new, "{}", &e), 0, "%s", e.text);
    cr_assert_eq(producer_commit(new, never, NULL, &e), 0, "%s", e.text);
    producer_close(new);
}

Test(producer, a_row_too_large_is_refused_alone)
{
    struct err e = {0};
    struct producer *p = open_one();
    static char large[2000000];
    struct outbox_row bad = row;
    bad.payload = memset(large, 'x', sizeof large - 1);
    bad.payload_size = sizeof large - 1;
    cr_assert_eq(producer_begin(p, 1, &e), 0, "%s", e.text);
    cr_assert_eq(producer_row(p, TOPIC_TICKETS, &bad, &e), -1);
    cr_assert_eq(e.kind, ERR_REJECT);
    cr_assert_eq(producer_dead(p, &bad, "x", e.text, &e), 0, "%s", e.text);
    cr_assert_eq(producer_row(p, TOPIC_TICKETS, &row, &e), 0, "%s", e.text);
    cr_assert_eq(producer_commit(p, never, NULL, &e), 0, "%s", e.text);
    cr_assert_eq(producer_refused(p), -1);
    producer_close(p);
}

Test(producer, nothing_of_an_aborted_transaction_stays_on_the_handle)
{
    struct err e = {0};
    struct producer *p = open_one();
    cr_assert_eq(producer_begin(p, 1, &e), 0, "%s", e.text);
    cr_assert_eq(producer_row(p, TOPIC_TICKETS, &row, &e), 0, "%s", e.text);
    cr_assert_eq(producer_abort(p, 5000, &e), 0, "%s", e.text);
    cr_assert_eq(producer_begin(p, 1, &e), 0, "%s", e.text);
    cr_assert_eq(producer_commit(p, never, NULL, &e), 0, "%s", e.text);
    producer_close(p);
}
