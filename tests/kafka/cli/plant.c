#include "plant.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_MS = 10000 };

static rd_kafka_t *producer(const char *transactional_id)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", getenv("SQUAD_KAFKA"), text, sizeof text);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", text, sizeof text);
    rd_kafka_conf_set(conf, "socket.nagle.disable", "true", text, sizeof text);
    rd_kafka_conf_set(conf, "linger.ms", "1", text, sizeof text);
    if (transactional_id)
        rd_kafka_conf_set(conf, "transactional.id", transactional_id, text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    cr_assert_not_null(rk, "%s", text);
    return rk;
}

static void add_header(rd_kafka_headers_t *h, const char *name, const char *value)
{
    if (value)
        rd_kafka_header_add(h, name, -1, value, -1);
}

static void produce(rd_kafka_t *rk, struct world *w, const struct record *r)
{
    char topic[128];
    snprintf(topic, sizeof topic, "%s.%s", w->name, r->topic);
    rd_kafka_headers_t *h = rd_kafka_headers_new(8);
    add_header(h, "ce_specversion", "1.0");
    add_header(h, "ce_id", r->id);
    add_header(h, "ce_type", r->type);
    add_header(h, "ce_source", "/squad");
    add_header(h, "traceparent", r->traceparent);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(r->key, r->key ? strlen(r->key) : 0),
        RD_KAFKA_V_VALUE((void *)r->payload, r->payload ? strlen(r->payload) : 0),
        RD_KAFKA_V_HEADERS(h), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    cr_assert_eq(code, 0, "%s", rd_kafka_err2str(code));
}

void plant_record(struct world *w, const struct record *r)
{
    rd_kafka_t *rk = producer(NULL);
    produce(rk, w, r);
    cr_assert_eq(rd_kafka_flush(rk, FLUSH_MS), 0);
    rd_kafka_destroy(rk);
}

static void no_error(rd_kafka_error_t *error)
{
    cr_assert_null(error, "%s", rd_kafka_error_string(error));
}

void plant_aborted(struct world *w, const struct record *r)
{
    rd_kafka_t *rk = producer(w->name);
    no_error(rd_kafka_init_transactions(rk, FLUSH_MS));
    no_error(rd_kafka_begin_transaction(rk));
    produce(rk, w, r);
    rd_kafka_flush(rk, FLUSH_MS);
    no_error(rd_kafka_abort_transaction(rk, FLUSH_MS));
    rd_kafka_destroy(rk);
}

static const char *text_of(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : PQgetvalue(res, row, col);
}

int plant_publish_in(struct world *w, const char *where, const char *order)
{
    char sql[1024];
    snprintf(sql, sizeof sql,
             "SELECT aggregatetype || 's', aggregateid, id, type, payload, traceparent FROM outbox "
             "WHERE %s ORDER BY %s",
             where, order);
    PGresult *res = PQexec(w->pg, sql);
    cr_assert_eq(PQresultStatus(res), PGRES_TUPLES_OK, "%s", PQerrorMessage(w->pg));
    rd_kafka_t *rk = producer(NULL);
    int n = PQntuples(res);
    for (int i = 0; i < n; i++)
        produce(rk, w,
                &(struct record){.topic = text_of(res, i, 0),
                                 .key = text_of(res, i, 1),
                                 .id = text_of(res, i, 2),
                                 .type = text_of(res, i, 3),
                                 .payload = text_of(res, i, 4),
                                 .traceparent = text_of(res, i, 5)});
    cr_assert_eq(rd_kafka_flush(rk, FLUSH_MS), 0);
    rd_kafka_destroy(rk);
    PQclear(res);
    return n;
}

int plant_publish(struct world *w, const char *where)
{
    return plant_publish_in(w, where, "seq");
}

static void event(struct world *w, const char *aggregate, const char *type, const char *id)
{
    free(world_sql(w,
                   "INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent) "
                   "VALUES ('%s', '%s', '%s', '{\"ticket_id\":\"%s\"}', "
                   "'00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')",
                   aggregate, id, type, id));
}

void plant_received(struct world *w, struct planted *ret)
{
    uint8_t id[16];
    uuid7_make(id);
    uuid_format(id, ret->id);
    ticket_ref_make(id, ret->ref);
    free(world_sql(w, "BEGIN"));
    free(world_sql(w,
                   "INSERT INTO ticket (id, ref, client_id, key_hash, body_hash, source, type, "
                   "area, problem, customer_name) VALUES ('%s', '%s', (SELECT min(id) FROM client),"
                   " substring(sha256('%s') FOR 16), sha256('x'), 'web', 'tv', '28013', "
                   "'No picture', 'Secret Name')",
                   ret->id, ret->ref, ret->id));
    event(w, "ticket", "squad.ticket.created.v1", ret->id);
    free(world_sql(w, "COMMIT"));
}

/* One statement, so that the constraints on assignment hold at its end. */
static const char assign[] =
    "WITH d AS (INSERT INTO dispatch (ticket_id, state, type, area, priority, created_at, attempts)"
    " SELECT id, 'assigned', type, area, 3, created_at, 1 FROM ticket WHERE id = '%s'"
    " RETURNING ticket_id),"
    " l AS (UPDATE expert_load SET load = load + 1 WHERE expert_id = %d RETURNING expert_id),"
    " a AS (INSERT INTO assignment (ticket_id, expert_id, attempt, expert_version, why)"
    " SELECT d.ticket_id, e.id, 1, e.version, '{\"experts\":12,\"fit\":5,\"load\":0,\"idle_s\":60}'"
    " FROM d, l JOIN expert e ON e.id = l.expert_id RETURNING id, ticket_id, expert_id),"
    " n AS (INSERT INTO notice (assignment_id, ticket_id, expert_id, channel, message)"
    " SELECT id, ticket_id, expert_id, 'webhook', 'offer' FROM a RETURNING id),"
    " v AS (INSERT INTO ticket_event (ticket_id, kind, actor, detail)"
    " SELECT ticket_id, 'reserved', 'assigner/1', jsonb_build_object('assignment_id', id,"
    " 'expert_id', expert_id) FROM a)"
    " SELECT id FROM a";

void plant_ticket(struct world *w, int expert, bool done, struct planted *ret)
{
    plant_received(w, ret);
    char *assignment = world_sql(w, assign, ret->id, expert);
    cr_assert_not_null(assignment);
    snprintf(ret->assignment, sizeof ret->assignment, "%s", assignment);
    free(assignment);
    event(w, "ticket", "squad.ticket.reserved.v1", ret->id);
    event(w, "notice", "squad.notice.requested.v1", ret->id);
    free(world_sql(w, "UPDATE notice SET state = 'sending', attempts = 1 WHERE ticket_id = '%s'",
                   ret->id));
    free(world_sql(w,
                   "SELECT count(*) FROM notice_finish((SELECT array_agg(id) FROM notice WHERE "
                   "ticket_id = '%s'), '{1}', '{t}', '{204}', '{null}', 'notifier/1')",
                   ret->id));
    if (done)
        free(world_sql(w, "SELECT count(*) FROM assignment_complete('%s', 'client demo')",
                       ret->assignment));
}
