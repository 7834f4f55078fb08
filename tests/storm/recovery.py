"""From kill -9 to the first success, from the evidence: of work that began after the kill."""
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
