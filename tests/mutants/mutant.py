"""A mutant: what it changes, in a copy of the tree, and the storm that must see it."""
import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent
WORK = HERE / os.environ.get("MUTANTS_WORK", "build/mutants")
COPIED = ("Makefile", "mk", "src", "sql", "tools")
BUILT = ("obj", "gen", "lib", "stamp", "bin")
KEYS = {"title", "faults", "count", "tickets", "rate", "runs", "arguments", "weaken", "edit", "function", "sql"}


class Stale(Exception):
    """The mutant no longer fits the source."""


@dataclass
class Mutant:
    name: str
    title: str
    faults: list
    count: int = 6
    tickets: int = 400
    rate: float = 80.0
    runs: int = 4
    arguments: dict = field(default_factory=dict)
    weaken: dict = field(default_factory=dict)  # other defences taken away, so that this one is the last
    edit: list = field(default_factory=list)
    function: list = field(default_factory=list)
    sql: str = ""

    def profile(self):
        """What the unmutated tree is stormed with: the same, without the defect."""
        return {"faults": self.faults, "count": self.count, "tickets": self.tickets, "rate": self.rate,
                "arguments": self.arguments, "weaken": self.weaken}


def load(path):
    values = tomllib.loads(path.read_text())
    unknown = values.keys() - KEYS
    if unknown:
        raise Stale(f"{path.name}: unknown key {sorted(unknown)}")
    return Mutant(name=path.stem, **values)


def load_all():
    return [load(p) for p in sorted(FOLDER.glob("*/*.toml"))]


def copy_tree(build):
    """A copy of the sources and of what was built from them: only what is changed is built again."""
    tree = WORK / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in COPIED:
        source = HERE / name
        if source.is_dir():
            shutil.copytree(source, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            tree.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)
    for name in BUILT:
        shutil.copytree(build / name, tree / "build" / "fault" / name)
    return tree


def replace_once(text, old, new, where):
    if text.count(old) != 1:
        raise Stale(f"{where}: there {text.count(old)} times, not once: {old.strip().splitlines()[0]!r}")
    return text.replace(old, new)


def apply_edits(tree, edits):
    for e in edits:
        path = tree / e["file"]
        if not path.exists():
            raise Stale(f"{e['file']} is not there")
        new = e["new"].strip("\n")
        path.write_text(replace_once(path.read_text(), e["old"].strip("\n"), new, e["file"]) if "old" in e else new)


def make(tree):
    """Warnings are not errors here: what a defect leaves unused is no matter."""
    done = subprocess.run(["make", "-s", "-j2", "FAULT=1", "B=build/fault", "WARN=-w", "all"], cwd=tree,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Stale(f"it does not compile: {(done.stdout + done.stderr)[-1500:]}")
    return tree / "build" / "fault"


def quote(text):
    return "$mutant$" + text.strip("\n") + "$mutant$"


def sql_of(change):
    """Statements for the migrated database: functions are edited where they are, whichever migration made them."""
    lines = []
    for f in change.get("function", []):
        lines.append(f"""DO $do$
DECLARE body text := (SELECT pg_get_functiondef(p.oid) FROM pg_proc p
                       WHERE p.pronamespace = 'squad'::regnamespace AND p.proname = '{f["name"]}');
BEGIN
    IF body IS NULL OR (length(body) - length(replace(body, {quote(f["old"])}, ''))) <> length({quote(f["old"])}) THEN
        RAISE EXCEPTION 'stale: squad.{f["name"]} does not have once %', {quote(f["old"])};
    END IF;
    EXECUTE replace(body, {quote(f["old"])}, {quote(f["new"])});
END $do$;""")
    if change.get("sql"):
        lines.append(change["sql"])
    return "\n".join(lines)


def prepare(mutant, defect=True):
    """(build directory, file of SQL) of a mutant, or of its weakened surroundings alone."""
    build = HERE / "build" / "fault"
    changes = [mutant.weaken] + ([{"edit": mutant.edit, "function": mutant.function, "sql": mutant.sql}] if defect else [])
    edits = [e for c in changes for e in c.get("edit", [])]
    if edits:
        tree = copy_tree(build)
        apply_edits(tree, edits)
        build = make(tree)
    sql = WORK / "mutant.sql"
    sql.write_text("\n".join(sql_of(c) for c in changes))
    return build, sql if sql.read_text().strip() else None


def storm(mutant, build, sql, seed, keep=False):
    """One run; its result as the storm writes it."""
    import json
    result = WORK / "result.json"
    result.unlink(missing_ok=True)
    argv = ["/usr/bin/python3", "-m", "storm", "run", "--build", build, "--seed", seed, "--tickets", mutant.tickets,
            "--faults", mutant.count, "--rate-max", mutant.rate, "--json", result, "--drain-wait", 25,
            "--desk-share", 0]
    if mutant.faults:
        argv += ["--only", ",".join(mutant.faults)]
    if sql:
        argv += ["--sql", sql]
    for program, arguments in mutant.arguments.items():
        argv += ["--arguments", f"{program}={arguments}"]
    done = subprocess.run([str(a) for a in argv], cwd=HERE / "tests", capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
    if not result.exists():
        raise RuntimeError(f"the storm did not run: {(done.stdout + done.stderr)[-3000:]}")
    found = json.loads(result.read_text().splitlines()[-1])
    if not keep and found.get("evidence"):
        shutil.rmtree(found["evidence"], ignore_errors=True)
    return found
