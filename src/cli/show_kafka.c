/* Where a ticket's events stand on their topics. */
#include "kafka_read.h"
#include "loop.h"
#include "out.h"
#include "show.h"

#include <string.h>

enum {
    CALL_MS = 5000,
    BEFORE_MS = 5000, /* clocks of the database and of the relay may differ */
    SEARCH_MS = 4000,
    SEARCH_RECORDS = 500000,
    NAME_MAX_BYTES = 200,
};

static const char *const suffixes[] = {"tickets", "notices"};

/* Begins each partition at the first record of that time. */
static int seek(struct kafka_reader *reader, const char *topic, int64_t at_us, struct err *reterr)
{
    size_t n;
    struct kafka_part *parts = kafka_read_parts(reader, &n);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, topic, parts[i].partition)->offset =
            at_us / 1000 - BEFORE_MS;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(kafka_read_handle(reader), list, CALL_MS);
    for (size_t i = 0; !code && i < n; i++) {
        int64_t offset = list->elems[i].offset;
        code = list->elems[i].err;
        parts[i].next = offset >= 0 ? offset : parts[i].end;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code ? kafka_err(reterr, code, "search topic %s by time", topic) : 0;
}

/* Takes note of a record when it is one of ours; returns how many are left on this topic. */
static size_t match(const rd_kafka_message_t *m, unsigned topic, struct published *events, size_t n)
{
    uint8_t id[16];
    size_t left = 0;
    bool has_id = kafka_event_id(m, id);
    for (size_t i = 0; i < n; i++) {
        struct published *e = &events[i];
        if (e->topic != topic || e->found)
            continue;
        if (has_id && memcmp(e->id, id, sizeof id) == 0) {
            rd_kafka_timestamp_type_t type;
            e->found = true;
            e->partition = m->partition;
            e->offset = m->offset;
            e->published_us = rd_kafka_message_timestamp(m, &type) * 1000;
        } else {
            left++;
        }
    }
    return left;
}

static int search(struct kafka_reader *reader, unsigned topic, struct published *events,
                  size_t n_events, struct err *reterr)
{
    uint64_t until = now_ms() + SEARCH_MS;
    size_t left = 1;
    if (kafka_read_start(reader, reterr))
        return -1;
    for (int n = 0; left && n < SEARCH_RECORDS && !kafka_read_done(reader); n++) {
        rd_kafka_message_t *m;
        unsigned ignored;
        if (kafka_read_next(reader, 50, &m, &ignored, reterr))
            return -1;
        if (m) {
            left = match(m, topic, events, n_events);
            rd_kafka_message_destroy(m);
        }
        if (now_ms() > until)
            break;
    }
    return 0;
}

/* From the time of the first event that is not found yet; then, if some are left that were written
 * much later, from theirs. */
static int search_topic(const struct conf_common *common, unsigned topic, struct published *events,
                        size_t n, struct err *reterr)
{
    char name[NAME_MAX_BYTES];
    const char *topics[] = {kafka_topic(name, sizeof name, common->topic_prefix, suffixes[topic]),
                            NULL};
    for (size_t i = 0; i < n; i++) {
        struct kafka_reader *reader = NULL;
        if (events[i].topic != topic || events[i].found)
            continue;
        out_progress("looking for events on topic %s", name);
        if (kafka_read_open(&reader, common, topics, CALL_MS, reterr))
            return -1;
        int rc = seek(reader, name, events[i].written_us, reterr) ||
                 search(reader, topic, events, n, reterr);
        kafka_read_close(reader);
        if (rc)
            return -1;
    }
    return 0;
}

int show_find_published(const struct conf_common *common, struct published *events, size_t n,
                        struct err *reterr)
{
    for (unsigned topic = 0; topic < sizeof suffixes / sizeof *suffixes; topic++)
        if (search_topic(common, topic, events, n, reterr))
            return -1;
    return 0;
}
