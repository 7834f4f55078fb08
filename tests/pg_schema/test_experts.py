"""What decides who may take a ticket: shifts across clock changes, absence, presence, relaxed requirements; and what
people change about experts."""
import psycopg
import pytest

from test_functions import Beside
from test_offers import HOLDS, call, state, ticket

MADRID = "UPDATE squad.expert SET zone = 'Europe/Madrid', schedule = 'shifts' WHERE id = 1"


def refused(w, words, ticket=None, expert=1):
    with pytest.raises(psycopg.errors.CheckViolation, match=words) as e:
        w.assign(ticket or w.parked(), expert)
    assert e.value.diag.constraint_name == "assignment_qualified"
    assert w.load(expert) == 0


def shift(w, begins, ends, expert=1):
    w.c.execute("UPDATE squad.expert SET schedule = 'shifts' WHERE id = %s", (expert,))
    w.c.execute("INSERT INTO squad.expert_shift (expert_id, during) VALUES (%s, tstzrange(now() + %s::interval, now() + %s::interval))",
                (expert, begins, ends))


# shifts: the job (an hour) must end inside

@pytest.mark.parametrize("begins, ends, fits", [("-1 h", "2 h", True), ("-1 h", "59 min", False), ("1 min", "5 h", False),
                                                ("-3 h", "-1 h", False)])
def test_the_job_must_begin_and_end_inside_the_shift(w, begins, ends, fits):
    shift(w, begins, ends)
    if fits:
        w.assign(w.parked(), 1)
    else:
        refused(w, "is not on shift until the job would end")


def test_shifts_that_follow_each_other_are_one(w):
    w.c.execute("UPDATE squad.expert SET schedule = 'shifts' WHERE id = 1")
    w.c.execute("INSERT INTO squad.expert_shift (expert_id, during) SELECT 1, tstzrange(x.at, x.at + interval '30 min') "
                "FROM (SELECT now() - interval '10 min' + n * interval '30 min' AS at FROM generate_series(0, 3) n) x")
    w.assign(w.parked(), 1)


def test_an_expert_with_shifts_and_none_now_gets_nothing(w):
    w.c.execute("UPDATE squad.expert SET schedule = 'shifts' WHERE id = 1")
    refused(w, "is not on shift")


@pytest.mark.parametrize("during", ["[now - 1 h, now + 1 h)", "[now + 30 min, now + 2 h)", "[now - 1 h,)"])
def test_an_absence_that_the_job_would_touch_is_refused(w, during):
    lower, upper = {"[now - 1 h, now + 1 h)": ("-1 h", "1 h"), "[now + 30 min, now + 2 h)": ("30 min", "2 h")}.get(during, ("-1 h", None))
    w.c.execute("INSERT INTO squad.absence (expert_id, during) VALUES (1, tstzrange(now() + %s::interval, now() + %s::interval))",
                (lower, upper))
    refused(w, "is absent")


def test_an_absence_after_the_job_or_over_is_no_matter(w):
    w.c.execute("INSERT INTO squad.absence (expert_id, during) VALUES (1, tstzrange(now() - interval '2 h', now() - interval '1 s')), "
                "(1, tstzrange(now() + interval '61 min', NULL))")
    w.assign(w.parked(), 1)


@pytest.mark.parametrize("status", ["busy", "break", "offline"])
def test_only_who_is_available_gets_a_ticket(w, status):
    w.c.execute("UPDATE squad.expert SET status = %s WHERE id = 1", (status,))
    refused(w, "is not available")


def test_a_requirement_is_dropped_when_its_time_has_come(w):
    w.c.execute("UPDATE squad.ticket_type_skill SET importance = 2")
    t = w.parked()
    refused(w, "lacks a required skill", t, 3)
    old = w.ticket()
    w.c.execute("INSERT INTO squad.dispatch (ticket_id, state, type, area, priority, created_at, parked, routable_at) "
                "SELECT id, 'parked', type, area, 3, created_at, '{\"experts\":4}', now() - interval '4 h 1 s' FROM squad.ticket WHERE id = %s", (old,))
    w.assign(old, 3)
    w.c.execute("UPDATE squad.ticket_type_skill SET importance = 0")
    assert w.one("SELECT squad.expert_breaks(%s, 3)", old) == ["skill", "capacity"], "importance 0 is for ever"


def test_the_rules_are_named_in_order(w):
    t = w.parked()
    w.reserved(2)
    w.c.execute("UPDATE squad.expert SET active = false, status = 'offline', schedule = 'shifts' WHERE id = 4")
    w.c.execute("DELETE FROM squad.expert_skill WHERE expert_id = 4")
    w.c.execute("INSERT INTO squad.absence (expert_id, during) VALUES (4, tstzrange(now(), NULL))")
    w.c.execute("INSERT INTO squad.exclusion VALUES (%s, 4, NULL, 'declined')", (t,))
    assert w.one("SELECT squad.expert_breaks(%s, 4)", t) == ["inactive", "area", "skill", "shift", "absent", "presence", "excluded"]
    assert w.one("SELECT squad.expert_breaks(%s, 2)", t) == ["capacity"]
    assert w.one("SELECT squad.expert_breaks(%s, 1)", t) == []


# local times

@pytest.mark.parametrize("day, starts, ends, hours", [
    ("2026-03-28", "08:00", "16:00", 8), ("2026-03-29", "00:00", "08:00", 7), ("2026-03-29", "00:00", "24:00", 23),
    ("2026-03-29", "02:15", "02:45", 0.5), ("2026-03-29", "02:15", "03:00", 0), ("2026-03-28", "22:00", "06:00", 7), ("2026-10-25", "00:00", "24:00", 25),
    ("2026-10-24", "22:00", "06:00", 9), ("2026-10-25", "08:00", "08:00", 24), ("2026-06-01", "22:00", "06:00", 8)])
def test_a_local_shift_is_right_when_clocks_change(w, day, starts, ends, hours):
    assert w.one("SELECT coalesce(extract(epoch FROM upper(s) - lower(s)) / 3600, 0)::float8 "
                 "FROM squad.local_shift(%s, %s, %s, 'Europe/Madrid') AS s", day, starts, ends) == hours


def test_a_shift_begins_at_its_local_time_in_summer_and_in_winter(w):
    begins = "SELECT lower(squad.local_shift(%s, '08:00', '16:00', 'Europe/Madrid')) AT TIME ZONE 'UTC' = %s::timestamp"
    assert w.one(begins, "2026-03-28", "2026-03-28 07:00") and w.one(begins, "2026-03-29", "2026-03-29 06:00")
    assert w.one(begins, "2026-10-24", "2026-10-24 06:00") and w.one(begins, "2026-10-25", "2026-10-25 07:00")


def test_a_working_week_becomes_shifts_for_the_days_ahead_and_only_once(w):
    assert w.one("SELECT squad.expert_pattern_set(1, 'Europe/Madrid', '{1,2,3,4,5,6,7}', %s::time[], %s::time[], 'test')",
                 ["00:00"] * 7, ["24:00"] * 7) == "changed"
    n = w.one("SELECT count(*) FROM squad.expert_shift")
    assert 14 <= n <= 16
    w.assign(w.parked(), 1)
    version = w.one("SELECT version FROM squad.expert WHERE id = 1")
    assert w.one("SELECT made FROM squad.shifts_extend()") == 0
    w.c.execute("UPDATE squad.policy SET shift_days = 20")
    assert w.one("SELECT made FROM squad.shifts_extend()") == 6
    assert w.one("SELECT version FROM squad.expert WHERE id = 1") == version, "days far ahead change nobody's present"
    w.c.execute("UPDATE squad.expert SET zone = 'America/Lima' WHERE id = 2")
    assert w.one("SELECT squad.expert_pattern_set(2, NULL, '{1}', '{09:00}', '{17:00}', 'test')") == "changed"
    assert w.one("SELECT bool_and(extract(hour FROM lower(during) AT TIME ZONE 'UTC') = 14) FROM squad.expert_shift WHERE expert_id = 2")


def test_shifts_given_replace_those_of_their_days(w):
    w.c.execute(MADRID)
    put = "SELECT squad.expert_shifts_set(1, '2030-03-30', '2030-03-31', %s::timestamp[], %s::timestamp[], 'test')"
    assert w.one(put, ["2030-03-30 08:00", "2030-03-31 01:00"], ["2030-03-30 12:00", "2030-03-31 05:00"]) == "changed"
    assert w.c.execute("SELECT extract(epoch FROM upper(during) - lower(during))::integer / 3600 FROM squad.expert_shift "
                       "ORDER BY during").fetchall() == [(4,), (3,)]
    assert w.one(put, ["2030-03-30 10:00"], ["2030-03-30 11:00"]) == "changed"
    assert w.one("SELECT count(*) FROM squad.expert_shift") == 1
    assert w.one(put, ["2030-03-30 10:00", "2030-03-30 10:30"], ["2030-03-30 11:00", "2030-03-30 12:00"]) == "overlap"
    assert w.one(put, ["2030-03-30 10:00"] * 2, ["2030-03-30 11:00"] * 2) == "overlap"
    assert w.one(put, ["2030-03-30 10:00"], ["2030-03-30 10:00"]) == "wrong_range"
    assert w.one(put, ["2030-04-30 10:00"], ["2030-04-30 11:00"]) == "wrong_range"
    assert w.one("SELECT count(*) FROM squad.expert_shift") == 1
    assert w.one("SELECT squad.expert_shifts_set(99, '2030-03-30', '2030-03-31', '{}', '{}', 'test')") == "missing"
    assert w.one("SELECT squad.expert_shifts_set(1, '2030-03-31', '2030-03-30', '{}', '{}', 'test')") == "wrong_range"


# the working week, and the days given

def week(w, starts="08:00", ends="16:00", expert=1):
    assert w.one("SELECT squad.expert_pattern_set(%s, 'UTC', '{1,2,3,4,5,6,7}', array_fill(%s::time, '{7}'), array_fill(%s::time, '{7}'), "
                 "'test')", expert, starts, ends) == "changed"


def day(w, ahead):
    return w.one("SELECT (now() AT TIME ZONE 'UTC')::date + %s::integer", ahead)


def give(w, first, *shifts, last=None):
    assert w.one("SELECT squad.expert_shifts_set(1, %s, %s, %s::timestamp[], %s::timestamp[], 'test')", first, last or first,
                 [f"{first} {a}" for a, _ in shifts], [f"{first} {b}" for _, b in shifts]) == "changed"


def extend(w, days):
    w.c.execute("UPDATE squad.policy SET shift_days = %s", (days,))
    return w.one("SELECT made FROM squad.shifts_extend()")


def hours(w, day, expert=1):
    """Of the shifts that begin on the day."""
    return w.one("SELECT coalesce(string_agg(to_char(lower(s.during) AT TIME ZONE 'UTC', 'HH24:MI-') || "
                 "to_char(upper(s.during) AT TIME ZONE 'UTC', 'HH24:MI'), ' ' ORDER BY s.during), '') FROM squad.expert_shift s "
                 "WHERE s.expert_id = %s AND (lower(s.during) AT TIME ZONE 'UTC')::date = %s", expert, day)


def test_a_day_given_keeps_what_was_given_whatever_the_week_says(w):
    week(w)
    free, after, late = day(w, 3), day(w, 4), day(w, 5)
    give(w, free)
    give(w, after, ("18:00", "22:00"))
    extend(w, 16)
    assert [hours(w, d) for d in (free, after, late)] == ["", "18:00-22:00", "08:00-16:00"]
    week(w, "09:00", "17:00")
    assert [hours(w, d) for d in (free, after, late)] == ["", "18:00-22:00", "09:00-17:00"]
    give(w, free, ("08:00", "12:00"), ("13:00", "17:00"), last=late)
    extend(w, 18)
    assert [hours(w, d) for d in (free, after, late)] == ["08:00-12:00 13:00-17:00", "", ""]
    assert w.one("SELECT count(*) FROM squad.shift_given") == 1, "the days given anew hold those of before"


def test_a_day_given_before_its_shifts_are_made_has_none_of_them(w):
    week(w)
    before, free, after = day(w, 19), day(w, 20), day(w, 21)
    give(w, free)
    extend(w, 30)
    assert [hours(w, d) for d in (before, free, after)] == ["08:00-16:00", "", "08:00-16:00"]


def test_a_day_that_is_being_given_is_not_filled_meanwhile_and_the_others_are(w):
    free = day(w, 20)
    week(w)
    week(w, expert=2)
    w.c.execute("UPDATE squad.policy SET shift_days = 30")
    with w.db.connect() as c:
        c.execute("SET lock_timeout = '1s'")
        with w.c.transaction():
            give(w, free)
            made, held, last = c.execute("SELECT made, held, last FROM squad.shifts_extend()").fetchone()
            assert (made >= 16, held, last) == (True, 1, None)
            assert hours(w, free, 2) == "08:00-16:00"
        made, held, last = c.execute("SELECT made, held, last FROM squad.shifts_extend()").fetchone()
        assert (made >= 15, held, last) == (True, 0, None)
    assert (hours(w, free), hours(w, day(w, 21))) == ("", "08:00-16:00")


def test_shifts_are_made_of_some_experts_at_a_time(w):
    for expert in (1, 2, 4):
        week(w, expert=expert)
    w.c.execute("UPDATE squad.policy SET shift_days = 20")
    page = "SELECT made, held, last FROM squad.shifts_extend(%s, 2)"
    assert [w.one(page, 0), w.one(page, 2)] == [(12, 0, 2), (6, 0, None)]


def test_shifts_of_the_week_are_kept_for_90_days_and_given_ones_for_ever(w):
    week(w)
    old, late = day(w, -92), day(w, -88)
    w.c.execute("INSERT INTO squad.expert_shift SELECT 1, tstzrange((d + time '08:00') AT TIME ZONE 'UTC', (d + time '16:00') AT TIME ZONE 'UTC'), s "
                "FROM unnest(%s::date[], '{pattern,set,pattern}'::text[]) AS x (d, s)", ([old, day(w, -93), late],))
    give(w, day(w, 3))
    w.c.execute("INSERT INTO squad.shift_given VALUES (1, daterange(%s, %s, '[]')), (1, daterange(%s, %s, '[]'))", (old, old, late, late))
    version = w.one("SELECT version FROM squad.expert WHERE id = 1")
    extend(w, 15)
    assert [hours(w, d) for d in (day(w, -93), old, late)] == ["08:00-16:00", "", "08:00-16:00"]
    assert w.one("SELECT array_agg(lower(days) ORDER BY days) FROM squad.shift_given") == [late, day(w, 3)]
    assert w.one("SELECT version FROM squad.expert WHERE id = 1") == version, "the past changes nobody's present"


def test_each_local_time_is_converted_once(w):
    for expert in (1, 2):
        week(w, expert=expert)
    with w.c.transaction():
        w.c.execute("SET LOCAL track_functions = 'all'")
        w.c.execute("SELECT squad.shifts_extend()")
        calls = w.one("SELECT pg_stat_get_xact_function_calls('squad.local_shift'::regproc)")
    assert calls == 2 * 16, "from yesterday to policy.shift_days ahead"


@pytest.mark.parametrize("days, starts, ends, outcome", [
    ([1, 1], ["08:00", "11:00"], ["12:00", "16:00"], "overlap"), ([1, 1], ["08:00", "08:00"], ["12:00", "10:00"], "overlap"),
    ([2, 1], ["05:00", "22:00"], ["13:00", "06:00"], "overlap"), ([7, 1], ["22:00", "05:00"], ["06:00", "13:00"], "overlap"),
    ([3, 3], ["08:00", "20:00"], ["08:00", "21:00"], "overlap"),
    ([1, 1, 2], ["08:00", "12:00", "06:00"], ["12:00", "06:00", "08:00"], "changed"),
    ([7, 1], ["22:00", "06:00"], ["06:00", "14:00"], "changed"), ([1, 2], ["00:00", "00:00"], ["24:00", "24:00"], "changed")])
def test_times_of_a_week_that_overlap_are_refused(w, days, starts, ends, outcome):
    set_week = "SELECT squad.expert_pattern_set(%s, 'Europe/Madrid', %s, %s::time[], %s::time[], 'test')"
    assert w.one(set_week, 1, days, starts, ends) == outcome
    done = outcome == "changed"
    assert w.one("SELECT zone, schedule FROM squad.expert WHERE id = 1") == (("Europe/Madrid", "shifts") if done else ("UTC", "always"))
    assert w.one("SELECT count(*) FROM squad.shift_pattern") == (len(days) if done else 0)
    assert w.one(set_week, 99, days, starts, ends) == "missing"


@pytest.mark.parametrize("zone", ["Europe/Madird", "utc", "GMT+3", ""])
def test_a_week_in_an_unknown_zone_is_refused_and_changes_nothing(w, zone):
    week(w)
    assert w.one("SELECT squad.expert_pattern_set(1, %s, '{1}', '{09:00}', '{17:00}', 'test')", zone) == "unknown_zone"
    assert w.one("SELECT zone FROM squad.expert WHERE id = 1") == "UTC"
    assert w.one("SELECT count(*) FROM squad.shift_pattern") == 7


@pytest.mark.parametrize("sql, name", [
    ("UPDATE squad.expert SET zone = 'GMT+3' WHERE id = 1", "expert_zone"),
    ("UPDATE squad.expert SET status = 'asleep' WHERE id = 1", "expert_status_check"),
    ("UPDATE squad.expert SET home_lat = 40 WHERE id = 1", "expert_home"),
    ("INSERT INTO squad.expert_shift (expert_id, during) VALUES (1, '[2030-01-01 08:00Z,2030-01-01 16:00Z)'), "
     "(1, '[2030-01-01 15:00Z,2030-01-01 20:00Z)')", "expert_shift_overlap"),
    ("INSERT INTO squad.expert_shift (expert_id, during) VALUES (1, '[2030-01-01 08:00Z,)')", "expert_shift_during_check"),
    ("INSERT INTO squad.absence (expert_id, during) VALUES (1, 'empty')", "absence_during_check"),
    ("UPDATE squad.priority SET relax_3_s = 999999", "priority_relax_order"),
    ("DELETE FROM squad.priority WHERE priority = 3", "ticket_type_priority_fkey"),
    ("INSERT INTO squad.policy (one) VALUES (false)", "policy_one_check"),
    ("UPDATE squad.ticket_type SET objectives = '{luck}'", "ticket_type_objectives"),
    ("UPDATE squad.ticket_type_skill SET importance = 4", "ticket_type_skill_importance_check"),
    ("INSERT INTO squad.place VALUES ('28', 91, 0)", "place_lat_check"),
    ("UPDATE squad.expert_load SET timeouts = -1", "expert_load_timeouts_check")])
def test_a_wrong_rule_is_refused(w, sql, name):
    with pytest.raises(psycopg.errors.IntegrityError) as e:
        w.c.execute(sql)
    assert e.value.diag.constraint_name == name


def test_an_unknown_zone_is_refused_by_name(w):
    with pytest.raises(psycopg.Error, match='time zone "Europe/Atlantis" not recognized'):
        w.c.execute("UPDATE squad.expert SET zone = 'Europe/Atlantis' WHERE id = 1")


# presence

def test_going_offline_takes_offers_back_at_once_and_keeps_accepted_work(w):
    t, a, _ = w.offered()
    _, b, _ = w.offered()
    call(w, "offer_accept(%s, 1, 'ana')", b)
    before = w.seq()
    assert w.one("SELECT outcome, rescinded, keeps FROM squad.expert_status_set(1, 'offline', 'end of day', 'ana')") == ("changed", 1, 1)
    assert (state(w, a), state(w, b), ticket(w, t), w.load()) == ("rescinded", "accepted", "parked", 1)
    assert "squad.ticket.requeued.v1" in w.events(before)
    assert w.one("SELECT expert_id, state, why FROM rpt.orphaned") == (1, "accepted", "offline")
    assert call(w, "expert_status_set(1, 'offline', NULL, 'ana')") == "already"
    assert call(w, "expert_status_set(99, 'offline', NULL, 'ana')") == "missing"
    assert w.one("SELECT count(*) FROM squad.expert_event") == 1


def test_by_policy_accepted_work_goes_to_another_one_unless_begun(w):
    w.c.execute("UPDATE squad.policy SET off_work = 'requeue'")
    _, a, _ = w.offered()
    _, b, _ = w.offered()
    for x in (a, b):
        call(w, "offer_accept(%s, 1, 'ana')", x)
    call(w, "job_move(%s, 1, 'en_route', 'ana')", b)
    call(w, "expert_status_set(1, 'offline', NULL, 'ana')")
    assert (state(w, a), state(w, b), w.load()) == ("rescinded", "en_route", 1)


@pytest.mark.parametrize("off", ["UPDATE squad.expert SET active = false WHERE id = 1",
                                 "UPDATE squad.expert SET status = 'offline' WHERE id = 1",
                                 "INSERT INTO squad.absence (expert_id, during) VALUES (1, tstzrange(now(), NULL))"])
def test_the_net_takes_back_what_a_change_by_hand_left(w, off):
    t, a, _ = w.offered()
    rescind = "SELECT count(*) FROM squad.offers_rescind('{1,2,3}', 'test')"
    assert w.one(rescind) == 0
    w.c.execute(off)
    assert w.one(rescind) == 1
    assert (state(w, a), ticket(w, t), w.load()) == ("rescinded", "parked", 0)


@pytest.mark.parametrize("hold", HOLDS)
def test_the_net_leaves_what_somebody_holds_and_says_whose_it_is(w, hold):
    rescind = "SELECT ticket_id, expert_id FROM squad.offers_rescind('{1,2,3}', 'test') ORDER BY 2, 1"
    t, a, _ = w.offered()
    u, b, _ = w.offered(2)
    w.c.execute("UPDATE squad.expert SET status = 'offline' WHERE id IN (1, 2)")
    with w.db.connect() as c:
        c.execute("SET lock_timeout = '1s'")
        with w.c.transaction():
            w.c.execute(hold, {"ticket": t})
            assert c.execute(rescind).fetchall() == [(None, 1), (u, 2)]
            raise psycopg.Rollback
        assert (state(w, a), state(w, b)) == ("offered", "rescinded")
        assert c.execute(rescind).fetchall() == [(t, 1)]
    assert (state(w, a), ticket(w, t), w.load()) == ("rescinded", "parked", 0)


def test_going_offline_and_accepting_at_once(w):
    _, a, _ = w.offered()
    with w.c.transaction():
        call(w, "offer_accept(%s, 1, 'ana')", a)
        other = Beside(w, lambda c: call(w, "expert_status_set(1, 'offline', NULL, 'ana')", c=c))
    other.join()
    assert (other.result, state(w, a), w.load()) == ("changed", "accepted", 1)


def test_an_absence_that_begins_now_takes_offers_back_and_can_be_taken_back(w):
    _, a, _ = w.offered()
    n = w.one("SELECT squad.absence_add(1, now(), now() + interval '1 day', 'sick', 'boss')")
    assert state(w, a) == "rescinded"
    refused(w, "is absent")
    assert w.one("SELECT squad.absence_remove(%s, 'boss')", n) is True
    assert w.one("SELECT squad.absence_remove(%s, 'boss')", n) is False
    w.assign(w.parked(), 1)
    assert w.one("SELECT squad.absence_add(99, now(), NULL, 'sick', 'boss')") is None


def test_what_an_expert_is_given_while_he_goes_is_taken_back_with_its_ticket_locked(w):
    t, a, _ = w.offered()
    u = w.parked()
    with w.c.transaction():
        b, _ = w.assign(u)
        other = Beside(w, lambda c: c.execute("SELECT squad.absence_add(1, now(), NULL, 'sick', 'boss')").fetchone())
    other.join()
    assert other.error is None
    assert (state(w, a), ticket(w, t)) == ("rescinded", "parked")
    assert (state(w, b), ticket(w, u)) == ("reserved", "assigned"), "nobody had locked its ticket"
    assert w.c.execute("SELECT ticket_id FROM squad.offers_rescind('{1}', 'test')").fetchall() == [(u,)]
    assert (state(w, b), ticket(w, u), w.load()) == ("rescinded", "parked", 0)


# skills, areas, capacity, position

def test_skills_and_areas_are_replaced_and_each_change_is_a_new_version(w):
    version = w.one("SELECT version FROM squad.expert WHERE id = 1")
    assert w.one("SELECT squad.expert_skills_set(1, '{net,tv}', '{2,5}', 'boss')") == "changed"
    assert w.c.execute("SELECT skill, level FROM squad.expert_skill WHERE expert_id = 1 ORDER BY 1").fetchall() == [("net", 2), ("tv", 5)]
    assert w.one("SELECT squad.expert_areas_set(1, '{41}', 'boss')") == "changed"
    refused(w, "does not serve the area")
    assert w.one("SELECT version FROM squad.expert WHERE id = 1") > version
    assert w.one("SELECT squad.expert_skills_set(1, '{juggling}', '{2}', 'boss')") == "unknown_skill"
    assert w.one("SELECT squad.expert_skills_set(99, '{}', '{}', 'boss')") == "missing"
    assert w.one("SELECT squad.expert_areas_set(99, '{}', 'boss')") == "missing"
    assert w.one("SELECT detail FROM squad.expert_event WHERE kind = 'skills'") == {"from": {"tv": 3}, "to": {"net": 2, "tv": 5}}


def test_capacity_does_not_go_below_what_is_held(w):
    w.offered()
    w.offered()
    assert [w.one("SELECT squad.expert_capacity_set(1, %s, 'boss')", n) for n in (1, 2, 3)] == ["below_load", "changed", "changed"]
    assert w.one("SELECT squad.expert_capacity_set(99, 1, 'boss')") == "missing"


def test_an_older_position_changes_nothing_and_a_position_is_no_new_version(w):
    version = w.one("SELECT version FROM squad.expert WHERE id = 1")
    put = "SELECT squad.expert_location_set(%s, %s, %s, %s::timestamptz[])"
    assert w.one(put, [1, 2, 99], [40.0, 41.0, 42.0], [-3.0] * 3, ["2026-01-01 10:00Z"] * 3) == 2, "one is nobody"
    assert w.one(put, [1, 1], [50.0, 51.0], [-3.0] * 2, ["2026-01-01 09:00Z", "2026-01-01 11:00Z"]) == 1
    assert w.one(put, [1], [60.0], [-3.0], ["2026-01-01 10:30Z"]) == 0
    assert w.one("SELECT lat FROM squad.expert_location WHERE expert_id = 1") == 51.0
    assert w.one("SELECT version FROM squad.expert WHERE id = 1") == version


# waiting_for: the best waiting tickets of an expert

def waiting_for(w, expert, free=1):
    """By the kinds an expert can serve, and by looking at the first few: the same tickets."""
    found = [r[0] for r in w.c.execute("SELECT ticket_id FROM squad.waiting_for(%s, %s)", ([expert], [free]))]
    for look in (1, 2, 300):
        best = w.c.execute("SELECT ticket_id FROM squad.waiting_best(%s, %s, %s)", ([expert], [free], look)).fetchall()
        assert [r[0] for r in best] == found, look
    return found


def test_the_best_waiting_ticket_is_past_due_then_by_priority_then_the_oldest(w):
    a, b, c, d = w.parked(), w.parked(area="28999"), w.parked(), w.parked()
    w.c.execute("UPDATE squad.dispatch SET assign_due = created_at + interval '4 h'")
    assert waiting_for(w, 1, 9) == [a, b, c, d]
    w.c.execute("UPDATE squad.dispatch SET priority = 1 WHERE ticket_id = %s", (c,))
    assert waiting_for(w, 1, 2) == [c, a]
    w.c.execute("UPDATE squad.dispatch SET assign_due = now() - interval '1 s' WHERE ticket_id = %s", (d,))
    assert waiting_for(w, 1, 3) == [d, c, a]
    assert waiting_for(w, 2, 9) == [d, c, a], "28999 is not his"
    assert waiting_for(w, 3) == [] and waiting_for(w, 4) == []


def test_waiting_tickets_are_for_whom_every_filter_lets_through(w):
    t = w.parked()
    w.c.execute("INSERT INTO squad.exclusion VALUES (%s, 1, now() + interval '1 h', 'declined')", (t,))
    assert waiting_for(w, 1) == [] and waiting_for(w, 2) == [t]
    w.c.execute("UPDATE squad.exclusion SET until = now() - interval '1 s'")
    assert waiting_for(w, 1) == [t]
    for off, on in (("UPDATE squad.expert SET status = 'busy'", "UPDATE squad.expert SET status = 'available'"),
                    ("UPDATE squad.expert SET schedule = 'shifts'", "UPDATE squad.expert SET schedule = 'always'"),
                    ("INSERT INTO squad.absence (expert_id, during) VALUES (1, tstzrange(now(), NULL))", "DELETE FROM squad.absence"),
                    ("UPDATE squad.expert_skill SET level = 1", "UPDATE squad.ticket_type_skill SET importance = 3; "
                     "UPDATE squad.priority SET relax_3_s = 0")):
        w.c.execute(off)
        assert waiting_for(w, 1) == [], off
        w.c.execute(on)
        assert waiting_for(w, 1) == [t], on
