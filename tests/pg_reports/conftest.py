"""A database with the rows of fixture.sql, and the moment it was made for."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from testdb import TestDb  # noqa: E402

HERE = Path(__file__).resolve().parent
# psql shows times in the session's zone; reports count ages to this moment.
FROZEN = {"PGOPTIONS": "-c squad.report_now=2026-11-24T12:00:00Z", "PGTZ": "UTC"}


@pytest.fixture(scope="session")
def db():
    made = TestDb()
    made.psql("-f", HERE / "fixture.sql")
    try:
        yield made
    finally:
        made.drop()
