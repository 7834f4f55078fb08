"""Experts change at the worst moment: between an assigner's choice and its writing."""
import time

from . import fault
from .crash_points import points_of_build
from .decisions import Frozen
from .programs import frozen
from ..company import EXPERTS

SURELY_S = 30.0


@fault("experts-change-while-deciding", locks=["assigner", "office"], touches=frozen("assigner"), hold_s=(0.3, 1.0),
       needs=lambda build: "assigner.lock.before" in points_of_build(str(build), "assigner"))
class ChangeWhileDeciding(Frozen):
    """An assigner is frozen between its choice and its writing while two of three experts lose their skills or go off."""

    def inject(self):
        self.undo = []
        self.freeze_at("assigner-1", "assigner.lock.before")
        rest = self.facts["spared"] = self.rng.randrange(3)
        what = self.facts["change"] = self.rng.choice(("skills", "skills", "active"))
        with self.stack.db(options="-c lock_timeout=3s") as db:
            getattr(self, what)(db, rest)
        self.facts["changed"] = sum(len(values[0]) for _, values in self.undo)
        self.thaw("assigner-1")

    def skills(self, db, rest):
        rows = db.execute("SELECT expert_id, skill, level FROM squad.expert_skill WHERE expert_id %% 3 <> %s AND level > 1",
                          [rest]).fetchall()
        values = [list(column) for column in zip(*rows, strict=True)]
        self.undo = [("UPDATE squad.expert_skill s SET level = was.level FROM unnest(%s::int[], %s::text[], %s::int[]) "
                      "AS was (expert_id, skill, level) WHERE s.expert_id = was.expert_id AND s.skill = was.skill", values)]
        db.execute("UPDATE squad.expert_skill SET level = 1 WHERE expert_id %% 3 <> %s AND level > 1", [rest])

    def active(self, db, rest):
        """Not the desk: all that it has been offered would be taken back."""
        rows = db.execute("SELECT id FROM squad.expert WHERE active AND id %% 3 <> %s AND id <= %s",
                          [rest, EXPERTS]).fetchall()
        self.undo = [("UPDATE squad.expert SET active = true WHERE id = ANY (%s)", [[i for i, in rows]])]
        db.execute("UPDATE squad.expert SET active = false WHERE id = ANY (%s)", self.undo[0][1])

    def heal(self):
        import psycopg
        self.thaw("assigner-1")
        until = time.monotonic() + SURELY_S
        for statement, values in self.undo:
            while True:
                try:
                    with self.stack.db() as db:
                        db.execute(statement, values)
                    break
                except psycopg.OperationalError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.2)
