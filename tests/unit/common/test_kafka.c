#include "kafka.h"

#include <criterion/criterion.h>
#include <string.h>

/* Codes that say something of the record: it may be given up. */
Test(kafka, only_what_is_wrong_with_a_record_itself_rejects_it)
{
    static const rd_kafka_resp_err_t codes[] = {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                                                RD_KAFKA_RESP_ERR_INVALID_RECORD,
                                                RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE};
    for (int code = RD_KAFKA_RESP_ERR__BEGIN; code < RD_KAFKA_RESP_ERR_END_ALL; code++) {
        bool listed = false;
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
            listed |= codes[i] == (rd_kafka_resp_err_t)code;
        cr_expect_eq(kafka_err_kind((rd_kafka_resp_err_t)code) == ERR_REJECT, listed, "%s",
                     rd_kafka_err2name((rd_kafka_resp_err_t)code));
    }
}

Test(kafka, codes_become_kinds)
{
    static const struct {
        rd_kafka_resp_err_t code;
        enum err_kind kind;
    } rows[] = {
        {RD_KAFKA_RESP_ERR_NO_ERROR, ERR_NONE},
        {RD_KAFKA_RESP_ERR__TRANSPORT, ERR_RETRY},
        {RD_KAFKA_RESP_ERR__TIMED_OUT, ERR_RETRY},
        {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ERR_RETRY},
        {RD_KAFKA_RESP_ERR__STATE, ERR_RETRY},
        {RD_KAFKA_RESP_ERR__PURGE_QUEUE, ERR_RETRY},
        {RD_KAFKA_RESP_ERR_INVALID_MSG, ERR_RETRY}, /* a CRC that does not fit */
        {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ERR_RETRY},
        {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, ERR_RETRY},
        /* The topic's trouble, not the record's: a broker may not know it for a moment. */
        {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_RETRY},
        {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERR_RETRY},
        {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERR_RETRY},
        {RD_KAFKA_RESP_ERR__FENCED, ERR_FATAL},
        {RD_KAFKA_RESP_ERR__FATAL, ERR_FATAL},
        {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ERR_FATAL},
        {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, ERR_FATAL},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_FATAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(kafka_err_kind(rows[i].code), rows[i].kind, "%s",
                     rd_kafka_err2name(rows[i].code));
}

static rd_kafka_conf_t *conf_with(const char *option, struct err *err)
{
    static const char *const pairs[] = {"isolation.level", "read_committed", "linger.ms", "0",
                                        NULL};
    struct conf_common common = {.kafka = "127.0.0.1:1", .kafka_x = {.n = 1, .item = {option}}};
    return kafka_conf(&common, "test", pairs, err);
}

Test(kafka, an_option_of_the_operator_wins)
{
    struct err err = {0};
    char value[32];
    size_t size = sizeof value;
    rd_kafka_conf_t *conf = conf_with("linger.ms=7", &err);
    cr_assert_not_null(conf, "%s", err.text);
    rd_kafka_conf_get(conf, "linger.ms", value, &size);
    cr_expect_str_eq(value, "7");
    rd_kafka_conf_destroy(conf);
}

Test(kafka, but_not_over_what_exactly_once_rests_on)
{
    static const char *const options[] = {
        "isolation.level=read_uncommitted",
        "transactional.id=mine",
        "enable.idempotence=false",
        "auto.offset.reset=latest",
        "enable.auto.commit=true",
        "group.id=mine",
        "partitioner=random",
        "enable.partition.eof=false",
        "message.max.bytes=9",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct err err = {0};
        cr_expect_null(conf_with(options[i], &err), "%s", options[i]);
        cr_expect_eq(err.exit_code, EXIT_CONFIG);
        cr_expect_not_null(strstr(err.text, "squad sets it itself"), "%s: %s", options[i],
                           err.text);
    }
}

Test(kafka, a_wrong_option_is_named)
{
    struct err err = {0};
    cr_expect_null(conf_with("colour=blue", &err));
    cr_expect_not_null(strstr(err.text, "colour"), "%s", err.text);
    cr_expect_eq(err.exit_code, EXIT_CONFIG);
    cr_expect_null(conf_with("linger.ms", &err));
    cr_expect_not_null(strstr(err.text, "NAME=VALUE"), "%s", err.text);
}
