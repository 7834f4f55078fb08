"""The company whose experts take the tickets, and the people who keep changing it while the storm goes on."""
import random
import threading

SKILLS = ("tv", "internet", "phone", "wiring", "appliance")
NEEDS = {"tv": {"tv": 2}, "internet": {"internet": 2}, "phone": {"phone": 2}, "wiring": {"wiring": 3},
         "appliance": {"appliance": 2}, "installation": {"internet": 3, "wiring": 2}}
EXPERTS = 160
# The desk: experts with many slots, who keep most of the offers that they get. A run can have many more tickets than
# slots of the others, and each is given and notified.
DESK, DESK_CAPACITY = 2000, 200
DESK_TYPES = {"survey": {"desk": 2}, "callback": {"desk": 3, "forms": 2}}
DESK_OFFER_TIMEOUT_S = 604800
LAST = EXPERTS + DESK
PREFIXES = ("280", "2800", "2801", "2802", "2803", "2804", "2805")
RETRY = {"max_attempts": 4, "base_ms": 100, "cap_ms": 1000, "timeout_ms": 4000}
CHANGE_PAUSE_S = (0.1, 0.5)
OFFER_TIMEOUT_S, EXCLUDE_S = 20, 2  # longer than a slow machine needs for an answer to each offer that is out
BACK_FROM_BREAK = "UPDATE squad.expert SET status = 'available' WHERE status = 'break'"
SCOPES = "{tickets:write,tickets:read,calls:write,jobs:write,experts:read,experts:write}"


def expert(rng, number):
    """Skills with levels, areas and capacity. Number 1 to 4 can do everything everywhere, so nothing waits for ever."""
    if number <= 4:
        return dict.fromkeys(SKILLS, 5), ["28"], 20
    skills = {s: rng.randint(1, 5) for s in rng.sample(SKILLS, rng.randint(1, 3))}
    return skills, rng.sample(PREFIXES, rng.randint(1, 2)), rng.randint(1, 8)


def desk_expert(rng, number):
    """One in ten can do everything everywhere."""
    if number % 10 == 0:
        return {"desk": 5, "forms": 5}, ["28"]
    skills = {s: rng.randint(1, 5) for s in rng.sample(("desk", "forms"), rng.randint(1, 2))}
    return skills, rng.sample(PREFIXES, rng.randint(1, 3))


def make(db, stack, seed):
    rng = random.Random(seed)
    hook = f"http://127.0.0.1:{stack.port['hooks']}/experts/"
    with db.transaction():
        db.execute("INSERT INTO squad.client (name, key_hash, rate_per_s, burst, scopes) "
                   "VALUES ('storm', %s, 100000, 100000, %s)", [stack.client_key_hash(), SCOPES])
        db.execute("UPDATE squad.retry_policy SET max_attempts = %(max_attempts)s, base_ms = %(base_ms)s, "
                   "cap_ms = %(cap_ms)s, timeout_ms = %(timeout_ms)s WHERE channel = 'webhook'", RETRY)
        many = db.cursor().executemany
        many("INSERT INTO squad.skill VALUES (%s, %s)", [(s, s) for s in (*SKILLS, "desk", "forms")])
        many("INSERT INTO squad.ticket_type (type, title, offer_timeout_s, offers_max) VALUES (%s, %s, %s, %s)",
             [(t, t, OFFER_TIMEOUT_S, 3 if t == "wiring" else 1) for t in NEEDS]
             + [(t, t, DESK_OFFER_TIMEOUT_S, 1) for t in DESK_TYPES])
        db.execute("UPDATE squad.policy SET decline_exclude_s = %s, timeout_exclude_s = %s, "
                   "undeliverable_exclude_s = %s", [EXCLUDE_S] * 3)
        many("INSERT INTO squad.ticket_type_skill VALUES (%s, %s, %s)",
             [(t, s, level) for t, needs in (NEEDS | DESK_TYPES).items() for s, level in needs.items()])
        experts, skills, areas, loads = [], [], [], []
        for number in range(1, LAST + 1):
            able, served, capacity = expert(rng, number) if number <= EXPERTS else (
                *desk_expert(rng, number), DESK_CAPACITY)
            experts.append((number, f"Expert {number}"))
            skills += [(number, s, v) for s, v in able.items()]
            areas += [(number, a) for a in served]
            loads.append((capacity, number))
        many("INSERT INTO squad.expert (id, name) OVERRIDING SYSTEM VALUE VALUES (%s, %s)", experts)
        many("INSERT INTO squad.expert_skill VALUES (%s, %s, %s)", skills)
        many("INSERT INTO squad.expert_area VALUES (%s, %s)", areas)
        many("UPDATE squad.expert_load SET capacity = %s WHERE expert_id = %s", loads)
        many("INSERT INTO squad.expert_contact VALUES (%s, 'webhook', %s, %s)",
             [(number, hook + str(number), stack.webhook_secret) for number, _ in experts])



class Changes:
    """Somebody in the office: activates, deactivates, teaches, moves experts, all the time."""

    def __init__(self, stack, seed):
        self.stack, self.rng = stack, random.Random(seed)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.done = self.refused = 0

    def start(self):
        with self.stack.db() as db:
            self.capacity_is_checked = db.execute(
                "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'squad.expert_load'::regclass "
                "AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%load%capacity%')").fetchone()[0]
        self.thread.start()
        return self

    def work(self):
        import psycopg
        while not self.stopping.wait(self.rng.uniform(*CHANGE_PAUSE_S)):
            statement, values = self.some_change()
            try:
                with self.stack.db(options="-c lock_timeout=2s -c statement_timeout=5s") as db:
                    db.execute(statement, values)
                self.done += 1
            except psycopg.Error:
                self.refused += 1  # PostgreSQL is away, or a capacity is below the load

    def some_change(self):
        rng = self.rng
        at_the_desk = rng.random() < 0.3
        e = rng.randint(EXPERTS + 1, LAST) if at_the_desk else rng.randint(5, EXPERTS)
        if at_the_desk and e % 10 == 0:
            e -= 1  # there is always somebody who can
        kind = rng.randrange(8)
        if kind == 6:
            return BACK_FROM_BREAK, []
        if kind == 7:
            return ("INSERT INTO squad.absence (expert_id, during) VALUES (%s, tstzrange(now(), now() + %s * "
                    "interval '1 second'))", [e, rng.randint(1, 5)])
        if kind == 0 or kind == 1:
            return "UPDATE squad.expert SET active = NOT active WHERE id = %s", [e]
        if kind == 2 and self.capacity_is_checked and not at_the_desk:  # a mutant without the check is to break the rule itself
            return "UPDATE squad.expert_load SET capacity = %s WHERE expert_id = %s", [rng.randint(1, 8), e]
        if kind == 3:
            return ("INSERT INTO squad.expert_skill VALUES (%s, %s, %s) ON CONFLICT (expert_id, skill) "
                    "DO UPDATE SET level = excluded.level", [e, rng.choice(("desk", "forms") if at_the_desk else SKILLS), rng.randint(1, 5)])
        if kind == 4:
            return "DELETE FROM squad.expert_area WHERE expert_id = %s AND prefix = %s", [e, rng.choice(PREFIXES)]
        return ("INSERT INTO squad.expert_area VALUES (%s, %s) ON CONFLICT DO NOTHING", [e, rng.choice(PREFIXES)])

    def back_from_break(self):
        """Who let two offers in a row pass is available again. Others may be changing experts: next time then."""
        import psycopg
        try:
            with self.stack.db(options="-c lock_timeout=1s") as db:
                db.execute(BACK_FROM_BREAK)
        except psycopg.OperationalError:
            pass

    def stop(self):
        """And everything that made tickets wait is put right: the unknown type is known, every area is served."""
        self.stopping.set()
        self.thread.join()
        for statement in (
                "UPDATE squad.expert SET active = true, status = 'available' WHERE NOT active OR status <> 'available'",
                "DELETE FROM squad.absence",
                "INSERT INTO squad.ticket_type (type, title, offer_timeout_s) "
                f"VALUES ('mystery', 'Known at last', {OFFER_TIMEOUT_S}) ON CONFLICT DO NOTHING",
                "INSERT INTO squad.ticket_type_skill VALUES ('mystery', 'tv', 2) ON CONFLICT DO NOTHING",
                "INSERT INTO squad.expert_area SELECT id, '9' FROM generate_series(1, 4) AS id ON CONFLICT DO NOTHING"):
            self.surely(statement)

    def surely(self, statement):
        """A change of many experts can meet an assigner's batch in another order: then PostgreSQL ends one of the
        two, and whoever it was does it again."""
        import psycopg
        for tries_left in reversed(range(20)):
            try:
                with self.stack.db() as db:
                    db.execute(statement)
                return
            except psycopg.OperationalError:
                if not tries_left:
                    raise
