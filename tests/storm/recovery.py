"""From the evidence: how long after a kill -9 the first work succeeds that began after it, and how long after the last
fault everything is done that was waiting."""
import bisect


def first_after(times, t):
    """times: sorted (began, done); the earliest done of those that began at t or later."""
    i = bisect.bisect_left(times, (t,))
    return min((done for _, done in times[i:i + 5000]), default=None)


def of_intake(ev):
    """A post that began after the kill has its 201."""
    began, times = {}, []
    for line in ev.history:
        if line["e"] == "invoke":
            began[line["op"], line["copy"]] = line["t"]
        elif line["e"] == "ok" and (line["op"], line["copy"]) in began:
            times.append((began[line["op"], line["copy"]], line["t"]))
    return times


def of_relay(ev):
    """An event committed after the kill has reached a read_committed reader."""
    at = {e.id: e.at for e in ev.model.events}
    return [(at[r["id"]], r["t"]) for r in ev.live if r["id"] in at]


def of_assigner(ev):
    """A ticket stored after the kill has its expert, or its reason to wait for one, in a commit."""
    return [(ev.model.tickets[t]["commit_at"], at) for t, at in ev.model.decided_at.items()]


def of_notifier(ev):
    """An assignment committed after the kill has reached its expert's receiver."""
    jobs = ev.model.assignments
    return [(jobs[h["assignment"]].commit_at, h["t"]) for h in ev.hooks if h["assignment"] in jobs]


SERIES = {"intake": of_intake, "relay": of_relay, "assigner": of_assigner, "notifier": of_notifier}


def measure(ev):
    """{program: [ms]} of the kills that no other fault overlapped."""
    taken = {}
    for kind, series in SERIES.items():
        kills = [f for f in ev.faults if f["id"] == f"calm-kill-{kind}"]
        times = sorted(series(ev)) if kills else []
        for f in kills:
            done = first_after(times, f["killed_at"])
            taken.setdefault(kind, []).append(None if done is None else round((done - f["killed_at"]) * 1000))
    return taken


def after_heal(ev):
    """{what: s} from the end of the last fault until the last of what was committed by then is published to a
    read_committed reader, decided by an assigner, told to its expert; and how many tickets came after it."""
    healed = next(line["t"] for line in ev.run if line["e"] == "phase" and line["name"] == "healed")
    m, seen, told = ev.model, {r["id"]: r["t"] for r in ev.live}, {}
    for h in ev.hooks:
        if h["processed"]:
            told.setdefault(h["assignment"], h["t"])
    times = {"published": [seen[e.id] for e in m.events if e.at <= healed and e.id in seen],
             "decided": [at for t, at in m.decided_at.items() if m.tickets[t]["commit_at"] <= healed],
             "told": [told[j.id] for j in m.assignments.values() if j.commit_at <= healed and j.id in told]}
    return ({what: round(max(0.0, max(of, default=healed) - healed), 2) for what, of in times.items()},
            sum(t["commit_at"] > healed for t in m.tickets.values()))
