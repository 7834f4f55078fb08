"""docs/sql.md: its statements run, its lists are complete, its examples are true."""
import os
import re
import subprocess

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


def refusals():
    return re.findall(r"^squad=([#>]) ([^;]*;)\n((?:(?!squad=).*\n)+)", "".join(blocks("console")), re.M)


@pytest.mark.parametrize("prompt, sql, shown", refusals(), ids=lambda v: v.split("\n")[0])
def test_a_refusal_looks_as_shown(db, prompt, sql, shown):
    sql = re.sub(r"^squad-[#>] ", "", sql, flags=re.M)
    done = subprocess.run(["psql", "-X", "-q", db.conninfo(**({"user": "squad_report"} if prompt == ">" else {})),
                           "-c", "BEGIN", "-c", sql], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.rstrip() for line in done.stderr.splitlines() if line] == shown.split("\n")[:-1]


def test_every_refusal_of_the_page_is_run():
    assert len(refusals()) == PAGE.count("\nERROR: ") >= 5


def test_the_names_of_constraints_are_true(db):
    """Each name in brackets is an index or constraint, or one that a trigger function raises."""
    with db.connect() as c:
        known = {n for n, in c.execute("SELECT conname FROM pg_constraint UNION SELECT relname FROM pg_class")}
        raised = "".join(t for t, in c.execute("SELECT prosrc FROM pg_proc WHERE pronamespace = 'squad'::regnamespace"))
    for name in re.findall(r"\(`([a-z_]+)`\)", section("What the database refuses")):
        assert name in known or f"CONSTRAINT = '{name}'" in raised, name


def views_page(db):
    """docs/views.md as the catalogue has it."""
    with db.connect() as c:
        about = c.execute("SELECT obj_description('rpt'::regnamespace, 'pg_namespace')").fetchone()[0]
        rows = c.execute("""
            SELECT c.relname, obj_description(c.oid, 'pg_class'), a.attname, format_type(a.atttypid, a.atttypmod),
                   col_description(c.oid, a.attnum)
              FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
             WHERE c.relnamespace = 'rpt'::regnamespace AND c.relkind = 'v' ORDER BY c.relname, a.attnum""").fetchall()
    out, last = [f"# Views of schema rpt\n\n{about}\n\nMade from the catalogue; `\\d+ rpt.parked` says the same.\n"], None
    for view, what, column, kind, comment in rows:
        if view != last:
            out.append(f"\n## rpt.{view}\n\n{what}\n\n| column | type | meaning |\n|---|---|---|\n")
            last = view
        kind = kind.replace("timestamp with time zone", "timestamptz")
        out.append(f"| `{column}` | {kind} | {comment.replace('|', chr(92) + '|')} |\n")
    return "".join(out)


def test_the_columns_and_units_listed_are_those_of_the_catalogue(db):
    page, made = ROOT / "docs" / "views.md", views_page(db)
    if os.environ.get("SQUAD_ACCEPT"):
        page.write_text(made)
    assert page.read_text() == made, "docs/views.md is old: run this test with SQUAD_ACCEPT=1"


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
