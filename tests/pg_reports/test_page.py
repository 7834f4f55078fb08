"""docs/sql.md: its statements run, its lists are complete, its examples are true."""
import re

import psycopg
import pytest

from conftest import FROZEN
from testdb import HERE as ROOT

PAGE = (ROOT / "docs" / "sql.md").read_text()


def blocks(kind):
    return [text for name, text in re.findall(r"^```(.*?)\n(.*?)^```$", PAGE, re.M | re.S) if name == kind]


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("sql", blocks("sql"))
def test_a_question_is_answered(db, sql):
    assert db.psql("-c", sql, user="squad_report", env=FROZEN).count("row") >= 1


def test_the_answer_shown_is_the_answer_given(db):
    shown = blocks("")[0]
    out = db.psql("-c", blocks("sql")[0], user="squad_report", env=FROZEN)
    assert [line.rstrip() for line in shown.splitlines()] == [line.rstrip() for line in out.splitlines()][:3]


def test_the_company_can_be_changed_as_shown(db):
    (sql,) = blocks("sql owner")
    db.psql("-c", sql.replace("COMMIT", "ROLLBACK"))


def test_the_refusal_shown_is_the_refusal_given(db):
    with db.connect() as c, pytest.raises(psycopg.errors.CheckViolation) as refused:
        c.execute("UPDATE squad.expert_load SET load = load - 1 WHERE expert_id = 1")
    for line in (refused.value.diag.message_primary, refused.value.diag.message_hint):
        assert line in PAGE


def listed(title):
    return {name for row in re.findall(r"^\| (`.*?) \|", section(title), re.M) for name in re.findall(r"`([^`]+)`", row)}


def test_every_table_and_view_and_report_is_listed(db):
    with db.connect() as c:
        tables = {n for n, in c.execute("SELECT relname FROM pg_class WHERE relnamespace = 'squad'::regnamespace "
                                        "AND relkind IN ('r', 'p') AND NOT relispartition")}
        views = {n for n, in c.execute("SELECT relname FROM pg_class WHERE relnamespace = 'rpt'::regnamespace "
                                       "AND relkind = 'v'")}
    assert listed("Tables") == tables
    assert listed("Views") == views
    assert listed("Reports") == {p.name for p in (ROOT / "sql" / "reports").glob("*.sql")}
