#include "group_lag.h"

#include "kafka_read.h"
#include "loop.h"

#include <stdio.h>
#include <unistd.h>

enum { CALL_MS = 5000, PAUSE_US = 50000, EXACT_MAX = 2000, TAIL_MS = 5000, NAME_MAX_BYTES = 200 };

static rd_kafka_topic_partition_list_t *partitions(struct kafka_reader *reader,
                                                   const char *const *topics)
{
    size_t n;
    const struct kafka_part *parts = kafka_read_parts(reader, &n);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, topics[parts[i].topic], parts[i].partition);
    return list;
}

/* Asks the group's coordinator. The result's order is ours to find again. */
static rd_kafka_event_t *ask(struct kafka_reader *reader, const char *group,
                             const char *const *topics, struct err *reterr)
{
    rd_kafka_t *rk = kafka_read_handle(reader);
    rd_kafka_topic_partition_list_t *list = partitions(reader, topics);
    rd_kafka_ListConsumerGroupOffsets_t *request =
        rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_ListConsumerGroupOffsets(rk, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code) {
        kafka_err(reterr, code, "read the offsets of group %s", group);
        if (event)
            rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

/* Sets each partition's next to the committed offset; a partition without one begins at low. */
static int set_committed(struct kafka_reader *reader, const char *group, const char *const *topics,
                         bool *ret_any, struct err *reterr)
{
    size_t n_groups, n_parts;
    struct kafka_part *parts = kafka_read_parts(reader, &n_parts);
    rd_kafka_event_t *event = ask(reader, group, topics, reterr);
    if (!event)
        return -1;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &n_groups);
    const rd_kafka_error_t *error = n_groups ? rd_kafka_group_result_error(groups[0]) : NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    *ret_any = false;
    if (error) {
        kafka_err(reterr, rd_kafka_error_code(error), "read the offsets of group %s", group);
        rd_kafka_event_destroy(event);
        return -1;
    }
    const rd_kafka_topic_partition_list_t *list =
        n_groups ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    for (size_t i = 0; list && i < n_parts; i++) {
        const rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(
            (rd_kafka_topic_partition_list_t *)list, topics[parts[i].topic], parts[i].partition);
        if (p && p->err)
            code = p->err;
        if (p && p->offset >= parts[i].low)
            parts[i].next = p->offset; /* else retention has removed what it stood at */
        *ret_any = *ret_any || (p && p->offset >= 0);
    }
    rd_kafka_event_destroy(event);
    return code ? kafka_err(reterr, code, "read the offsets of group %s", group) : 0;
}

/* A coordinator that has just begun, or moved, answers "not yet" for a moment. */
static int wait_committed(struct kafka_reader *reader, const char *group, const char *const *topics,
                          bool *ret_any, struct err *reterr)
{
    uint64_t until = now_ms() + CALL_MS;
    for (;;) {
        struct err err = {0};
        if (!set_committed(reader, group, topics, ret_any, &err))
            return 0;
        if (err.kind != ERR_RETRY || now_ms() >= until) {
            *reterr = err;
            return -1;
        }
        usleep(PAUSE_US);
    }
}

static int64_t distance(struct kafka_reader *reader)
{
    size_t n;
    const struct kafka_part *parts = kafka_read_parts(reader, &n);
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        if (parts[i].end > parts[i].next)
            sum += parts[i].end - parts[i].next;
    return sum;
}

/* Counts events one by one where the distance of offsets counts control records and barriers too.
 * A tail that can not be read in time leaves the distance. */
static int count_tail(struct kafka_reader *reader, struct group_lag *ret, struct err *reterr)
{
    uint64_t until = now_ms() + TAIL_MS;
    int64_t events = 0;
    if (kafka_read_start(reader, reterr))
        return -1;
    while (!kafka_read_done(reader)) {
        rd_kafka_message_t *m;
        unsigned topic;
        if (kafka_read_next(reader, 100, &m, &topic, reterr))
            return -1;
        if (m) {
            events += !kafka_is_barrier(m);
            rd_kafka_message_destroy(m);
        }
        if (now_ms() > until)
            return 0;
    }
    ret->events = events;
    ret->exact = true;
    return 0;
}

int group_lag(const struct conf_common *common, const char *group, const char *const *topics,
              struct group_lag *ret, struct err *reterr)
{
    struct kafka_reader *reader = NULL;
    if (kafka_read_open(&reader, common, topics, CALL_MS, reterr))
        return -1;
    *ret = (struct group_lag){0};
    int rc = wait_committed(reader, group, topics, &ret->committed, reterr);
    if (!rc) {
        ret->events = distance(reader);
        ret->exact = ret->events == 0;
        if (ret->events && ret->events <= EXACT_MAX)
            rc = count_tail(reader, ret, reterr);
    }
    kafka_read_close(reader);
    return rc;
}

int group_lag_assigner(const struct conf_common *common, struct group_lag *ret, struct err *reterr)
{
    char group[NAME_MAX_BYTES], tickets[NAME_MAX_BYTES], experts[NAME_MAX_BYTES];
    kafka_topic(group, sizeof group, common->topic_prefix, "assigner");
    const char *topics[] = {kafka_topic(tickets, sizeof tickets, common->topic_prefix, "tickets"),
                            kafka_topic(experts, sizeof experts, common->topic_prefix, "experts"),
                            NULL};
    return group_lag(common, group, topics, ret, reterr);
}

int group_lag_notifier(const struct conf_common *common, struct group_lag *ret, struct err *reterr)
{
    char group[NAME_MAX_BYTES], notices[NAME_MAX_BYTES];
    kafka_topic(group, sizeof group, common->topic_prefix, "notifier");
    const char *topics[] = {kafka_topic(notices, sizeof notices, common->topic_prefix, "notices"),
                            NULL};
    return group_lag(common, group, topics, ret, reterr);
}
