"""docs/states.md: the diagrams of squad.state and squad.transition (which another test holds equal to src/common/state.c)."""
import os

from testdb import HERE as ROOT

TITLES = (("ticket", "Tickets"), ("assignment", "Assignments: the life of an offer"), ("notice", "Notices"))


def page(w):
    out = ["# States\n\nMade from `squad.state` and `squad.transition`; triggers refuse every change that is not here, and a test holds\n"
           "`src/common/state.c` equal. Run `tests/pg_schema/test_states.py` with `SQUAD_ACCEPT=1` to make it anew.\n"]
    for entity, title in TITLES:
        rows = w.c.execute("SELECT from_state, to_state, why FROM squad.transition WHERE entity = %s ORDER BY 1, 2", (entity,)).fetchall()
        states = w.c.execute("SELECT state, live, description FROM squad.state WHERE entity = %s ORDER BY NOT live, state", (entity,)).fetchall()
        begins = sorted({r[0] for r in rows} - {r[1] for r in rows})
        out.append(f"\n## {title}\n\n```mermaid\nstateDiagram-v2\n" + "".join(f"    [*] --> {s}\n" for s in begins)
                   + "".join(f"    {a} --> {b}: {why.replace(':', ',').replace(';', ',')}\n" for a, b, why in rows)
                   + "".join(f"    {s} --> [*]\n" for s, live, _ in states if not live) + "```\n\n| state | live | means |\n|---|---|---|\n"
                   + "".join(f"| `{s}` | {'yes' if live else ''} | {words} |\n" for s, live, words in states))
    return "".join(out)


def test_the_diagrams_are_those_of_the_schema(w):
    made, path = page(w), ROOT / "docs" / "states.md"
    if os.environ.get("SQUAD_ACCEPT"):
        path.write_text(made)
    assert path.read_text() == made, "docs/states.md is old: run this test with SQUAD_ACCEPT=1"


def test_every_state_is_reached_and_every_end_is_an_end(w):
    for entity, _ in TITLES:
        reached = {r[0] for r in w.c.execute("SELECT to_state FROM squad.transition WHERE entity = %s UNION SELECT state FROM "
                                             "squad.state WHERE entity = %s AND state IN ('received', 'reserved', 'pending')", (entity, entity))}
        states = dict(w.c.execute("SELECT state, live FROM squad.state WHERE entity = %s", (entity,)).fetchall())
        assert reached == set(states)
        left = {r[0] for r in w.c.execute("SELECT from_state FROM squad.transition WHERE entity = %s", (entity,))}
        assert {s for s, live in states.items() if live} == left
