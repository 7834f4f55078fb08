"""The relay fails closed: each doubt about its position is an exit code, a sentence and a hint, and nothing is sent."""
import json
import re
import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from relay_alone import World

EXIT_CONFIG, EXIT_KAFKA, EXIT_POSITION = 2, 5, 6


def delete_topic(w, suffix):
    admin = AdminClient({"bootstrap.servers": w.broker})
    for f in admin.delete_topics([w.topic(suffix)]).values():
        f.result(20)


def sentence(log):
    """The last line: text and hint."""
    last = log.splitlines()[-1]
    assert 'msg="relay stops"' in last and "level=error" in last, log
    return re.search(r'error="?(.*?)"? kind=fatal', last)[1], re.search(r"hint=(.*)", last)


def offsets(w):
    return sorted((m.topic(), m.partition(), m.offset()) for m in w.read(
        "tickets", "experts", "notices", "dead", "relay.progress", isolation="read_uncommitted"))


def refuses(w, code, expected):
    before = offsets(w) if code == EXIT_POSITION else None
    got, log = w.refused()
    text, hint = sentence(log)
    assert got == code and expected in text and hint, log
    assert before is None or before == offsets(w)
    return text


@pytest.fixture
def shipped(w):
    """Ten rows are published, and one waits."""
    w.write(10)
    w.drain()
    w.write(1)
    w.at = json.loads(w.position())
    return w


def test_position_missing_though_rows_were_published(shipped):
    delete_topic(shipped, "relay.progress")
    shipped.squad("topics", "--partitions", "3")
    assert "the position is missing" in refuses(shipped, EXIT_POSITION, "transaction 1 of a relay is visible")


def test_position_missing_and_all_topics_made_anew(shipped):
    for t in ("relay.progress", "tickets", "experts", "notices", "dead"):
        delete_topic(shipped, t)
    shipped.squad("topics", "--partitions", "3")
    assert "the position is missing" in refuses(shipped, EXIT_POSITION, "though 10 rows were published")


def test_after_a_restore_another_prefix_begins_again_from_the_first_row(shipped):
    shipped.plant_position(json.dumps(shipped.at | {"snapshot_prev": "99999998:99999999:"}))
    refuses(shipped, EXIT_POSITION, "is in the future of the database")
    shipped.prefix += "-2"
    shipped.env["SQUAD_TOPIC_PREFIX"] = shipped.prefix
    shipped.squad("topics", "--partitions", "3")
    shipped.drain()
    shipped.check()
    assert json.loads(shipped.position())["rows"] == 11


def test_position_that_can_not_be_of_this_database(shipped):
    for change, expected in (
            ({"system_identifier": "4711"}, "belongs to the PostgreSQL cluster 4711"),
            ({"database_oid": 1}, "belongs to the database with oid 1, this one's is"),
            ({"timeline": 99}, "was made on timeline 99, the database is on 1"),
            ({"snapshot_prev": "99999998:99999999:"}, "is in the future of the database"),
            ({"snapshot_cur": "99999998:99999999:"}, "is in the future of the database"),
            ({"txn": 0}, "is of transaction 0, but 1 is visible"),
            ({"version": 2}, "it is not valid"),
            ({"snapshot_prev": "five"}, "it is not valid")):
        shipped.plant_position(json.dumps(shipped.at | change))
        refuses(shipped, EXIT_POSITION, expected)


def test_position_that_is_no_json_or_was_deleted(shipped):
    shipped.plant_position("squad")
    refuses(shipped, EXIT_POSITION, "it is not valid")
    shipped.plant_position(None)
    refuses(shipped, EXIT_POSITION, "it is not valid")


def test_another_database_of_the_same_cluster(w):
    """It has the same system identifier, and snapshots of the same counter."""
    w.write(3)
    w.drain()
    other = World(topics=False)
    try:
        other.env["SQUAD_TOPIC_PREFIX"] = w.prefix
        other.write(2)
        code, log = other.refused()
        assert code == EXIT_POSITION and "belongs to the database with oid" in sentence(log)[0], log
    finally:
        other.close()
    w.write(1)
    w.drain()
    assert w.check() == 4


def test_a_topic_is_missing(w):
    for suffix in ("tickets", "relay.progress", "dead"):
        delete_topic(w, suffix)
        assert refuses(w, EXIT_KAFKA, f"there is no topic {w.topic(suffix)}")
        w.squad("topics", "--partitions", "3")


def test_a_topic_that_vanishes_while_the_relay_runs(w):
    w.write(1)
    r = w.leader("--transaction-timeout", "2000")
    w.wait_published()
    delete_topic(w, "tickets")
    w.write(50)
    assert r.wait(60) == EXIT_KAFKA
    assert f"there is no topic {w.topic('tickets')}" in sentence(r.log())[0]
    assert w.one("SELECT count(*) FROM squad.relay_dead") == 0, "a row is not to blame for its topic"


def test_a_progress_topic_with_two_partitions(w):
    delete_topic(w, "relay.progress")
    admin = AdminClient({"bootstrap.servers": w.broker})
    for f in admin.create_topics([NewTopic(w.topic("relay.progress"), 2, 1)]).values():
        f.result(20)
    while not (known := admin.list_topics(timeout=10).topics.get(w.topic("relay.progress"))) or len(known.partitions) != 2:
        time.sleep(0.05)  # the broker's own metadata come a moment later
    refuses(w, EXIT_KAFKA, "has 2 partitions, it must have 1")


def test_a_limit_too_small_for_any_dead_letter(w):
    w.raw().set_config(w.raw().TOPIC, w.topic("dead"), {"max.message.bytes": "4000"})
    refuses(w, EXIT_KAFKA, "is 4000, it must be 8192 or more")


def test_a_setting_that_exactly_once_rests_on(w):
    code, log = w.refused("-X", "isolation.level=read_uncommitted")
    assert code == EXIT_CONFIG and "can not change isolation.level" in log
