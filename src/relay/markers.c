#include "markers.h"

#include "crash.h"
#include "kafka.h"
#include "loop.h"
#include "mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUERY_MS = 3000,
    MISSING_MS = 3000, /* those of a clean transaction are there within milliseconds */
    REFUSED_PAUSE_MS = 50,
    RENEW_MS = 1000,
    CLOSE_TIMEOUT_MS = 3000,
};

struct markers {
    rd_kafka_t *reader;
    rd_kafka_topic_partition_list_t *ends; /* NULL: all is visible */
    uint64_t since_ms;
};

int markers_open(struct markers **ret, const struct conf_common *common, struct err *reterr)
{
    static const char *const pairs[] = {"isolation.level", "read_committed", NULL};
    struct markers *m = mem_new(1, sizeof *m);
    rd_kafka_conf_t *conf = kafka_conf(common, "relay", pairs, reterr);
    if (!conf || kafka_open(&m->reader, RD_KAFKA_CONSUMER, conf, NULL, QUERY_MS, reterr)) {
        free(m);
        return -1;
    }
    *ret = m;
    return 0;
}

void markers_close(struct markers *m)
{
    if (!m)
        return;
    if (m->ends)
        rd_kafka_topic_partition_list_destroy(m->ends);
    kafka_close(m->reader, CLOSE_TIMEOUT_MS);
    free(m);
}

void markers_expect(struct markers *m, rd_kafka_topic_partition_list_t *ends)
{
    m->ends = ends;
    m->since_ms = now_ms();
}

/* offsets_for_times obeys the handle's isolation level: the "end" is the last stable offset. */
static rd_kafka_resp_err_t ask(const struct markers *m, rd_kafka_topic_partition_list_t *offsets)
{
    for (int i = 0; i < offsets->cnt; i++)
        offsets->elems[i].offset = RD_KAFKA_OFFSET_END;
    CRASH_POINT("relay.look.before");
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(m->reader, offsets, QUERY_MS);
    CRASH_POINT("relay.look.after");
    for (int i = 0; i < offsets->cnt && !code; i++)
        if (offsets->elems[i].err || offsets->elems[i].offset < m->ends->elems[i].offset)
            code = offsets->elems[i].err ? offsets->elems[i].err : RD_KAFKA_RESP_ERR__IN_PROGRESS;
    return code;
}

/* A handle without topics of its own does not ask again who leads them. */
static void renew(const struct markers *m)
{
    struct err ignored;
    const char *last = "";
    int count;
    rd_kafka_poll(m->reader, REFUSED_PAUSE_MS);
    for (int i = 0; i < m->ends->cnt; i++) {
        const char *topic = m->ends->elems[i].topic;
        if (strcmp(topic, last) != 0 &&
            kafka_partitions(m->reader, topic, RENEW_MS, &count, &ignored))
            return;
        last = topic;
    }
}

int markers_look(struct markers *m, bool *ret_visible, struct err *reterr)
{
    *ret_visible = true;
    if (!m->ends)
        return 0;
    uint64_t asked_ms = now_ms();
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_copy(m->ends);
    rd_kafka_resp_err_t code = ask(m, offsets);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (!code) {
        rd_kafka_topic_partition_list_destroy(m->ends);
        m->ends = NULL;
        return 0;
    }
    *ret_visible = false;
    if (code != RD_KAFKA_RESP_ERR__IN_PROGRESS)
        renew(m);
    if (asked_ms - m->since_ms < MISSING_MS)
        return 0;
    if (code != RD_KAFKA_RESP_ERR__IN_PROGRESS)
        return kafka_err(reterr, code, "read what was committed");
    err_set(reterr, ERR_RETRY, "what was committed %d s ago can not be read: markers are missing",
            MISSING_MS / 1000);
    if (reterr)
        reterr->code = code;
    return -1;
}
