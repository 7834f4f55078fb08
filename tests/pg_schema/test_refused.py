"""Every wrong state that the schema refuses: a row each, with SQLSTATE and constraint."""
import psycopg
import pytest

CHECK, UNIQUE, FOREIGN, NOT_NULL, INTEGRITY = "23514", "23505", "23503", "23502", "23000"

# Value of one column of a ticket that is right otherwise.
TICKET = [
    ("ref", "'ABCDE-1234'", "ticket_ref_check"), ("ref", "'abcde-12345'", "ticket_ref_check"),
    ("ref", "'ILOU0-12345'", "ticket_ref_check"), ("key_hash", "'\\x00'", "ticket_key_hash_check"),
    ("body_hash", "'\\x00'", "ticket_body_hash_check"), ("source", "''", "ticket_source_check"),
    ("source", "repeat('x', 33)", "ticket_source_check"), ("type", "''", "ticket_type_check"),
    ("type", "repeat('x', 65)", "ticket_type_check"), ("area", "''", "ticket_area_check"),
    ("area", "repeat('1', 17)", "ticket_area_check"), ("problem", "''", "ticket_problem_check"),
    ("problem", "repeat('x', 4001)", "ticket_problem_check"), ("contract", "''", "ticket_contract_check"),
    ("customer_ref", "repeat('x', 65)", "ticket_customer_ref_check"),
    ("customer_name", "repeat('x', 201)", "ticket_customer_name_check"),
    ("customer_phone", "repeat('1', 33)", "ticket_customer_phone_check"),
    ("customer_email", "'x@'", "ticket_customer_email_check"),
    ("customer_email", "repeat('x', 255)", "ticket_customer_email_check"),
    ("call_provider", "'acme'", "ticket_call_both"), ("call_id", "'77'", "ticket_call_both"),
]


@pytest.fixture(scope="module")
def still():
    """One world for statements that are refused and so change nothing."""
    from conftest import COMPANY, TestDb, World
    db = TestDb()
    try:
        world = World(db)
        world.c.execute(COMPANY)
        world.parked_ticket = world.parked()
        world.unseen = world.ticket()
        world.job = world.offered(expert=2)
        world.c.execute("INSERT INTO squad.ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, "
                        "call_provider, call_id) VALUES (gen_random_uuid(), 'CA11C-A11CA', 1, decode(md5('call'), 'hex'), "
                        "sha256('call'), 'phone', 'tv', '28013', 'No picture', 'acme', '77')")
        yield world
        world.c.close()
    finally:
        db.drop()


def refused(w, state, constraint, sql, *args):
    with pytest.raises(psycopg.Error) as e:
        w.c.execute(sql, args or None)
    assert (e.value.sqlstate, e.value.diag.constraint_name) == (state, constraint), str(e.value)


@pytest.mark.parametrize("column,value,constraint", TICKET)
def test_a_ticket_breaks_a_rule(still, column, value, constraint):
    values = {"id": "gen_random_uuid()", "ref": "'ZZZZZ-ZZZZZ'", "client_id": "1", "key_hash": "decode(md5('x'), 'hex')",
              "body_hash": "sha256('x')", "source": "'web'", "type": "'tv'", "area": "'28013'", "problem": "'No picture'"}
    values[column] = value
    refused(still, CHECK, constraint,
            f"INSERT INTO squad.ticket ({', '.join(values)}) VALUES ({', '.join(values.values())})")


COPY = ("INSERT INTO squad.ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem, call_provider, call_id)"
        " SELECT {} FROM squad.ticket WHERE call_id = '77'")
REFUSED = [
    # base
    (CHECK, "migration_version_check", "INSERT INTO squad.migration VALUES (0, 'zero')"),
    (CHECK, "migration_checksum_check", "INSERT INTO squad.migration VALUES (99, 'x', 'nothex')"),
    (UNIQUE, "migration_name_key", "INSERT INTO squad.migration VALUES (99, 'base')"),
    ("55000", None, "SELECT squad.register_migration(99, 'later')"),
    (CHECK, "state_entity_check", "INSERT INTO squad.state VALUES ('x', 'x', true, 'x')"),
    (FOREIGN, "transition_entity_to_state_fkey", "INSERT INTO squad.transition VALUES ('ticket', 'parked', 'lost', 'x')"),
    (FOREIGN, "transition_entity_from_state_fkey", "INSERT INTO squad.transition VALUES ('ticket', 'lost', 'parked', 'x')"),
    # reference
    (CHECK, "client_name_check", "INSERT INTO squad.client (name, key_hash) VALUES ('', sha256('x'))"),
    (CHECK, "client_key_hash_check", "INSERT INTO squad.client (name, key_hash) VALUES ('x', 'plain')"),
    (CHECK, "skill_skill_check", "INSERT INTO squad.skill VALUES ('TV', 'x')"),
    (CHECK, "ticket_type_type_check", "INSERT INTO squad.ticket_type VALUES ('a b', 'x')"),
    (CHECK, "ticket_type_priority_check", "INSERT INTO squad.ticket_type VALUES ('x', 'x', 6)"),
    (CHECK, "ticket_type_skill_min_level_check", "INSERT INTO squad.ticket_type_skill VALUES ('tv', 'net', 0)"),
    (FOREIGN, "ticket_type_skill_skill_fkey", "INSERT INTO squad.ticket_type_skill VALUES ('tv', 'none', 1)"),
    (FOREIGN, "ticket_type_skill_type_fkey", "INSERT INTO squad.ticket_type_skill VALUES ('none', 'tv', 1)"),
    (CHECK, "contract_contract_check", "INSERT INTO squad.contract VALUES ('', 'x')"),
    (CHECK, "expert_name_check", "INSERT INTO squad.expert (name) VALUES ('')"),
    (CHECK, "expert_skill_level_check", "INSERT INTO squad.expert_skill VALUES (1, 'net', 6)"),
    (FOREIGN, "expert_skill_expert_id_fkey", "INSERT INTO squad.expert_skill VALUES (99, 'net', 1)"),
    (FOREIGN, "expert_skill_skill_fkey", "INSERT INTO squad.expert_skill VALUES (1, 'none', 1)"),
    (CHECK, "expert_area_prefix_check", "INSERT INTO squad.expert_area VALUES (1, 'ab')"),
    (CHECK, "expert_area_prefix_check", "INSERT INTO squad.expert_area VALUES (1, '')"),
    (CHECK, "expert_contact_channel_check", "INSERT INTO squad.expert_contact VALUES (1, 'pigeon', 'x')"),
    (CHECK, "expert_contact_address_check", "INSERT INTO squad.expert_contact VALUES (1, 'webhook', '')"),
    (CHECK, "expert_contact_secret_check", "INSERT INTO squad.expert_contact VALUES (1, 'webhook', 'http://x', 'secret')"),
    (CHECK, "expert_load_capacity", "UPDATE squad.expert_load SET capacity = -1 WHERE expert_id = 1"),
    (CHECK, "expert_load_capacity", "UPDATE squad.expert_load SET load = 3 WHERE expert_id = 1"),
    (CHECK, "expert_load_capacity", "UPDATE squad.expert_load SET load = -1 WHERE expert_id = 1"),
    (CHECK, "expert_load_capacity", "UPDATE squad.expert_load SET capacity = 0 WHERE expert_id = 2"),
    (CHECK, "expert_load_counts", "UPDATE squad.expert_load SET load = 1 WHERE expert_id = 1"),
    (CHECK, "expert_load_counts", "UPDATE squad.expert_load SET load = 0 WHERE expert_id = 2"),
    (CHECK, "expert_load_counts", "DELETE FROM squad.expert_load WHERE expert_id = 2"),
    (CHECK, "expert_load_counts", "DELETE FROM squad.expert_load WHERE expert_id = 3; "
                                  "INSERT INTO squad.expert_load (expert_id, load) VALUES (3, 1)"),
    (CHECK, "retry_policy_channel_check", "UPDATE squad.retry_policy SET channel = 'pigeon'"),
    (CHECK, "retry_policy_max_attempts_check", "UPDATE squad.retry_policy SET max_attempts = 0"),
    (CHECK, "retry_policy_base_ms_check", "UPDATE squad.retry_policy SET base_ms = 0"),
    (CHECK, "retry_policy_cap_ms_check", "UPDATE squad.retry_policy SET cap_ms = 0"),
    (CHECK, "retry_policy_timeout_ms_check", "UPDATE squad.retry_policy SET timeout_ms = 9"),
    # ticket and outbox
    (UNIQUE, "ticket_pkey", COPY.format("id, 'ZZZZZ-ZZZZZ', 2, key_hash, body_hash, source, type, area, problem, NULL, NULL")),
    (UNIQUE, "ticket_ref", COPY.format("gen_random_uuid(), ref, 2, key_hash, body_hash, source, type, area, problem, NULL, NULL")),
    (UNIQUE, "ticket_key", COPY.format("gen_random_uuid(), 'ZZZZZ-ZZZZZ', client_id, key_hash, body_hash, source, type, area, "
                                       "problem, NULL, NULL")),
    (UNIQUE, "ticket_call", COPY.format("gen_random_uuid(), 'ZZZZZ-ZZZZZ', 2, key_hash, body_hash, source, type, area, problem, "
                                        "call_provider, call_id")),
    (INTEGRITY, None, "UPDATE squad.outbox SET type = 'x'"),
    (INTEGRITY, None, "DELETE FROM squad.outbox"),
    (INTEGRITY, None, "UPDATE squad.outbox_000000 SET type = 'x'"),
    (INTEGRITY, None, "DELETE FROM squad.outbox_000000"),
    ("428C9", None, "INSERT INTO squad.outbox (seq, aggregatetype, aggregateid, type, payload) VALUES (1, 'x', 'x', 'x', '{}')"),
    # dispatch
    (FOREIGN, "dispatch_ticket_id_fkey", "INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at) "
                                         "VALUES (gen_random_uuid(), 'review', 'x', 'x', 3, now())"),
    (CHECK, "dispatch_state_check", "INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at) "
                                    "VALUES ('{unseen}', 'lost', 'x', 'x', 3, now())"),
    (CHECK, "dispatch_priority_check", "UPDATE squad.dispatch SET priority = 0"),
    (CHECK, "dispatch_attempts_check", "UPDATE squad.dispatch SET attempts = -1"),
    (CHECK, "dispatch_flags_check", "UPDATE squad.dispatch SET flags = '{odd}'"),
    (CHECK, "dispatch_flags_check", "UPDATE squad.dispatch SET flags = ARRAY[NULL]::text[]"),
    (CHECK, "dispatch_parked_why", "UPDATE squad.dispatch SET parked = NULL WHERE ticket_id = '{parked}'"),
    (CHECK, "dispatch_parked_why", "UPDATE squad.dispatch SET parked = '{}' WHERE ticket_id = '{ticket}'"),
    (CHECK, "ticket_transition", "UPDATE squad.dispatch SET state = 'completed', parked = NULL WHERE ticket_id = '{parked}'"),
    (CHECK, "dispatch_matches_assignment",
     "UPDATE squad.dispatch SET state = 'assigned', parked = NULL WHERE ticket_id = '{parked}'"),
    (CHECK, "dispatch_matches_assignment", "UPDATE squad.dispatch SET state = 'completed' WHERE ticket_id = '{ticket}'"),
    (CHECK, "dispatch_matches_assignment", "UPDATE squad.dispatch SET state = 'parked', parked = '{}' WHERE ticket_id = '{ticket}'"),
    (CHECK, "dispatch_matches_assignment", "INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at) "
                                           "VALUES ('{unseen}', 'assigned', 'x', 'x', 3, now())"),
    # assignment
    (CHECK, "assignment_state_check", "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why, state, "
                                      "ended_at) VALUES ('{parked}', 1, 1, 1, '{}', 'lost', now())"),
    (CHECK, "assignment_attempt_check", "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why, state, "
                                        "ended_at) VALUES ('{parked}', 1, 0, 1, '{}', 'completed', now())"),
    *((CHECK, "assignment_stays", f"UPDATE squad.assignment SET {change}") for change in (
        "id = gen_random_uuid()", "ticket_id = '{parked}'", "expert_id = 1", "attempt = 2", "place = 2",
        "expert_version = expert_version + 1", "reserved_at = reserved_at - interval '1 h'", "override = '{skill}'")),
    (CHECK, "assignment_offered_at", "UPDATE squad.assignment SET offered_at = NULL"),
    (CHECK, "assignment_ended_at", "UPDATE squad.assignment SET ended_at = now()"),
    (CHECK, "assignment_ended_at", "UPDATE squad.assignment SET state = 'completed'"),
    (CHECK, "assignment_transition", "UPDATE squad.assignment SET state = 'undeliverable', ended_at = now()"),
    (CHECK, "assignment_transition", "UPDATE squad.assignment SET state = 'reserved'"),
    (UNIQUE, "assignment_one_live", "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why) "
                                    "VALUES ('{ticket}', 1, 2, 1, '{}')"),
    (UNIQUE, "assignment_attempt", "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why, state, "
                                   "ended_at) VALUES ('{ticket}', 1, 1, 1, '{}', 'completed', now())"),
    (FOREIGN, "assignment_ticket_id_fkey", "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why) "
                                           "VALUES ('{unseen}', 1, 1, 1, '{}')"),
    (FOREIGN, "assignment_expert_id_fkey", "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why) "
                                           "VALUES ('{parked}', 99, 1, 1, '{}')"),
    (FOREIGN, "assignment_expert_id_fkey", "DELETE FROM squad.expert WHERE id = 2"),
    (CHECK, "expert_load_counts", "UPDATE squad.assignment SET state = 'completed', ended_at = now()"),
    (FOREIGN, "notice_assignment_id_fkey", "DELETE FROM squad.assignment"),
    # notice and history
    (UNIQUE, "notice_once", "INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message) "
                            "VALUES ('{assignment}', '{ticket}', 2, 'webhook', 'offer')"),
    (CHECK, "notice_subject", "INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message) "
                            "VALUES ('{assignment}', '{ticket}', 2, 'webhook', 'break')"),
    (CHECK, "notice_subject", "INSERT INTO squad.notice (ticket_id, expert_id, channel, message) "
                            "VALUES ('{ticket}', 2, 'webhook', 'over')"),
    (CHECK, "notice_subject", "INSERT INTO squad.notice (ticket_id, channel, message) VALUES ('{ticket}', 'webhook', 'waiting')"),
    (CHECK, "notice_recipient_check", "INSERT INTO squad.notice (ticket_id, recipient, channel, message) "
                                      "VALUES ('{ticket}', 'mother', 'webhook', 'waiting')"),
    (CHECK, "notice_channel_check", "INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message) "
                                    "VALUES ('{assignment}', '{ticket}', 2, 'pigeon', 'offer')"),
    (CHECK, "notice_message_check", "INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message) "
                                    "VALUES ('{assignment}', '{ticket}', 2, 'webhook', 'hello')"),
    (CHECK, "notice_state_check", "INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message, state, "
                                  "attempts, ended_at) VALUES ('{assignment}', '{ticket}', 2, 'webhook', 'offer', 'lost', 1, now())"),
    (CHECK, "notice_attempts_check", "INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message, attempts) "
                                     "VALUES ('{assignment}', '{ticket}', 2, 'webhook', 'offer', -1)"),
    (CHECK, "notice_attempted", "INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message, state) "
                                "VALUES ('{assignment}', '{ticket}', 2, 'webhook', 'offer', 'sending')"),
    (CHECK, "notice_ended_at", "UPDATE squad.notice SET ended_at = NULL"),
    (CHECK, "notice_transition", "UPDATE squad.notice SET state = 'sending', ended_at = NULL"),
    (CHECK, "notice_transition", "UPDATE squad.notice SET state = 'undeliverable'"),
    (CHECK, "ticket_event_kind_check", "INSERT INTO squad.ticket_event (ticket_id, kind, actor) VALUES ('{ticket}', 'x', 'x')"),
    (INTEGRITY, None, "UPDATE squad.ticket_event SET actor = 'x'"),
    (INTEGRITY, None, "DELETE FROM squad.ticket_event"),
    (UNIQUE, "inbox_pkey", "INSERT INTO squad.inbox (consumer, event_id) SELECT 'x', '{ticket}' FROM generate_series(1, 2)"),
]


@pytest.mark.parametrize("state,constraint,sql", REFUSED, ids=[f"{i}-{r[1] or r[0]}" for i, r in enumerate(REFUSED)])
def test_a_wrong_state_is_refused(still, state, constraint, sql):
    ticket, assignment, _ = still.job
    for name, value in {"parked": still.parked_ticket, "unseen": still.unseen, "ticket": ticket,
                        "assignment": assignment}.items():
        sql = sql.replace("{" + name + "}", str(value))
    before = still.one("SELECT (SELECT count(*) FROM squad.outbox), (SELECT count(*) FROM squad.assignment)")
    refused(still, state, constraint, sql)
    assert still.one("SELECT (SELECT count(*) FROM squad.outbox), (SELECT count(*) FROM squad.assignment)") == before


@pytest.mark.parametrize("column,table", [
    (c, t) for t, columns in {
        "ticket": "id ref client_id key_hash body_hash source type area problem created_at",
        "outbox": "id aggregatetype aggregateid type payload xid at",
        "dispatch": "ticket_id state type area priority created_at since attempts flags",
        "assignment": "id ticket_id expert_id attempt state expert_version why reserved_at",
        "notice": "id assignment_id ticket_id expert_id channel message state attempts next_attempt_at created_at",
        "expert_load": "expert_id load capacity idle_since xid",
        "ticket_event": "ticket_id kind actor detail at", "inbox": "consumer event_id at",
    }.items() for c in columns.split()])
def test_a_column_is_required(still, column, table):
    refused(still, NOT_NULL, None, f"INSERT INTO squad.{table} ({column}) VALUES (NULL)")


def test_an_inactive_expert_is_refused(w):
    t = w.parked()
    w.c.execute("UPDATE squad.expert SET active = false WHERE id = 1")
    wrong(w, t, 1, "is not active")


def test_an_unskilled_expert_is_refused(w):
    wrong(w, w.parked(), 3, "lacks a required skill")


def test_an_expert_of_another_area_is_refused(w):
    wrong(w, w.parked(), 4, "does not serve the area")


def test_an_unknown_type_is_refused(w):
    wrong(w, w.parked(type_="submarine"), 1, "can not be matched to an unknown type")


def test_a_choice_on_an_older_version_is_refused(w):
    t = w.parked()
    version = w.one("SELECT version FROM squad.expert WHERE id = 1")
    w.c.execute("UPDATE squad.expert_skill SET level = 4 WHERE expert_id = 1")
    wrong(w, t, 1, "has changed since the choice", version)


def wrong(w, ticket, expert, words, version=None):
    with pytest.raises(psycopg.Error, match=words) as e:
        w.assign(ticket, expert, version)
    assert (e.value.sqlstate, e.value.diag.constraint_name) == (CHECK, "assignment_qualified")
    assert w.load(expert) == 0


def test_two_experts_can_not_swap_their_tickets(w):
    """Loads, counts and states would still agree; the skills would not."""
    w.c.execute("INSERT INTO squad.ticket_type VALUES ('wiring', 'Wiring', 3); INSERT INTO squad.ticket_type_skill VALUES ('wiring', 'tv', 3)")
    t, u = w.parked(type_="wiring"), w.parked()
    w.assign(t, 1)
    w.assign(u, 2)
    refused(w, CHECK, "assignment_stays", "UPDATE squad.assignment SET expert_id = 3 - expert_id")
    assert w.c.execute("SELECT ticket_id, expert_id FROM squad.assignment ORDER BY expert_id").fetchall() == [(t, 1), (u, 2)]


def test_a_ticket_beyond_capacity_is_refused(w):
    w.reserved(expert=2)
    with pytest.raises(psycopg.errors.CheckViolation) as e:
        w.assign(w.parked(), 2)
    assert e.value.diag.constraint_name == "expert_load_capacity"


def test_an_assignment_without_a_slot_is_refused(w):
    t = w.parked()
    with pytest.raises(psycopg.errors.CheckViolation) as e:
        w.c.execute("WITH moved AS (UPDATE squad.dispatch SET state = 'assigned', parked = NULL WHERE ticket_id = %s) "
                    "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why) "
                    "SELECT %s, id, 1, version, '{}' FROM squad.expert WHERE id = 1", (t, t))
    assert e.value.diag.constraint_name == "expert_load_counts"


def test_an_expert_without_a_load_row_gets_nothing(w):
    w.c.execute("DELETE FROM squad.expert_load WHERE expert_id = 1")
    t = w.parked()
    with pytest.raises(psycopg.errors.CheckViolation) as e:
        w.c.execute("WITH moved AS (UPDATE squad.dispatch SET state = 'assigned', parked = NULL WHERE ticket_id = %s) "
                    "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why) "
                    "SELECT %s, id, 1, version, '{}' FROM squad.expert WHERE id = 1", (t, t))
    assert e.value.diag.constraint_name == "expert_load_counts"


def test_an_assignment_whose_ticket_stays_parked_is_refused(w):
    t = w.parked()
    with pytest.raises(psycopg.errors.CheckViolation) as e:
        w.c.execute("WITH taken AS (UPDATE squad.expert_load SET load = 1 WHERE expert_id = 1) "
                    "INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why) "
                    "SELECT %s, id, 1, version, '{}' FROM squad.expert WHERE id = 1", (t,))
    assert e.value.diag.constraint_name == "dispatch_matches_assignment"


def test_a_live_assignment_can_not_be_deleted(w):
    t, a, n = w.reserved()
    w.c.execute("DELETE FROM squad.notice")
    with pytest.raises(psycopg.errors.CheckViolation) as e:
        w.c.execute("DELETE FROM squad.assignment")
    assert e.value.diag.constraint_name == "expert_load_counts"
