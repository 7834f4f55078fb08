/*
 * latency: from the COMMIT of an outbox row to the same row in the hands of a
 * read_committed consumer, with a relay running.
 *
 * Open loop: rows are committed at fixed moments, whatever came back so far, and
 * the clock of a row starts when COMMIT has returned. Prints one line:
 *   rows=4000 rate=200 p50_ms=3.1 p90_ms=... p99_ms=... worst_ms=...
 * Usage: latency RATE SECONDS; SQUAD_DB (who may write the outbox) and SQUAD_KAFKA are in the
 * environment.
 */
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARM_UP_ROWS = 200, QUIET_END_MS = 10000 };

static double *sent_ms, *seen_ms; /* by number of the row; 0: not yet */
static long n_rows;
static double rate;

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "latency: could not %s: %s\n", what, why);
    exit(1);
}

static void sleep_until(double at_ms)
{
    double left = at_ms - now_ms();
    struct timespec ts = {.tv_sec = (time_t)(left / 1000),
                          .tv_nsec = (long)((left - (double)(long)(left / 1000) * 1000) * 1e6)};
    if (left > 0)
        nanosleep(&ts, NULL);
}

static void *write_rows(void *arg)
{
    const char *key = arg;
    PGconn *pg = PQconnectdb(getenv("SQUAD_DB") ? getenv("SQUAD_DB") : "dbname=squad");
    if (PQstatus(pg) != CONNECTION_OK)
        die("connect", PQerrorMessage(pg));
    PGresult *res =
        PQprepare(pg, "put",
                  "INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) "
                  "VALUES ('ticket', $1, 'squad.bench.v1', json_build_object('n', $2::int))",
                  0, NULL);
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        die("prepare", PQerrorMessage(pg));
    PQclear(res);
    double start = now_ms();
    for (long i = 0; i < n_rows; i++) {
        char number[24];
        const char *values[] = {key, number};
        snprintf(number, sizeof number, "%ld", i);
        sleep_until(start + (double)i * 1000 / rate);
        res = PQexecPrepared(pg, "put", 2, values, NULL, NULL, 0); /* commits */
        sent_ms[i] = now_ms();
        if (PQresultStatus(res) != PGRES_COMMAND_OK)
            die("insert", PQerrorMessage(pg));
        PQclear(res);
    }
    PQfinish(pg);
    return NULL;
}

static rd_kafka_t *consumer(void)
{
    static const char *const pairs[][2] = {
        {"group.id", "squad-bench"},      {"isolation.level", "read_committed"},
        {"enable.auto.commit", "false"},  {"socket.nagle.disable", "true"},
        {"fetch.error.backoff.ms", "20"}, {"enable.partition.eof", "false"},
    };
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *brokers = getenv("SQUAD_KAFKA");
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers ? brokers : "127.0.0.1:9092", NULL, 0);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], text, sizeof text))
            die("configure", text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!rk)
        die("make the consumer", text);
    return rk;
}

/* Every partition, from its end. */
static void assign(rd_kafka_t *rk)
{
    const struct rd_kafka_metadata *meta;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, "squad.tickets", NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, rkt, &meta, 10000);
    if (code || !meta->topic_cnt || !meta->topics[0].partition_cnt)
        die("find topic squad.tickets", rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (int p = 0; p < meta->topics[0].partition_cnt; p++) {
        int64_t low, high;
        if (rd_kafka_query_watermark_offsets(rk, "squad.tickets", p, &low, &high, 10000))
            die("read the end of a partition", "time-out");
        rd_kafka_topic_partition_list_add(list, "squad.tickets", p)->offset = high;
    }
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(meta);
    rd_kafka_topic_destroy(rkt);
    rd_kafka_poll_set_consumer(rk);
}

static void read_rows(rd_kafka_t *rk, const char *key)
{
    long left = n_rows;
    double last = now_ms();
    while (left > 0) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);
        if (now_ms() - last > QUIET_END_MS)
            die("read every row", "no row for 10 s: is a relay running?");
        if (!m)
            continue;
        long n;
        char value[64];
        if (!m->err && m->key_len == strlen(key) && memcmp(m->key, key, m->key_len) == 0) {
            snprintf(value, sizeof value, "%.*s", (int)m->len, (const char *)m->payload);
            if (sscanf(value, "{\"n\" : %ld}", &n) == 1 && n >= 0 && n < n_rows && !seen_ms[n]) {
                last = seen_ms[n] = now_ms();
                left--;
            }
        }
        rd_kafka_message_destroy(m);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    char key[64];
    pthread_t writer;
    rate = argc > 1 ? atof(argv[1]) : 200;
    n_rows = WARM_UP_ROWS + (long)(rate * (argc > 2 ? atof(argv[2]) : 20));
    sent_ms = calloc((size_t)n_rows, sizeof *sent_ms);
    seen_ms = calloc((size_t)n_rows, sizeof *seen_ms);
    snprintf(key, sizeof key, "bench-%ld", (long)time(NULL));
    rd_kafka_t *rk = consumer();
    assign(rk);
    if (pthread_create(&writer, NULL, write_rows, key))
        die("start the writer", "no thread");
    read_rows(rk, key);
    pthread_join(writer, NULL);
    long n = n_rows - WARM_UP_ROWS;
    double *took = seen_ms + WARM_UP_ROWS;
    for (long i = 0; i < n; i++)
        took[i] -= sent_ms[WARM_UP_ROWS + i];
    qsort(took, (size_t)n, sizeof *took, by_value);
    printf("rows=%ld rate=%.0f p50_ms=%.1f p90_ms=%.1f p99_ms=%.1f worst_ms=%.1f\n", n, rate,
           took[n / 2], took[n * 9 / 10], took[n * 99 / 100], took[n - 1]);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    free(sent_ms);
    free(seen_ms);
    return 0;
}
