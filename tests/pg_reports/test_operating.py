"""docs/operating.md: what wakes somebody can be asked, and a person is forgotten as it says."""
import re

import pytest

from conftest import FROZEN
from testdb import HERE as ROOT

PAGE = (ROOT / "docs" / "operating.md").read_text()
ALERTS = re.findall(r"^\| `(SELECT [^`]*)` \|", PAGE, re.M)


@pytest.mark.parametrize("sql", ALERTS)
def test_an_alert_can_be_asked_by_who_may_read_the_reports(db, sql):
    assert re.search(r"\(\d+ rows?\)", db.psql("-c", sql, user="squad_report", env=FROZEN))


def test_the_page_has_alerts():
    assert len(ALERTS) >= 5


def test_a_person_is_forgotten_as_shown(db):
    (sql,) = re.findall(r"^```sql owner\n(.*?)^```$", PAGE, re.M | re.S)
    columns = "problem, customer_ref, customer_name, customer_phone, customer_email"
    with db.connect() as c:
        ref, client, customer = c.execute(
            "SELECT ref, client_id, customer_ref FROM squad.ticket WHERE customer_name IS NOT NULL LIMIT 1").fetchone()
        sql = sql.replace("K7QM3-ZT94W", ref).replace("client_id = 1", f"client_id = {client}").replace("customer-7", customer or "")
        c.execute(sql)
        left = c.execute(f"SELECT {columns} FROM squad.ticket WHERE ref = %s", [ref]).fetchone()
        assert left == ("(removed)", None, None, None, None)
        personal = {n for n, in c.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'squad.ticket'::regclass AND attname LIKE 'customer%' "
            "AND NOT attisdropped")}
        assert personal == set(columns.split(", ")) - {"problem"}
        c.rollback()
