/* How long the commands wait for Kafka: with a reader and a clock that the tests drive. */
#include "kafka_read.h"
#include "show.h"
#include "verify.h"

#include <criterion/criterion.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct {
    bool on;                     /* else the clock is the real one */
    uint64_t clock_ms, every_ms; /* a message comes so often; 0: none any more */
    int left;                    /* messages before the end */
} fake;

int clock_gettime(clockid_t id, struct timespec *ret)
{
    if (!fake.on)
        return (int)syscall(SYS_clock_gettime, id, ret);
    *ret = (struct timespec){.tv_sec = (time_t)(fake.clock_ms / 1000),
                             .tv_nsec = (long)(fake.clock_ms % 1000) * 1000000};
    return 0;
}

int kafka_read_open(struct kafka_reader **ret, const struct conf_common *common,
                    const char *const *topics, int timeout_ms, struct err *reterr)
{
    (void)common, (void)topics, (void)timeout_ms, (void)reterr;
    *ret = NULL;
    return 0;
}

void kafka_read_close(struct kafka_reader *reader)
{
    (void)reader;
}

struct kafka_part *kafka_read_parts(struct kafka_reader *reader, size_t *ret_count)
{
    static struct kafka_part none;
    (void)reader;
    *ret_count = 0;
    return &none;
}

rd_kafka_t *kafka_read_handle(struct kafka_reader *reader)
{
    (void)reader;
    return NULL;
}

int kafka_read_start(struct kafka_reader *reader, struct err *reterr)
{
    (void)reader, (void)reterr;
    return 0;
}

int kafka_read_next(struct kafka_reader *reader, int timeout_ms, rd_kafka_message_t **ret_msg,
                    unsigned *ret_topic, struct err *reterr)
{
    static rd_kafka_message_t message;
    uint64_t before = fake.clock_ms;
    (void)reader, (void)reterr;
    fake.clock_ms += (uint64_t)timeout_ms;
    cr_assert_lt(fake.clock_ms, 3600000u, "it waits for ever");
    bool comes =
        fake.left && fake.every_ms && before / fake.every_ms != fake.clock_ms / fake.every_ms;
    fake.left -= comes;
    *ret_topic = 3; /* squad.dead, of which nothing but the id is read */
    *ret_msg = comes ? &message : NULL;
    return 0;
}

bool kafka_read_done(const struct kafka_reader *reader)
{
    (void)reader;
    return fake.left == 0;
}

bool kafka_is_barrier(const rd_kafka_message_t *msg)
{
    (void)msg;
    return false;
}

bool kafka_event_id(const rd_kafka_message_t *msg, uint8_t ret_id[16])
{
    (void)msg, (void)ret_id;
    return false;
}

void rd_kafka_message_destroy(rd_kafka_message_t *msg)
{
    (void)msg;
}

rd_kafka_resp_err_t
rd_kafka_offsets_for_times(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *offsets, int timeout_ms)
{
    (void)rk, (void)offsets, (void)timeout_ms;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void real_clock(void)
{
    fake.on = false;
}

TestSuite(kafka_waits, .fini = real_clock);

static int read_topics(struct err *reterr)
{
    static struct verify v;
    v.common.topic_prefix = "squad";
    v.ledger = ledger_new();
    int rc = verify_read_topics(&v, 0, reterr);
    ledger_free(v.ledger);
    return rc;
}

Test(kafka_waits, verify_reads_on_as_long_as_events_come_however_slowly)
{
    struct err err = {0};
    fake.on = true;
    fake.every_ms = 1000;
    fake.left = 300;
    cr_expect_eq(read_topics(&err), 0, "%s", err.text);
    cr_expect_eq(fake.left, 0);
}

Test(kafka_waits, verify_gives_up_when_none_come_before_the_end)
{
    struct err err = {0};
    fake.on = true;
    fake.left = 1;
    cr_expect_eq(read_topics(&err), -1);
    cr_expect_eq(err.exit_code, EXIT_KAFKA);
    cr_expect_lt(fake.clock_ms, 60000u);
}

Test(kafka_waits, show_searches_for_a_few_seconds_though_no_more_events_come)
{
    struct err err = {0};
    struct conf_common common = {.topic_prefix = "squad"};
    struct published event = {.topic = 0};
    fake.on = true;
    fake.every_ms = 50;
    fake.left = 1000000;
    cr_expect_eq(show_find_published(&common, &event, 1, &err), 0);
    cr_expect_lt(fake.clock_ms, 10000u);
    fake.clock_ms = 0;
    fake.every_ms = 1500; /* two, and the third is too late */
    cr_expect_eq(show_find_published(&common, &event, 1, &err), 0);
    cr_expect_lt(fake.clock_ms, 10000u);
}
