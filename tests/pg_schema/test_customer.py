"""ticket_amend, ticket_quarantine and ticket_release: what a customer may change, and what a person must look at."""
import json
import uuid
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from test_functions import Beside


def amend(w, ticket, change, version=None, client=1, c=None):
    return (c or w.c).execute("SELECT squad.ticket_amend(%s, %s, %s, %s, 'a test')",
                              (client, ticket, version, json.dumps(change))).fetchone()[0]


def test_a_change_is_stored_and_told_by_the_names_of_its_fields(w):
    t, before = w.parked(), w.seq()
    assert amend(w, t, {"problem": "No sound", "customer_phone": "+34600000001"}) == "ok"
    assert w.one("SELECT problem, customer_phone FROM squad.ticket WHERE id = %s", t) == ("No sound", "+34600000001")
    assert w.events(before) == ["squad.ticket.amended.v1"]
    payload = w.one("SELECT payload FROM squad.outbox ORDER BY seq DESC LIMIT 1")
    assert payload["fields"] == ["customer_phone", "problem"] and "600000001" not in json.dumps(payload)
    assert "600000001" not in json.dumps(w.one("SELECT detail FROM squad.ticket_event WHERE kind = 'amended'"))


def test_what_changes_nothing_is_ok_and_no_event(w):
    t, before = w.parked(), w.seq()
    assert amend(w, t, {"problem": "No picture"}) == "ok"
    assert w.events(before) == []


def decide(w, ticket, c=None):
    """An assigner sees the ticket for the first time."""
    c = c or w.c
    c.execute("INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at, parked) "
              "SELECT id, 'parked', type, area, 3, created_at, '{}' FROM squad.ticket WHERE id = %s", (ticket,))
    w.assign(ticket, 1, c=c)


def test_a_decision_that_was_first_is_seen_by_a_change_at_the_same_moment(w):
    t = w.ticket()
    with w.c.transaction():
        decide(w, t)
        other = Beside(w, lambda c: amend(w, t, {"customer_phone": "+34600000001"}, c=c))
    other.join()
    assert isinstance(other.error, psycopg.errors.SerializationFailure)  # and is sent again
    assert amend(w, t, {"customer_phone": "+34600000001"}) == "ok"
    assert w.one("SELECT count(*) FROM squad.notice WHERE message = 'amended'") == 1


def test_a_decision_waits_for_a_change_that_was_first(w):
    t = w.ticket()
    with w.c.transaction():
        assert amend(w, t, {"problem": "No sound"}) == "ok"
        other = Beside(w, lambda c: decide(w, t, c))
    other.join()
    assert other.error is None


QUERIES = Path(__file__).resolve().parents[2] / "sql" / "queries" / "assigner"


@contextmanager
def assigner(w):
    """The statements of the assigner itself, with its rights."""
    decide = "uuid[], text[], integer[], integer[], integer[], integer[], text[], boolean[], text[], bigint[], text"
    with w.db.connect(user="squad_assigner") as c:
        c.execute("SET search_path = squad, pg_temp")
        for name, types in (("tickets_lock", "uuid[]"), ("tickets_lock_free", "uuid[]"), ("decide", decide)):
            c.execute(f"PREPARE {name} ({types}) AS {(QUERIES / name).with_suffix('.sql').read_text(encoding='utf-8')}")
        yield c


def test_a_change_waits_for_a_decision_from_its_first_lock_on(w):
    """Else its event would have the higher seq and be committed first."""
    t, before = w.ticket(), w.seq()
    version = w.one("SELECT version FROM squad.expert WHERE id = 1")
    with assigner(w) as c:
        with c.transaction():
            c.execute(f"EXECUTE tickets_lock ('{{{t}}}')")
            other = Beside(w, lambda d: amend(w, t, {"problem": "No sound"}, c=d))
            c.execute(f"EXECUTE decide ('{{{t}}}', '{{assigned}}', '{{1}}', '{{{version}}}', '{{1}}', '{{1}}', '{{\"{{}}\"}}', "
                      "'{f}', '{NULL}', '{NULL}', 'a test')")
        other.join()
    assert isinstance(other.error, psycopg.errors.SerializationFailure)  # and is sent again
    assert amend(w, t, {"problem": "No sound"}) == "ok"
    assert w.events(before) == ["squad.ticket.reserved.v1", "squad.notice.requested.v1",
                                "squad.ticket.amended.v1", "squad.notice.requested.v1"]


def test_in_a_hurry_the_tickets_that_somebody_holds_are_named_and_the_others_held(w):
    seen, unseen = [w.parked() for _ in range(2)], [w.ticket() for _ in range(2)]
    everybody = "{" + ",".join(map(str, [*seen, *unseen, uuid.uuid4()])) + "}"
    with assigner(w) as c, w.db.connect() as holder, holder.transaction():
        for t in (seen[0], unseen[0]):
            assert amend(w, t, {"problem": "No sound"}, c=holder) == "ok"
        with c.transaction():
            held = {t for t, in c.execute(f"EXECUTE tickets_lock_free ('{everybody}')")}
            assert held == {seen[0], unseen[0]}
            for t in (seen[1], unseen[1]):
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    w.c.execute("SET lock_timeout = '50ms'")
                    amend(w, t, {"problem": "No sound"})


def test_only_the_named_fields_can_be_changed(w):
    t = w.parked()
    assert amend(w, t, {"area": "41001", "priority": "1", "problem": "x"}) == "ok"
    assert w.one("SELECT area FROM squad.ticket WHERE id = %s", t) == "28013"


def test_a_stale_version_changes_nothing(w):
    t = w.parked()
    version = w.one("SELECT squad.ticket_version(%s)", t)
    assert amend(w, t, {"problem": "first"}, version) == "ok"
    assert amend(w, t, {"problem": "second"}, version) == "changed"
    assert w.one("SELECT problem FROM squad.ticket WHERE id = %s", t) == "first"


def test_another_client_s_ticket_is_not_found(w):
    t = w.parked()
    assert amend(w, t, {"problem": "mine"}, client=99) == "not-found"
    assert amend(w, uuid.uuid4(), {"problem": "mine"}) == "not-found"


@pytest.mark.parametrize("step", ["en_route", "on_site", "completed"])
def test_nothing_is_changed_once_somebody_is_on_the_way(w, step):
    t, a, _ = w.offered()
    if step == "completed":
        w.complete(a)
    else:
        w.one("SELECT outcome FROM squad.offer_accept(%s, 1, 'test')", a)
        for state in ("en_route", "on_site")[:1 if step == "en_route" else 2]:
            w.one("SELECT outcome FROM squad.job_move(%s, NULL, %s, 'test')", a, state)
    assert amend(w, t, {"problem": "late"}) == "conflict"
    assert w.one("SELECT problem FROM squad.ticket WHERE id = %s", t) == "No picture"


def quarantine(w, key=b"k" * 16):
    fields = {"source": "web", "type": "tv", "area": "28013", "problem": "Buy pills"}
    return w.one("SELECT squad.ticket_quarantine(%s, %s, 1, %s, %s, %s, 'a test', NULL)", uuid.uuid4(), "ABCDE-12345", key,
                 b"b" * 32, json.dumps(fields))


def test_what_is_quarantined_is_stored_with_its_events_and_not_given_to_anybody(w):
    before = w.seq()
    t = quarantine(w)
    assert w.one("SELECT state, routable_at FROM squad.dispatch WHERE ticket_id = %s", t) == ("quarantined", None)
    assert w.events(before) == ["squad.ticket.created.v1", "squad.ticket.quarantined.v1"]
    with pytest.raises(psycopg.errors.Error):
        w.assign(t)


def test_the_same_key_is_the_same_quarantined_ticket(w):
    before = w.seq()
    assert quarantine(w) == quarantine(w)
    assert len(w.events(before)) == 2


def test_a_released_ticket_waits_like_any_other_and_is_released_once(w):
    t = quarantine(w)
    before = w.seq()
    assert w.one("SELECT squad.ticket_release('ABCDE-12345', 'ana')") == "released"
    assert w.one("SELECT state, routable_at IS NOT NULL FROM squad.dispatch WHERE ticket_id = %s", t) == ("parked", True)
    assert w.events(before) == ["squad.ticket.released.v1"]
    assert w.one("""SELECT abs(extract(epoch FROM d.assign_due - d.routable_at) - p.due_s) < 1
                       AND abs(extract(epoch FROM d.tell_at - d.routable_at) - p.manager_s) < 1
                      FROM squad.dispatch d JOIN squad.priority p ON p.priority = d.priority WHERE d.ticket_id = %s""", t)
    assert w.one("SELECT squad.ticket_release('ABCDE-12345', 'ana')") == "not quarantined"
    assert w.one("SELECT squad.ticket_release('ZZZZZ-99999', 'ana')") == "not quarantined"
    assert w.assign(t)
