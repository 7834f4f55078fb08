"""Somebody else's transactions write outbox rows in every order that PostgreSQL allows."""
import time
import uuid

from . import Fault, NotNow, fault

ROW = ("INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) "
       "VALUES ('ticket', %s, 'storm.crossed.v1', json_build_object('n', %s::int))")


@fault("crossed-writers", locks=["postgres"], hold_s=(0.0, 0.2))
class CrossedWriters(Fault):
    """Rows whose order of seq, of xid and of commit differ, beside a transaction that stays open."""

    def inject(self):
        import psycopg
        try:
            self.write()
        except psycopg.Error as e:
            raise NotNow(f"PostgreSQL is in trouble: {e}") from None

    def write(self):
        self.commit_late()
        self.commit_crossed()

    def commit_late(self):
        """The row with the lower seq is committed when the other one has long been published."""
        with self.begin() as late, self.begin() as early:
            late.execute(ROW, [self.key(), 1])
            early.execute(ROW, [self.key(), 1])
            early.commit()
            self.pause()
            late.commit()

    def commit_crossed(self):
        """Of one key: the transaction with the higher xid writes and commits before the one with the lower, and
        one between the two stays open."""
        key = self.key()
        with self.begin() as first, self.begin() as between, self.begin() as second:
            second.execute(ROW, [key, 1])
            second.commit()
            self.pause()
            first.execute(ROW, [key, 2])
            first.commit()
            self.pause()
            between.commit()

    def key(self):
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def begin(self):
        """A transaction with an xid."""
        connection = self.stack.db(options="-c idle_in_transaction_session_timeout=30s")
        connection.autocommit = False
        connection.execute("SELECT pg_current_xact_id()")
        return connection

    def pause(self):
        time.sleep(self.rng.uniform(0.05, 0.4))


@fault("outbox-without-topic", locks=["postgres"])
class WithoutTopic(Fault):
    """Outbox rows that no topic is made for: dead letters."""

    def inject(self):
        import psycopg
        try:
            write_rows_without_topic(self.stack, self.rng.randint(1, 5))
        except psycopg.Error as e:
            raise NotNow(f"PostgreSQL is in trouble: {e}") from None


def write_rows_without_topic(stack, n):
    with stack.db() as db:
        for _ in range(n):
            db.execute("INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) "
                       "VALUES ('storm', gen_random_uuid()::text, 'storm.no_topic.v1', '{}')")
