"""What PostgreSQL committed, in commit order, from the text of a test_decoding slot."""
import re
from dataclasses import dataclass, field
from datetime import datetime

# name[type]:value, where a type may end in [] and a value is quoted, null or a number.
COLUMN = re.compile(r'(?:"([^"]+)"|(\w+))\[(?:[^\[\]]|\[\])+\]:(\'(?:[^\']|\'\')*\'|[^\s]+)')
TABLE = re.compile(r"table (\w+)\.(\w+): (INSERT|UPDATE|DELETE): ")
COMMIT = re.compile(r"COMMIT (\d+)(?: \(at ([^)]+)\))?")
READ = {"ticket", "dispatch", "assignment", "notice", "expert", "expert_load", "expert_skill", "expert_area", "absence",
        "exclusion", "inbox", "ticket_type", "ticket_type_skill"}


@dataclass
class Change:
    table: str
    verb: str
    row: dict


@dataclass
class Commit:
    xid: int
    lsn: str
    at: float
    changes: list = field(default_factory=list)


def unescape(text):
    """COPY's text format."""
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}.get(
        m.group(1), m.group(1)), text)


def value_of(text):
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    return None if text == "null" else text


def change_of(data):
    """A Change, or None for a table that the model does not look at."""
    head = TABLE.match(data)
    if head is None:
        raise ValueError(f"could not read a change: {data[:200]}")
    _, table, verb = head.groups()
    if table.startswith("outbox"):
        table = "outbox"
    elif table not in READ:
        return None
    body = data[head.end():]
    if body.startswith("old-key:"):
        body = body[body.index(" new-tuple: ") + 12:]
    row = {a or b: value_of(v) for a, b, v in COLUMN.findall(body) if v != "unchanged-toast-datum"}
    return Change(table, verb, row)


def seconds(text):
    return datetime.fromisoformat(text + (":00" if re.search(r"[+-]\d\d$", text) else "")).timestamp()


def read(path):
    """Commits of the file (lsn, xid, data by COPY), in order."""
    current = None
    with open(path, newline="\n") as f:
        for line in f:
            lsn, xid, data = line.rstrip("\n").split("\t", 2)
            if data.startswith("table "):
                change = change_of(unescape(data))
                if change:
                    current.changes.append(change)
            elif data.startswith("BEGIN"):
                current = Commit(int(xid), lsn, 0.0)
            elif data.startswith("COMMIT"):
                at = COMMIT.match(data).group(2)
                current.at = seconds(at) if at else 0.0
                current.lsn = lsn
                yield current
                current = None
