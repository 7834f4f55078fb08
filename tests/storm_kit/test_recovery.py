"""What counts as the first success after a kill."""
from types import SimpleNamespace

from storm import recovery


def test_only_work_that_began_after_the_kill_counts():
    assert recovery.first_after([(1.0, 9.0), (5.0, 7.0), (5.5, 6.5), (8.0, 8.1)], 4.0) == 6.5
    assert recovery.first_after([(1.0, 9.0)], 4.0) is None


def test_the_assigner_has_succeeded_when_a_new_ticket_is_decided():
    model = SimpleNamespace(tickets={"a": {"commit_at": 3.0}, "b": {"commit_at": 5.0}, "c": {"commit_at": 5.1}},
                            decided_at={"a": 4.5, "b": 5.6})
    ev = SimpleNamespace(model=model, faults=[{"id": "calm-kill-assigner", "killed_at": 4.0},
                                              {"id": "calm-kill-assigner", "killed_at": 5.05}])
    assert recovery.measure(ev) == {"assigner": [1600, None]}


def test_what_waited_when_the_faults_were_over_is_done_so_long_after():
    model = SimpleNamespace(
        tickets={"a": {"commit_at": 9.0}, "b": {"commit_at": 9.5}, "c": {"commit_at": 11.0}},
        decided_at={"a": 9.2, "b": 14.0, "c": 99.0},
        events=[SimpleNamespace(id="e1", at=9.0), SimpleNamespace(id="e2", at=9.5), SimpleNamespace(id="e3", at=11.0)],
        assignments={"j": SimpleNamespace(id="j", commit_at=9.9), "k": SimpleNamespace(id="k", commit_at=11.0)})
    ev = SimpleNamespace(model=model, run=[{"e": "phase", "name": "healed", "t": 10.0}],
                         live=[{"id": "e1", "t": 9.1}, {"id": "e2", "t": 12.5}, {"id": "e3", "t": 99.0}],
                         hooks=[{"assignment": "j", "t": 13.0, "processed": False},
                                {"assignment": "j", "t": 13.5, "processed": True},
                                {"assignment": "j", "t": 50.0, "processed": True},
                                {"assignment": "k", "t": 99.0, "processed": True}])
    assert recovery.after_heal(ev) == ({"published": 2.5, "decided": 4.0, "told": 3.5}, 1)
