"""Each report against its expected output; what squad_report can not do; the audit against planted defects."""
import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from conftest import FROZEN
from testdb import HERE as ROOT, TestDb

HERE = Path(__file__).resolve().parent
REPORTS = sorted((ROOT / "sql" / "reports").glob("*.sql"))


def as_documented(db, path, *args):
    """The command that the head of each report gives: no -q, so that the output is what a person sees."""
    done = subprocess.run(["psql", "-X", db.conninfo(user="squad_report"), *args, "-f", path], text=True,
                          capture_output=True, check=False, cwd=ROOT, env={**os.environ, **FROZEN})
    assert done.returncode == 0, done.stderr
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n", done.stderr


def report(db, path, *args):
    out, err = as_documented(db, path, *args)
    assert err == ""
    return out


@pytest.mark.parametrize("path", REPORTS, ids=lambda p: p.stem)
def test_a_report_prints_what_it_should(db, path):
    out = report(db, path, *(["-v", "ref=00000-00003"] if path.stem == "ticket" else []))
    expected = HERE / "expected" / f"{path.stem}.out"
    if os.environ.get("SQUAD_ACCEPT"):
        expected.write_text(out)
    assert expected.exists(), f"no expected output for {path}; look at it, then run with SQUAD_ACCEPT=1"
    assert out == expected.read_text()


def test_every_expected_output_has_its_report():
    assert {p.stem for p in (HERE / "expected").glob("*.out")} == {p.stem for p in REPORTS}


@pytest.mark.parametrize("args, said", [((), "Which ticket? Give -v ref=XXXXX-XXXXX\n"),
                                        (("-v", "ref=ZZZZZ-ZZZZZ"), "There is no ticket ZZZZZ-ZZZZZ\n"),
                                        (("-v", "ref=x' OR 'a'='a"), "There is no ticket x' OR 'a'='a\n")])
def test_ticket_says_what_it_lacks(db, args, said):
    assert as_documented(db, "sql/reports/ticket.sql", *args) == ("\n", said)


def test_reports_run_on_an_empty_database():
    empty = TestDb()
    try:
        for path in REPORTS:
            if path.stem != "ticket":
                assert report(empty, path).strip(), path
        assert audit(empty) == set()
    finally:
        empty.drop()


@pytest.mark.parametrize("path", REPORTS, ids=lambda p: p.stem)
def test_the_head_says_how_to_run_it(path):
    head = path.read_text().split("\n\\", 1)[0]
    assert head.startswith("-- ")
    assert re.search(rf'psql "\$SQUAD_DB" (-v ref=\S+ )?-f sql/reports/{path.name}$', head, re.M)


def test_reports_use_schema_rpt_alone():
    for path in REPORTS:
        assert not re.search(r"\b(squad|public|pg_catalog)\.", path.read_text().replace("$SQUAD", "")), path


def test_no_personal_data_can_be_read(db):
    with db.connect(user="squad_report") as c:
        views = [v for v, in c.execute("SELECT table_name FROM information_schema.views WHERE table_schema = 'rpt'")]
        assert len(views) > 10
        for view in views:
            for row in c.execute(f"SELECT * FROM rpt.{view}"):
                assert "SECRET" not in str(row), view


@pytest.mark.parametrize("sql, state", [
    ("SELECT * FROM squad.ticket", "42501"),
    ("SELECT squad.assignment_complete(gen_random_uuid(), 'x')", "42501"),
    ("CREATE TABLE rpt.mine (a integer)", "25006"),
    ("CREATE TEMP TABLE mine (a integer)", "25006"),
    ("SET TRANSACTION READ WRITE; DELETE FROM squad.ticket_event", "42501"),
    ("SET TRANSACTION READ WRITE; CREATE TABLE rpt.mine (a integer)", "42501"),
])
def test_squad_report_is_refused(db, sql, state):
    with db.connect(user="squad_report") as c, pytest.raises(psycopg.Error) as refused:
        c.execute(sql)
    assert refused.value.sqlstate == state


def test_squad_report_may_touch_nothing_in_squad_and_only_read_rpt(db):
    with db.connect() as c:
        assert c.execute("SELECT has_schema_privilege('squad_report', 'squad', 'USAGE, CREATE'), "
                         "has_schema_privilege('squad_report', 'rpt', 'CREATE'), "
                         "has_schema_privilege('squad_report', 'public', 'CREATE')").fetchone() == (False,) * 3
        relations = c.execute("""
            SELECT n.nspname, c.relname, has_table_privilege('squad_report', c.oid, 'SELECT'),
                   has_any_column_privilege('squad_report', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
                       OR has_table_privilege('squad_report', c.oid, 'DELETE, TRUNCATE, TRIGGER') AS anything,
                   has_any_column_privilege('squad_report', c.oid, 'INSERT, UPDATE, REFERENCES')
                       OR has_table_privilege('squad_report', c.oid, 'DELETE, TRUNCATE, TRIGGER') AS more
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ('squad', 'rpt') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')""").fetchall()
        assert [r[:2] for r in relations if r[0] == "squad" and r[3]] == []
        assert [r[:2] for r in relations if r[0] == "rpt" and (not r[2] or r[4])] == []
        assert c.execute("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member "
                         "WHERE r.rolname = 'squad_report'").fetchone() == (0,)
        assert c.execute("SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication "
                         "FROM pg_roles WHERE rolname = 'squad_report'").fetchone() == (False,)


def test_squad_report_has_its_time_outs(db):
    with db.connect(user="squad_report") as c:
        assert c.execute("SHOW statement_timeout").fetchone() == ("1min",)
        assert c.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)
        assert c.execute("SHOW search_path").fetchone() == ("rpt",)


def test_every_column_says_its_unit(db):
    unit = {"_s": "econds", "_ms": "illiseconds", "_bytes": "ytes", "_percent": "per cent"}
    with db.connect() as c:
        columns = c.execute("SELECT c.relname, a.attname, col_description(c.oid, a.attnum) FROM pg_class c JOIN "
                            "pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relnamespace = "
                            "'rpt'::regnamespace AND c.relkind = 'v'").fetchall()
    assert len(columns) > 80
    for view, column, comment in columns:
        assert comment, f"rpt.{view}.{column} has no comment"
        assert not comment.startswith("The same"), f"rpt.{view}.{column} is read alone: {comment}"
        for ending, word in unit.items():
            if column.endswith(ending):
                assert word in comment, f"rpt.{view}.{column}: {comment}"


def test_orphaned_work_is_looked_for_among_live_assignments(db):
    with db.connect() as c:
        c.execute("SET enable_seqscan = off")
        plan = "\n".join(line for line, in c.execute("EXPLAIN SELECT * FROM rpt.orphaned"))
    assert "_live on assignment" in plan, plan


# What rpt.audit must find, planted with the triggers off.
TICKET = "(SELECT id FROM squad.ticket WHERE ref = '{}')"
DEFECTS = {
    "two experts": "DROP INDEX squad.assignment_one_live; INSERT INTO squad.assignment (ticket_id, expert_id, attempt, "
                   "expert_version, why) VALUES (" + TICKET.format("00000-00002") + ", 2, 9, 1, '{}')",
    "accepted twice": "DROP INDEX squad.assignment_one_holder; UPDATE squad.assignment SET state = 'completed', code = NULL, "
                      "ended_at = now() WHERE ticket_id = " + TICKET.format("00000-00003"),
    "load is not the live count": "UPDATE squad.expert_load SET load = 1 WHERE expert_id = 1",
    "above capacity": "ALTER TABLE squad.expert_load DROP CONSTRAINT expert_load_capacity; "
                      "UPDATE squad.expert_load SET capacity = 1 WHERE expert_id = 1",
    "wrong expert": "UPDATE squad.expert_skill SET level = 1 WHERE expert_id = 1",
    "assigned to nobody": "UPDATE squad.dispatch SET state = 'assigned', parked = NULL WHERE state = 'parked'",
    "assignment of another state": "UPDATE squad.dispatch SET state = 'completed' WHERE state = 'assigned'",
    "attempts do not match": "UPDATE squad.dispatch SET attempts = 7 WHERE state = 'assigned'",
    "no notice": "DELETE FROM squad.notice WHERE state = 'delivered'",
    "offered, not delivered": "UPDATE squad.notice SET state = 'undeliverable' WHERE state = 'delivered'",
    "notice of another assignment": "UPDATE squad.notice SET expert_id = 4 WHERE state = 'sending'",
    "no created event": "DELETE FROM squad.outbox WHERE seq = 5",
    "no ticket": "INSERT INTO squad.outbox (aggregatetype, aggregateid, type, payload) "
                 "VALUES ('ticket', gen_random_uuid()::text, 'squad.ticket.created.v1', '{}')",
    "parked without a reason": "UPDATE squad.dispatch SET parked = '{}' WHERE state = 'parked'",
    "offer without an end": "UPDATE squad.assignment SET expires_at = '2026-11-24 11:58' WHERE state = 'offered'",
    "not seen": "UPDATE squad.ticket SET created_at = '2026-11-24 11:58' WHERE ref = '00000-00009'",
    "not notified": "UPDATE squad.assignment SET reserved_at = '2026-11-24 11:00' WHERE state = 'reserved'",
}


def audit(db):
    out = db.psql("-At", "-c", "SELECT DISTINCT check_name FROM rpt.audit", user="squad_report", env=FROZEN)
    return set(out.split("\n")) - {""}


def test_the_audit_is_empty_when_nothing_is_wrong(db):
    assert audit(db) == set()


def test_the_audit_finds_each_planted_defect():
    for name, plant in DEFECTS.items():
        db = TestDb()
        try:
            db.psql("-f", HERE / "fixture.sql")
            db.psql("-c", "SET session_replication_role = replica; " + plant)
            assert name in audit(db), name
        finally:
            db.drop()


def test_every_check_of_the_audit_has_a_planted_defect():
    text = max(p for p in (ROOT / "sql" / "migrations").glob("*.sql") if "VIEW rpt.audit AS" in p.read_text()).read_text()
    body = text[text.index("VIEW rpt.audit AS"):text.index("COMMENT ON VIEW   rpt.audit")]
    checks = set(re.findall(r"(?:AS\n|ALL\n)SELECT '([^']+)'", body))
    assert checks == set(DEFECTS)
