"""A small company and the one legitimate way to each state, for the tests beside this file."""
import hashlib
import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from testdb import TestDb  # noqa: E402

COMPANY = """
INSERT INTO squad.skill VALUES ('tv', 'Television'), ('net', 'Internet');
INSERT INTO squad.ticket_type VALUES ('tv', 'Television', 3);
INSERT INTO squad.ticket_type_skill VALUES ('tv', 'tv', 2);
INSERT INTO squad.expert (id, name) VALUES (1, 'Ana'), (2, 'Bruno'), (3, 'Carla'), (4, 'Dario');
INSERT INTO squad.expert_skill VALUES (1, 'tv', 3), (2, 'tv', 2), (3, 'tv', 1), (4, 'tv', 5);
INSERT INTO squad.expert_area VALUES (1, '28'), (2, '280'), (3, '28'), (4, '41');
UPDATE squad.expert_load SET capacity = 2 WHERE expert_id = 1;
"""

REF = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

# The assigner's way: assignment, load, dispatch and notice in one statement.
ASSIGN = """
WITH moved AS (
    UPDATE squad.dispatch SET state = 'assigned', parked = NULL, attempts = attempts + 1, since = clock_timestamp()
     WHERE ticket_id = %(ticket)s RETURNING ticket_id, attempts
), taken AS (
    UPDATE squad.expert_load SET load = load + 1 WHERE expert_id = %(expert)s RETURNING expert_id
), made AS (
    INSERT INTO squad.assignment (ticket_id, expert_id, attempt, expert_version, why)
    SELECT ticket_id, %(expert)s, attempts, coalesce(%(version)s, (SELECT version FROM squad.expert WHERE id = %(expert)s)), '{}'
      FROM moved, taken RETURNING id, ticket_id, expert_id
), told AS (
    INSERT INTO squad.notice (assignment_id, ticket_id, expert_id, channel, message)
    SELECT id, ticket_id, expert_id, 'webhook', 'offer' FROM made RETURNING id, assignment_id
)
SELECT assignment_id, id FROM told"""


class World:
    def __init__(self, db):
        self.db = db
        self.c = db.connect()
        self.n = 0

    def one(self, sql, *args):
        row = self.c.execute(sql, args or None).fetchone()
        return row[0] if row and len(row) == 1 else row

    def ticket(self, type_="tv", area="28013"):
        """A stored ticket that no assigner has seen."""
        self.n += 1
        ref = "".join(REF[(self.n >> 5 * i) & 31] for i in range(10))
        ticket = uuid.uuid4()
        self.c.execute("INSERT INTO squad.ticket (id, ref, client_id, key_hash, body_hash, source, type, area, problem) "
                       "VALUES (%s, %s, 1, %s, %s, 'web', %s, %s, 'No picture')",
                       (ticket, ref[:5] + "-" + ref[5:], ticket.bytes, hashlib.sha256(ticket.bytes).digest(), type_, area))
        return ticket

    def parked(self, **ticket):
        t = self.ticket(**ticket)
        self.c.execute("INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at, parked) "
                       "SELECT id, 'parked', type, area, 3, created_at, '{\"experts\":4,\"capacity\":4}' "
                       "FROM squad.ticket WHERE id = %s", (t,))
        return t

    def assign(self, ticket, expert=1, version=None, c=None):
        """Returns the ids of assignment and notice."""
        return (c or self.c).execute(ASSIGN, {"ticket": ticket, "expert": expert, "version": version}).fetchone()

    def reserved(self, expert=1):
        """Ticket, assignment, notice."""
        t = self.parked()
        return (t, *self.assign(t, expert))

    def sending(self, expert=1):
        t, a, n = self.reserved(expert)
        self.c.execute("UPDATE squad.notice SET state = 'sending', attempts = 1 WHERE id = %s", (n,))
        return t, a, n

    def finish(self, *notices, attempt=1, delivered=True, status=None, error=None, c=None):
        k = len(notices)
        return (c or self.c).execute(
            "SELECT notice_state, assignment_state FROM squad.notice_finish(%s, %s, %s, %s, %s, 'test')",
            (list(notices), [attempt] * k, [delivered] * k, [status or (200 if delivered else 500)] * k, [error] * k)).fetchall()

    def offered(self, expert=1):
        t, a, n = self.sending(expert)
        assert self.finish(n) == [("delivered", "offered")]
        return t, a, n

    def complete(self, assignment, c=None):
        return (c or self.c).execute("SELECT outcome FROM squad.assignment_complete(%s, 'test')",
                                     (assignment,)).fetchone()[0]

    def load(self, expert=1):
        return self.one("SELECT load FROM squad.expert_load WHERE expert_id = %s", expert)

    def events(self, since=0):
        return [r[0] for r in self.c.execute("SELECT type FROM squad.outbox WHERE seq > %s ORDER BY seq", (since,))]

    def seq(self):
        return self.one("SELECT coalesce(max(seq), 0) FROM squad.outbox")


@pytest.fixture
def w():
    db = TestDb()
    world = World(db)
    try:
        world.c.execute(COMPANY)
        yield world
    finally:
        world.c.close()
        db.drop()
