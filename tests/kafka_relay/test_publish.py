"""What the relay writes: events, their order, two producers in turn, dead letters."""
import json
import re
import uuid

from relay_alone import BUILD, header


def test_drain_publishes_what_is_there_as_cloudevents_and_exits_0(w):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    event = w.one("INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload, traceparent) VALUES "
                  "('expert', 'e-1', 'squad.expert.freed.v1', '{\"expert_id\": 1}', %s) RETURNING id::text", trace)
    w.write(20)
    w.drain()
    assert w.check() == 21
    m, = w.read("experts")
    assert m.key() == b"e-1" and json.loads(m.value()) == {"expert_id": 1}
    # CloudEvents 1.0, Kafka binding, binary mode.
    assert {k: v.decode() for k, v in m.headers() if k not in ("ce_time", "squad_txn")} == {
        "ce_specversion": "1.0", "ce_id": event, "ce_type": "squad.expert.freed.v1", "ce_source": "/squad",
        "content-type": "application/json", "traceparent": trace}
    assert uuid.UUID(header(m, "ce_id")) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", header(m, "ce_time"))
    w.drain()
    assert w.check() == 21
    assert w.one("SELECT (rows_total, transactions_total, dead_total)::text FROM squad.relay_progress") == "(21,1,0)"


def test_events_of_one_key_are_on_one_partition_in_order(w):
    w.leader()
    for _ in range(30):
        w.write(10, key="'k' || i % 5")
    w.wait_published()
    assert w.check() == 300
    places = {}
    for m in w.events("tickets"):
        places.setdefault(m.key(), set()).add(m.partition())
    assert all(len(p) == 1 for p in places.values()) and len(places) == 5


def test_both_producers_are_used_in_turn(w):
    w.leader()
    for _ in range(6):
        w.write(3)
        w.wait_published()
    batches = w.raw().batches(w.topic("relay.progress"), 0)
    ids = [b.producer_id for b in batches if not b.is_control]
    assert len(ids) == 6 and len(set(ids)) == 2
    assert all(a != b for a, b in zip(ids, ids[1:])), ids
    assert all(b.is_transactional for b in batches)
    assert [header(m, "squad_txn") for m in w.read("relay.progress")] == ["1", "2", "3", "4", "5", "6"]
    named = w.raw().transactional_ids()
    assert {named[i] for i in set(ids)} == {f"{w.prefix}-relay-a", f"{w.prefix}-relay-b"}


def test_200000_rows_take_no_more_than_40_mib(w):
    for _ in range(4):
        w.write(50000, key="'key-' || i % 5000",
                payload="json_build_object('n', i, 'text', repeat('x', 300))")
    r = w.leader()
    w.wait_published(timeout_s=60)
    peak = r.peak_rss_kib()
    w.write(1)
    w.wait_published()
    print(f"\npeak RSS {peak} KiB")
    if "asan" not in str(BUILD):
        assert peak <= 40 * 1024
    assert r.stop() == 0
    assert json.loads(w.position())["rows"] == 200001


def dead(w):
    return w.c.execute("SELECT seq, topic, reason FROM squad.relay_dead ORDER BY seq").fetchall()


def test_a_row_too_large_for_kafka_goes_to_dead_with_its_neighbours_transaction(w):
    w.write(3, key="'same'")
    w.write(1, key="'same'", payload="json_build_object('text', (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 60000) g))")
    w.write(3, key="'same'")
    r = w.leader()
    w.wait_published()
    assert w.check(dead=1) == 6
    (seq, topic, reason), = dead(w)
    assert topic == w.topic("tickets") and "too large" in reason
    assert seq == w.one("SELECT seq FROM squad.outbox WHERE length(payload::text) > 1000000")
    m, = w.read("dead")
    assert header(m, "squad_dead_reason") == reason and header(m, "squad_dead_topic") == topic
    assert header(m, "squad_dead_seq") == str(seq) and int(header(m, "squad_dead_bytes")) > 1000000
    assert len(m.value()) == 65536
    assert {header(e, "squad_txn") for e in w.events("tickets")} == {header(m, "squad_txn")}, "one transaction"
    w.write(2, key="'same'")
    w.wait_published()
    assert w.check(dead=1) == 8
    assert r.log().count("row goes to the dead-letter topic") == 1
    assert r.stop() == 0


def test_whatever_is_wrong_with_a_row_it_stops_nothing(w):
    w.write(1)
    w.write(1, type_="'invoice'")
    w.write(1, type_="repeat('t', 300)")
    w.write(1, key="repeat('k', 1200000)")
    w.c.execute("INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload, traceparent) VALUES "
                "('ticket', 'a', repeat('t', 1200000), '{}', NULL), ('ticket', 'b', 't', '{}', repeat('0', 1200000))")
    w.write(1, key="''")
    # Cut at any byte, its topic's name and its type would no longer be text.
    for ascii_ in range(3):
        w.c.execute("INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) VALUES "
                    "(repeat('t', %s) || repeat('€', 90), repeat('k', %s) || repeat('€', 90), "
                    "repeat('t', %s) || repeat('€', 90), '{}')", (ascii_, ascii_, ascii_))
    w.drain()
    assert w.check(dead=8) == 2
    reasons = [r for _, _, r in dead(w)]
    assert all(r == "there is no topic for its aggregatetype" for r in reasons[:2] + reasons[5:])
    assert all("large" in r for r in reasons[2:5])
    assert [t for _, t, _ in dead(w)][-3:] == [w.topic(f"{'t' * n}{'€' * ((60 - n) // 3)}s") for n in range(3)]
    assert all(m.key().decode() and header(m, "ce_type") for m in w.read("dead"))


def test_by_block_later_rows_of_a_dead_key_follow_it_also_after_a_restart(w):
    w.write(1, key="'bad'", payload="json_build_object('text', repeat('x', 1200000))")
    w.write(2, key="'bad'")
    w.write(2, key="'good'")
    w.drain("--poison", "block")
    assert w.check(dead=3) == 2
    w.write(1, key="'bad'")
    w.write(1, key="'good'")
    w.drain("--poison", "block")
    assert w.check(dead=4) == 3
    assert dead(w)[-1][2] == "an earlier event of its key is a dead letter"


def test_by_block_earlier_events_of_its_key_are_sent_though_the_transaction_of_the_dead_letter_failed(w):
    """It is listed before Kafka has it: what the list says of the key holds for what is behind it."""
    w.write(1, key="'bad'")
    w.write(1, key="'bad'", payload="json_build_object('text', repeat('x', 1200000))")
    w.write(1, key="'bad'")
    w.c.execute("INSERT INTO squad.relay_dead (event_id, seq, topic, reason) SELECT id, seq, 'x', 'too large' "
                "FROM squad.outbox WHERE length(payload::text) > 1000000")
    w.drain("--poison", "block")
    assert w.check(dead=2) == 1


def test_a_dead_letter_fits_though_its_topic_takes_little(w):
    for t in ("tickets", "dead"):
        w.raw().set_config(w.raw().TOPIC, w.topic(t), {"max.message.bytes": "8192"})
    w.write(1, payload="json_build_object('text', (SELECT string_agg(md5(random()::text || g), '') FROM generate_series(1, 1000) g))")
    w.write(2)
    w.drain()
    assert w.check(dead=1) == 2


def test_a_row_larger_than_the_producer_s_queue_stops_nothing_though_kafka_would_take_it(w):
    for t in ("tickets", "experts", "notices", "dead", "relay.progress"):
        w.raw().set_config(w.raw().TOPIC, w.topic(t), {"max.message.bytes": str(64 << 20)})
    w.write(1, payload=f"json_build_object('text', repeat('x', {33 << 20}))")
    w.write(2)
    w.drain()
    assert w.check(dead=1) == 2


def test_when_the_limit_shrinks_under_way_no_row_that_fits_is_given_up(w):
    """The broker then refuses whole batches, which says nothing of the rows in them."""
    r = w.leader()
    w.write(1)
    w.wait_published()
    w.raw().set_config(w.raw().TOPIC, w.topic("tickets"), {"max.message.bytes": "20000"})
    text = "(SELECT string_agg(md5(random()::text || i || g), '') FROM generate_series(1, 60) g)"
    w.write(300, key="'one'", payload=f"json_build_object('n', i, 'text', {text})")
    w.wait_published()
    assert "relay recovers" in r.log(), "no batch was refused: it proved nothing"
    assert w.check() == 301
    w.write(1, payload="json_build_object('text', (SELECT string_agg(md5(random()::text || g), '') FROM generate_series(1, 1500) g))")
    w.write(5)
    w.wait_published()
    assert w.check(dead=1) == 306
    assert r.stop() == 0
