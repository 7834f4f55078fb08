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
