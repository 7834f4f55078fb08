"""What a campaign counts, and what it draws next."""
from collections import Counter

import pytest
from storm import campaign, faults


def run(ok=True, **times):
    return {"ok": ok, "faults": {k.replace("_", "-"): n for k, n in times.items()}}


def test_only_runs_without_a_finding_count():
    assert campaign.counts([run(kill_relay=3), run(ok=False, kill_relay=9), run(kill_relay=1, pg_kill=2)]) == {
        "kill-relay": 4, "pg-kill": 2}


def test_faults_that_a_campaign_lacks_are_drawn_and_no_more_of_them_than_it_lacks():
    faults.load()
    done = {"kill-relay": 17, "pg-kill": 20, "pg-fast": 25}
    drawn = Counter(p.id for p in faults.towards(7, 3, ["kill-relay", "pg-kill", "pg-fast"], done, campaign.goal))
    assert drawn == {"kill-relay": 3}


def test_a_campaign_that_lacks_nothing_goes_on_with_all_of_them():
    faults.load()
    done = {"kill-relay": 20, "pg-kill": 20}
    drawn = Counter(p.id for p in faults.towards(7, 10, ["kill-relay", "pg-kill"], done, campaign.goal))
    assert drawn == {"kill-relay": 5, "pg-kill": 5}


def test_a_seed_and_the_counts_decide_the_schedule():
    ids = sorted(faults.load())
    assert faults.towards(7, 50, ids, {}, campaign.goal) == faults.towards(7, 50, ids, {}, campaign.goal)
    assert faults.towards(7, 50, ids, {}, campaign.goal) != faults.towards(8, 50, ids, {}, campaign.goal)


def test_a_quick_storm_holds_every_kind_once():
    ids = sorted(faults.load())
    dealt = [p.id for p in faults.each_once(1, ids)]
    assert len(dealt) == len(set(dealt))
    assert set(dealt) >= {i for i in ids if faults.REGISTRY[i].quick and not i.startswith("crash-")}


def test_only_runs_of_the_same_programs_and_load_are_added():
    runs = [{"programs": "a", "load": "x"}, {"programs": "b", "load": "x"}, {"programs": "a", "load": "y"},
            {"programs": "a", "load": "x"}, {}]
    assert campaign.same(runs, runs[3]) == [runs[0], runs[3]]


def test_the_runs_of_a_line_of_commits_are_added_on_request():
    load = campaign.digests()["load"]
    every = [{"n": n, "programs": p, "load": of} for n, (p, of) in enumerate(
        [("a", load), ("b", load), ("b", "other"), ("c", load), ("a", load)])]
    assert [r["n"] for r in campaign.since(every, "b")] == [1, 3, 4]
    with pytest.raises(SystemExit):
        campaign.since(every, "z")


def test_the_digests_are_those_of_the_sources(tmp_path, monkeypatch):
    before = campaign.digests()
    assert before == campaign.digests()
    for folder in ("src", "sql", "tests/storm"):
        (tmp_path / folder).mkdir(parents=True)
    for name in campaign.LOAD:
        (tmp_path / "tests" / "storm" / name).write_text("")
    (tmp_path / "src" / "main.c").write_text("a")
    monkeypatch.setattr(campaign, "HERE", tmp_path)
    first = campaign.digests()
    (tmp_path / "src" / "main.c").write_text("b")
    second = campaign.digests()
    assert first["programs"] != second["programs"] and first["load"] == second["load"]
    (tmp_path / "tests" / "storm" / "world.py").write_text("b")
    assert campaign.digests()["load"] != second["load"]


def test_an_aimed_kill_counts_when_it_came_in_time():
    runs = [run(kafka_kill_prepared=5) | {"aimed_hits": {"kafka-kill-prepared": 4}},
            run(ok=False, kafka_kill_prepared=5) | {"aimed_hits": {"kafka-kill-prepared": 5}}]
    assert campaign.aimed(runs) == 4
