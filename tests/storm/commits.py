"""What PostgreSQL committed, in commit order, from the text of a test_decoding slot."""
import re
from dataclasses import dataclass, field
from datetime import datetime

VALUE = r"('[^']*(?:''[^']*)*'|\S+)"
# name[type]:value, where a type may end in [] and a value is quoted, null or a number.
COLUMN = re.compile(r'(?:"([^"]+)"|(\w+))(\[(?:[^\[\]]|\[\])+\]):' + VALUE)
TABLE = re.compile(r"table (\w+)\.(\w+): (INSERT|UPDATE|DELETE): ")
COMMIT = re.compile(r"COMMIT (\d+)(?: \(at ([^)]+)\))?")
# What the model looks at; other tables and columns are not read.
READ = {
    "ticket": {"id", "ref", "customer_ref", "type", "area"},
    "outbox": {"seq", "id", "aggregatetype", "aggregateid", "type", "payload", "xid"},
    "dispatch": {"ticket_id", "state", "offers"},
    "assignment": {"id", "ticket_id", "expert_id", "state", "reserved_at", "override"},
    "notice": {"id", "assignment_id", "ticket_id", "expert_id", "message", "state"},
    "expert": {"id", "active", "status"},
    "expert_load": {"expert_id", "load", "capacity"},
    "expert_skill": {"expert_id", "skill", "level"},
    "expert_area": {"expert_id", "prefix"},
    "absence": {"id", "expert_id", "during"},
    "exclusion": {"ticket_id", "expert_id", "until"},
    "inbox": {"event_id"},
    "ticket_type": {"type", "offers_max"},
    "ticket_type_skill": {"type", "skill", "min_level"},
}
# Tables of which there is much and nothing is read: the slot need not even send them.
LEFT_OUT = ("ticket_event", "sticky_expert", "relay_progress")


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


class Shape:
    """Rows of one table with the same columns, read by one match each."""

    def __init__(self, table, body):
        columns = [(a or b, (f'"{a}"' if a else b) + kind) for a, b, kind, _ in COLUMN.findall(body)]
        self.names = [name for name, _ in columns if name in READ[table]]
        free = VALUE.replace("(", "(?:", 1)
        self.pattern = re.compile(" ".join(re.escape(text + ":") + (VALUE if name in READ[table] else free)
                                           for name, text in columns) + "$", re.S)

    def row(self, body):
        """Values by name, or None when the row is of another shape."""
        m = self.pattern.match(body)
        return m and {name: value_of(v) for name, v in zip(self.names, m.groups(), strict=True)
                      if v != "unchanged-toast-datum"}


shapes = {}


def row_of(table, body):
    row = table in shapes and shapes[table].row(body)
    if not row:
        shapes[table] = Shape(table, body)
        row = shapes[table].row(body)
    if not row:
        raise ValueError(f"could not read a row of {table}: {body[:200]}")
    return row


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
    return Change(table, verb, row_of(table, body))


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
