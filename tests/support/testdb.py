"""A database of its own for a test, with the migrations applied; SQUAD_DB is the superuser's conninfo."""
import atexit
import os
import secrets
import subprocess
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

HERE = Path(__file__).resolve().parents[2]
MIGRATIONS = sorted((HERE / "sql" / "migrations").glob("*.sql"))


class TestDb:
    __test__ = False
    template = None  # migrated once in this process; the others are copies of it

    def __init__(self, migrated=True, template=None):
        self.server = os.environ["SQUAD_DB"]  # missing: the test fails, it does not skip
        self.name = "squad_test_" + secrets.token_hex(6)
        if migrated and not TestDb.template:
            TestDb.template = TestDb(migrated=False)
            atexit.register(TestDb.template.drop)
            TestDb.template.psql(*[a for m in MIGRATIONS for a in ("-f", m)], one_transaction=True)
        with psycopg.connect(self.server, autocommit=True) as c:
            c.execute(f"CREATE DATABASE {self.name}" + (f" TEMPLATE {TestDb.template.name}" if migrated else ""))

    def conninfo(self, **over):
        return make_conninfo(self.server, dbname=self.name, **over)

    def connect(self, user=None, **options):
        return psycopg.connect(self.conninfo(**({"user": user} if user else {})), autocommit=True, **options)

    def psql(self, *args, user=None, one_transaction=False, env=None):
        """Runs psql and returns its output; a failure raises with what it said."""
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *(["-1"] if one_transaction else []),
                   "-d", self.conninfo(**({"user": user} if user else {})), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE,
                              env={**os.environ, **(env or {})})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def drop(self):
        with psycopg.connect(self.server, autocommit=True) as c:
            c.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
