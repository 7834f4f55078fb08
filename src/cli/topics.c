/* squad topics: makes squad's topics, and checks those that are there. */
#include "command.h"
#include "kafka.h"
#include "loop.h"
#include "out.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALL_MS = 5000, PAUSE_MS = 250, CLOSE_MS = 5000, NAME_MAX_BYTES = 200, TOPICS = 5 };

struct topics_conf {
    struct conf_common common;
    long partitions, replication, retention_ms, wait_s;
    bool json;
};

/* What the topics are for: data topics are read from the start by squad verify
 * and by new consumers; progress keeps the relay's last position only. */
static const struct topic_kind {
    const char *suffix;
    bool compacted; /* one partition, last record of each key */
} kinds[TOPICS] = {
    {"tickets", false}, {"experts", false},       {"notices", false},
    {"dead", false},    {"relay.progress", true},
};

struct topic {
    char name[NAME_MAX_BYTES];
    const struct topic_kind *kind;
    int partitions, wanted;
    bool created;
    char policy[32];
};

struct topics {
    const struct topics_conf *conf;
    rd_kafka_t *rk;
    uint64_t until_ms;
    struct topic topic[TOPICS];
};

static bool time_left(const struct topics *t)
{
    return now_ms() < t->until_ms;
}

static void pause_for(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* Waits until a broker answers. */
static int wait_for_broker(struct topics *t, struct err *reterr)
{
    for (;;) {
        const struct rd_kafka_metadata *meta = NULL;
        rd_kafka_resp_err_t code = rd_kafka_metadata(t->rk, 0, NULL, &meta, 1000);
        if (!code) {
            rd_kafka_metadata_destroy(meta);
            return 0;
        }
        if (kafka_err_kind(code) == ERR_FATAL || !time_left(t))
            return err_fatal(reterr, EXIT_KAFKA, "could not reach Kafka at %s: %s",
                             t->conf->common.kafka, rd_kafka_err2str(code));
        out_progress("waiting for Kafka at %s", t->conf->common.kafka);
        pause_for(PAUSE_MS);
    }
}

static void set_config(rd_kafka_NewTopic_t *n, const char *name, const char *fmt, long value)
{
    char text[32];
    snprintf(text, sizeof text, fmt, value);
    rd_kafka_NewTopic_set_config(n, name, text);
}

static rd_kafka_NewTopic_t *describe(const struct topics *t, const struct topic *topic,
                                     struct err *reterr)
{
    char text[256];
    rd_kafka_NewTopic_t *n = rd_kafka_NewTopic_new(topic->name, topic->wanted,
                                                   (int)t->conf->replication, text, sizeof text);
    if (!n) {
        err_fatal(reterr, EXIT_CONFIG, "could not describe topic %s: %s", topic->name, text);
        return NULL;
    }
    /* With three replicas an acknowledged event survives the loss of one broker, and one broker
     * may be away without stopping the relay. */
    set_config(n, "min.insync.replicas", "%ld", t->conf->replication >= 3 ? 2 : 1);
    if (topic->kind->compacted) {
        set_config(n, "cleanup.policy", "compact", 0);
        set_config(n, "segment.bytes", "%ld", 16 << 20); /* compaction skips the active segment */
    } else {
        set_config(n, "cleanup.policy", "delete", 0);
        set_config(n, "retention.ms", "%ld", t->conf->retention_ms);
        set_config(n, "retention.bytes", "%ld", -1);
    }
    return n;
}

/* The event for a request made into queue, which is not used again: an answer that comes after all
 * must not be taken for that of the next request. NULL: none in time. */
static rd_kafka_event_t *wait_for_answer(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 2 * CALL_MS);
    rd_kafka_queue_destroy(queue);
    return event;
}

/* Makes one topic; one that is there already is left as it is. ERR_RETRY while the broker is
 * starting. */
static int create(struct topics *t, struct topic *topic, struct err *reterr)
{
    rd_kafka_NewTopic_t *n = describe(t, topic, reterr);
    if (!n)
        return -1;
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(t->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char text[256];
    rd_kafka_AdminOptions_set_operation_timeout(options, CALL_MS, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(t->rk);
    rd_kafka_CreateTopics(t->rk, &n, 1, options, queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(n);
    rd_kafka_event_t *event = wait_for_answer(queue);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const char *why = rd_kafka_err2str(code);
    if (event && !code) {
        size_t count;
        const rd_kafka_topic_result_t **r =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
        code = rd_kafka_topic_result_error(r[0]);
        why = rd_kafka_topic_result_error_string(r[0]);
    }
    int rc = 0;
    topic->created = !code;
    if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
        /* also what a cluster says whose brokers are still registering */
        rc = err_set(reterr, ERR_RETRY, "could not make topic %s with %ld replicas: %s",
                     topic->name, t->conf->replication, why);
    else if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        rc = kafka_err(reterr, code, "make topic %s (%s)", topic->name, why);
    if (event)
        rd_kafka_event_destroy(event);
    return rc;
}

/* Partitions, once each of them has a leader. */
static int read_partitions(struct topics *t, struct topic *topic, struct err *reterr)
{
    const struct rd_kafka_metadata *meta = NULL;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(t->rk, topic->name, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(t->rk, 0, rkt, &meta, CALL_MS);
    rd_kafka_topic_destroy(rkt);
    if (code)
        return kafka_err(reterr, code, "ask Kafka for topic %s", topic->name);
    const struct rd_kafka_metadata_topic *m = &meta->topics[0];
    int count = meta->topic_cnt == 1 && !m->err ? m->partition_cnt : 0;
    bool led = count > 0;
    for (int i = 0; i < count; i++)
        led = led && m->partitions[i].leader >= 0 && !m->partitions[i].err;
    rd_kafka_metadata_destroy(meta);
    if (!led)
        return err_set(reterr, ERR_RETRY, "could not use topic %s: it has no leader", topic->name);
    topic->partitions = count;
    return 0;
}

static int read_policy(struct topics *t, struct topic *topic, struct err *reterr)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic->name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(t->rk);
    rd_kafka_DescribeConfigs(t->rk, &resource, 1, NULL, queue);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_event_t *event = wait_for_answer(queue);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = NULL;
    if (!code) {
        const rd_kafka_ConfigResource_t **r = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &count);
        code = rd_kafka_ConfigResource_error(r[0]);
        entries = rd_kafka_ConfigResource_configs(r[0], &count);
    }
    for (size_t i = 0; !code && i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "cleanup.policy") == 0)
            snprintf(topic->policy, sizeof topic->policy, "%s",
                     rd_kafka_ConfigEntry_value(entries[i]));
    if (event)
        rd_kafka_event_destroy(event);
    return code ? kafka_err(reterr, code, "read the settings of topic %s", topic->name) : 0;
}

static int check(const struct topic *topic, struct err *reterr)
{
    if (topic->kind->compacted && topic->partitions != 1)
        err_fatal(reterr, EXIT_KAFKA, "topic %s has %d partitions: it must have 1", topic->name,
                  topic->partitions);
    else if (topic->kind->compacted && strcmp(topic->policy, "compact") != 0)
        err_fatal(reterr, EXIT_KAFKA, "topic %s has cleanup.policy=%s: it must be compact",
                  topic->name, topic->policy);
    else if (!topic->kind->compacted && strcmp(topic->policy, "delete") != 0)
        err_fatal(reterr, EXIT_KAFKA,
                  "topic %s has cleanup.policy=%s: it must be delete, because compaction would "
                  "lose events",
                  topic->name, topic->policy);
    else
        return 0;
    return err_hint(reterr, "squad topics leaves existing topics as they are. Correct the topic, "
                            "or choose another --topic-prefix.");
}

typedef int step_fn(struct topics *t, struct topic *topic, struct err *reterr);

static int retry(struct topics *t, struct topic *topic, step_fn *step, struct err *reterr)
{
    while (step(t, topic, reterr)) {
        if (reterr->kind == ERR_FATAL && reterr->exit_code == EXIT_CONFIG)
            return -1;
        if (reterr->kind != ERR_RETRY || !time_left(t)) {
            reterr->kind = ERR_FATAL;
            reterr->exit_code = EXIT_KAFKA;
            return -1;
        }
        out_progress("%.120s; trying again", reterr->text);
        pause_for(PAUSE_MS);
    }
    return 0;
}

static int make_all(struct topics *t, struct err *reterr)
{
    if (wait_for_broker(t, reterr))
        return -1;
    for (int i = 0; i < TOPICS; i++)
        if (retry(t, &t->topic[i], create, reterr))
            return -1;
    for (int i = 0; i < TOPICS; i++)
        if (retry(t, &t->topic[i], read_partitions, reterr) ||
            retry(t, &t->topic[i], read_policy, reterr) || check(&t->topic[i], reterr))
            return -1;
    return 0;
}

static const char *remark(const struct topic *topic)
{
    if (topic->created)
        return "created";
    return topic->partitions == topic->wanted ? "was there" : "was there, with its own partitions";
}

static void print_text(const struct topics *t)
{
    static const struct table_column columns[] = {
        {"topic", false}, {"partitions", true}, {"cleanup", false}, {"", false}};
    struct table *table = table_new(columns, 4);
    for (int i = 0; i < TOPICS; i++) {
        table_cell(table, "%s", t->topic[i].name);
        table_cell(table, "%d", t->topic[i].partitions);
        table_cell(table, "%s", t->topic[i].policy);
        table_cell(table, "%s", remark(&t->topic[i]));
    }
    table_print(table, stdout);
    table_free(table);
}

static void print_json(const struct topics *t)
{
    json_t *list = json_array();
    for (int i = 0; i < TOPICS; i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:i,s:s,s:b}", "topic", t->topic[i].name,
                                        "partitions", t->topic[i].partitions, "cleanup_policy",
                                        t->topic[i].policy, "created", t->topic[i].created));
    out_json(json_pack("{s:o}", "topics", list));
}

static int run(const void *arg, char *const *operands, struct err *reterr)
{
    const struct topics_conf *conf = arg;
    struct topics t = {.conf = conf, .until_ms = now_ms() + (uint64_t)conf->wait_s * 1000};
    (void)operands;
    for (int i = 0; i < TOPICS; i++) {
        t.topic[i].kind = &kinds[i];
        t.topic[i].wanted = kinds[i].compacted ? 1 : (int)conf->partitions;
        kafka_topic(t.topic[i].name, sizeof t.topic[i].name, conf->common.topic_prefix,
                    kinds[i].suffix);
    }
    rd_kafka_conf_t *kc = kafka_conf(&conf->common, "topics", NULL, reterr);
    if (!kc || kafka_open(&t.rk, RD_KAFKA_PRODUCER, kc, NULL, CALL_MS, reterr))
        return -1;
    int rc = make_all(&t, reterr);
    out_progress_end();
    kafka_close(t.rk, CLOSE_MS);
    if (rc)
        return -1;
    if (conf->json)
        print_json(&t);
    else
        print_text(&t);
    return EXIT_OK;
}

static const struct opt opts[] = {
    {.name = "partitions",
     .env = "SQUAD_PARTITIONS",
     .type = OPT_INT,
     .offset = offsetof(struct topics_conf, partitions),
     .def = "4",
     .min = 1,
     .max = 1000,
     .metavar = "N",
     .help = "partitions of each data topic"},
    {.name = "replication-factor",
     .env = "SQUAD_REPLICATION_FACTOR",
     .type = OPT_INT,
     .offset = offsetof(struct topics_conf, replication),
     .def = "1",
     .min = 1,
     .max = 15,
     .metavar = "N",
     .help = "copies of each partition; 3 in production"},
    {.name = "retention-ms",
     .env = "SQUAD_RETENTION_MS",
     .type = OPT_INT,
     .offset = offsetof(struct topics_conf, retention_ms),
     .def = "-1",
     .min = -1,
     .max = 1L << 62,
     .metavar = "MS",
     .help = "how long events stay; -1: for ever (verify reads all)"},
    {.name = "wait",
     .type = OPT_INT,
     .offset = offsetof(struct topics_conf, wait_s),
     .def = "60",
     .min = 0,
     .max = 3600,
     .metavar = "SECONDS",
     .help = "how long to wait for a broker that is starting"},
    OPT_JSON(struct topics_conf),
    OPT_COMMON_BASE(struct topics_conf),
};

const struct command topics_command = {
    .name = "topics",
    .summary = "make the topics in Kafka, or check those that are there",
    .examples = "  squad topics\n"
                "  squad topics --partitions 12 --replication-factor 3\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .conf_size = sizeof(struct topics_conf),
    .run = run,
};
