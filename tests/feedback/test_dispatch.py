"""Who gets it: rules, teams, turns, capacity, shifts (R16)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.core.models import StaffNotice, User
from apps.feedback.analysis import Reading
from apps.feedback.models import Category, Channel, DispatchCursor, DispatchRule, Feedback
from apps.feedback.selectors.home import load
from apps.feedback.selectors.reference import forget_reference, reference
from apps.feedback.services import moves
from apps.feedback.services.background import dispatch_waiting
from apps.shop.models import Department, Leave, StaffProfile, Team, TeamMember
from tests.factories import (
    NOW,
    Cast,
    FixedReader,
    arrive,
    at,
    case,
    make_profile,
    make_store,
    make_team,
    make_user,
    reading,
    take,
    told,
    verbs,
    voice,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def owners(count: int, grade: str = "A", **options: object) -> list[str | None]:
    """Who gets the next `count` cases that come one by one."""
    return [getattr(arrive(grade, **options).assignee, "username", None) for _ in range(count)]


def batch(count: int, grade: str = "A") -> list[str | None]:
    """Who gets `count` cases that come together."""
    outcomes = take(*(voice() for _ in range(count)), grade=grade)
    return [getattr(case(o.feedback_id).assignee, "username", None) for o in outcomes]


def set_profile(name: str, **values: object) -> None:
    StaffProfile.objects.filter(user__username=name).update(**values)
    forget_reference()


# -- turns ---------------------------------------------------------------------------------------------------
def test_turns_go_round_one_by_one_and_in_batches(cast: Cast) -> None:
    assert owners(3) == ["alice", "bob", "alice"]
    assert batch(3) == ["bob", "alice", "bob"]
    assert DispatchCursor.objects.get().last_user == cast.bob


def test_each_team_has_its_own_turn(cast: Cast) -> None:
    carol, dan = make_user("carol", "ops"), make_user("dan", "ops")
    make_team("safety", [carol, dan], skills=["SAFETY"])
    assert owners(1) == ["alice"] and owners(1, "S") == ["carol"]
    assert owners(1) == ["bob"] and owners(1, "S") == ["dan"]


def test_what_dispatch_did_is_in_the_log(cast: Cast) -> None:
    feedback = arrive()
    assert (feedback.status, feedback.assigned_at, feedback.claimed_at) == ("assigned", NOW, None)
    assert verbs(feedback) == ["dispatch"]


def test_the_full_get_nothing_more(cast: Cast) -> None:
    set_profile("alice", capacity=1)
    assert owners(4) == ["alice", "bob", "bob", "bob"]
    moves.close(feedback=Feedback.objects.get(assignee=cast.alice), by=cast.alice, now=NOW)
    assert owners(2) == ["alice", "bob"]


def test_capacity_counts_within_one_batch(cast: Cast) -> None:
    set_profile("alice", capacity=2)
    set_profile("bob", capacity=1)
    assert sorted(filter(None, batch(5))) == ["alice", "alice", "bob"]


def test_when_room_runs_out_it_is_b_that_waits(cast: Cast) -> None:
    set_profile("alice", capacity=1)
    set_profile("bob", capacity=0)

    class ByText(FixedReader):
        def read(self, text: str, *args: Any, **options: Any) -> Reading:
            return reading(text[0])

    reference().reader = ByText(reading("B"))  # type: ignore[assignment]
    b, a = take(voice("B 请问什么时候发货"), voice("A 送得太慢了不满意"))
    assert (case(b.feedback_id).assignee, case(a.feedback_id).assignee) == (None, cast.alice)


def test_s_goes_out_even_to_the_full(cast: Cast) -> None:
    set_profile("alice", capacity=0)
    set_profile("bob", capacity=0)
    assert owners(1) == [None]
    assert owners(2, "S") == ["alice", "bob"]


# -- who is here ---------------------------------------------------------------------------------------------
def test_the_away_the_gone_and_those_on_leave_are_passed_over(cast: Cast) -> None:
    cast.alice.is_away = True
    cast.alice.save()
    forget_reference()
    assert owners(2) == ["bob", "bob"]
    cast.alice.is_away = False
    cast.alice.save()
    # Far ahead, since the past is not read at all.
    day = at("2099-03-02 10:00")
    Leave.objects.create(user=cast.bob, first_day=day.date(), last_day=day.date() + timedelta(days=1))
    forget_reference()
    assert owners(2, now=day) == ["alice", "alice"]
    assert owners(2, now=day + timedelta(days=1)) == ["alice", "alice"]
    assert owners(2, now=day + timedelta(days=2)) == ["bob", "alice"]
    cast.alice.is_active = False
    cast.alice.save()
    forget_reference()
    assert owners(2, now=day + timedelta(days=2)) == ["bob", "bob"]


def test_shifts_decide_also_past_midnight(cast: Cast) -> None:
    set_profile("alice", shift=[{"days": [0, 1, 2, 3, 4], "from": "09:00", "to": "18:00"}])
    set_profile("bob", shift=[{"days": [2], "from": "18:00", "to": "02:00"}])
    found = {
        text: owners(1, now=at(text))[0]
        for text in (
            "11-18 08:59",
            "11-18 09:00",
            "11-18 17:59",
            "11-18 18:00",
            "11-19 01:59",
            "11-19 02:00",
            "11-21 10:00",
        )
    }
    assert found == {
        "11-18 08:59": None,
        "11-18 09:00": "alice",
        "11-18 17:59": "alice",
        "11-18 18:00": "bob",
        "11-19 01:59": "bob",
        "11-19 02:00": None,
        "11-21 10:00": None,
    }


def test_the_turn_goes_on_behind_somebody_who_went_off(cast: Cast) -> None:
    carol = make_user("carol", "ops")
    make_profile(carol, capacity=500)
    TeamMember.objects.create(team=cast.team, user=carol)
    forget_reference()
    assert owners(2) == ["alice", "bob"]
    cast.bob.is_away = True
    cast.bob.save()
    forget_reference()
    assert owners(3) == ["carol", "alice", "carol"]


# -- stand-ins -----------------------------------------------------------------------------------------------
# Far ahead, since leave that is over is not read at all.
DAY = at("2099-03-03 10:00")


def off(user: User, stand_in: User | None, days: int = 1) -> None:
    last = DAY.date() + timedelta(days=days - 1)
    Leave.objects.create(user=user, stand_in=stand_in, first_day=DAY.date(), last_day=last)
    forget_reference()


@pytest.fixture
def carol(cast: Cast) -> User:
    """Of no team."""
    carol = make_user("carol", "ops")
    make_profile(carol, capacity=500)
    forget_reference()
    return carol


def test_a_stand_in_of_no_team_gets_the_share_of_whoever_is_on_leave(cast: Cast, carol: User) -> None:
    off(cast.alice, carol)
    assert owners(4, now=DAY) == ["carol", "bob", "carol", "bob"]
    outcomes = take(*(voice() for _ in range(4)), grade="A", now=DAY)
    assert [case(o.feedback_id).assignee.username for o in outcomes] == ["carol", "bob", "carol", "bob"]
    # The turn is the place's, so it goes on where it was when its owner comes back.
    assert DispatchCursor.objects.get().last_user == cast.bob
    assert owners(2, now=DAY + timedelta(days=1)) == ["alice", "bob"]
    assert owners(2, now=DAY - timedelta(days=1)) == ["alice", "bob"]


def test_a_stand_in_from_the_team_gets_both_shares(cast: Cast, carol: User) -> None:
    TeamMember.objects.create(team=cast.team, user=carol)
    off(cast.alice, cast.bob)
    assert owners(6, now=DAY) == ["bob", "bob", "carol"] * 2


def test_a_lead_who_takes_no_work_does_as_a_stand_in(cast: Cast) -> None:
    off(cast.alice, cast.lin)
    assert owners(2, now=DAY) == ["lin", "bob"]


def test_capacity_and_shift_of_the_stand_in_hold(cast: Cast, carol: User) -> None:
    set_profile("carol", capacity=1, shift=[{"from": "09:00", "to": "18:00"}])
    off(cast.alice, carol)
    assert owners(3, now=DAY) == ["carol", "bob", "bob"]
    # S goes to the full, not to those at home.
    assert owners(2, "S", now=DAY) == ["carol", "bob"]
    assert owners(2, "S", now=DAY.replace(hour=20)) == ["bob", "bob"]


@pytest.mark.parametrize("why", ["away", "inactive", "on leave", "nobody"])
def test_a_stand_in_who_is_not_here_leaves_the_place_empty(cast: Cast, carol: User, why: str) -> None:
    off(cast.alice, None if why == "nobody" else carol)
    if why == "away":
        User.objects.filter(pk=carol.pk).update(is_away=True)
    elif why == "inactive":
        User.objects.filter(pk=carol.pk).update(is_active=False)
    elif why == "on leave":
        # Round in a circle: nobody is left.
        off(carol, cast.alice)
    forget_reference()
    assert owners(2, now=DAY) == ["bob", "bob"]


def test_stand_ins_of_stand_ins(cast: Cast, carol: User) -> None:
    off(cast.alice, cast.bob)
    off(cast.bob, carol)
    assert owners(2, now=DAY) == ["carol", "carol"]
    assert dispatch_waiting(now=DAY) == 0


def test_away_for_an_hour_has_no_stand_in(cast: Cast, carol: User) -> None:
    off(cast.alice, carol)
    User.objects.filter(pk=cast.alice.pk).update(is_away=True)
    forget_reference()
    assert owners(1, now=DAY - timedelta(days=1)) == ["bob"]


def test_the_load_card_shows_stand_ins(cast: Cast, carol: User) -> None:
    off(cast.alice, carol)
    arrive(now=DAY)
    bars = {bar["name"]: (bar["count"], bar["here"]) for bar in load(cast.lin, DAY)["bars"]}  # type: ignore[index]
    assert bars == {"Carol": (1, True), "Bob": (0, True), "Alice": (0, False)}


# -- an empty pool -------------------------------------------------------------------------------------------
def test_nobody_here_leaves_it_unassigned_with_one_alarm_an_hour(cast: Cast) -> None:
    TeamMember.objects.update(takes_work=True)
    for name in ("alice", "bob", "lin"):
        type(cast.alice).objects.filter(username=name).update(is_away=True)
    forget_reference()
    feedback = arrive()
    assert (feedback.status, feedback.assignee, feedback.team) == ("new", None, cast.team)
    arrive(now=NOW + timedelta(minutes=59))
    dispatch_waiting(now=NOW + timedelta(minutes=59))
    assert told(cast.lin) == 1
    arrive(now=NOW + HOUR)
    assert told(cast.lin) == 2
    assert set(StaffNotice.objects.values_list("recipient__username", flat=True)) == {"lin"}


def test_waiting_cases_are_given_out_when_the_shift_begins_most_urgent_first(cast: Cast) -> None:
    set_profile("alice", shift=[{"from": "09:00", "to": "18:00"}], capacity=2)
    set_profile("bob", shift=[{"from": "12:00", "to": "18:00"}])
    night = at("11-18 03:00")
    b, a = arrive("B", now=night), arrive("A", now=night)
    s = arrive("S", now=night)
    assert dispatch_waiting(now=at("11-18 08:59")) == 0
    assert dispatch_waiting(now=at("11-18 09:00")) == 2
    assert [case(f.pk).assignee for f in (s, a, b)] == [cast.alice, cast.alice, None]
    stored = case(s.pk)
    assert (stored.status, stored.assigned_at, verbs(stored)) == ("assigned", at("11-18 09:00"), ["dispatch"])
    assert dispatch_waiting(now=at("11-18 12:00")) == 1
    assert case(b.pk).assignee == cast.bob
    assert dispatch_waiting(now=at("11-18 12:00")) == 0


def test_what_came_before_there_was_a_team_finds_one(db: None) -> None:
    feedback = arrive()
    assert (feedback.team, feedback.assignee) == (None, None)
    assert dispatch_waiting(now=NOW) == 0
    alice = make_user("alice", "ops")
    team = make_team("care", [alice])
    assert dispatch_waiting(now=NOW) == 1
    stored = case(feedback.pk)
    assert (stored.team, stored.assignee, stored.status) == (team, alice, "assigned")


# -- which team ----------------------------------------------------------------------------------------------
@pytest.fixture
def teams(db: None) -> dict[str, Team]:
    """Teams of every kind, each of one person named like it."""
    renmin, nanjing = make_store("renmin"), make_store("nanjing")
    supply, quality = Department.objects.get(name="供应链"), Department.objects.get(name="质检品控")
    made = {}
    for code, values in {
        "general": {"department": Department.objects.get(name="运营部")},
        "supply": {"department": supply},
        "quality": {"department": quality},
        "delay": {"department": quality, "skills": ["LOGISTICS_DELAY"]},
        "renmin": {"department": supply, "stores": [renmin]},
        "nanjing-s": {"department": supply, "stores": [nanjing], "skills": ["SAFETY"]},
    }.items():
        made[code] = make_team(code, [make_user(code, "ops")], **values)
    return made


def test_skills_before_department_before_anybody_and_stores_before_all_stores(teams: dict[str, Team]) -> None:
    assert owners(1, "A") == ["delay"]
    assert owners(1, "S") == ["quality"]
    assert owners(1, "S", store="nanjing") == ["nanjing-s"]
    Team.objects.filter(code="delay").update(is_active=False)
    forget_reference()
    assert owners(1, "A") == ["supply"]
    assert owners(1, "A", store="renmin") == ["renmin"]
    assert owners(1, "A", store="nanjing") == ["supply"]
    # Questions belong to 客服部, which has no team here: the first team for everything takes them.
    assert owners(2, "B") == ["general", "general"]


def test_a_team_without_anybody_who_takes_work_is_none(teams: dict[str, Team]) -> None:
    TeamMember.objects.filter(team__code="delay").update(takes_work=False)
    forget_reference()
    assert owners(1, "A") == ["supply"]


def test_rules_win_by_position_and_need_all_their_conditions(teams: dict[str, Team]) -> None:
    logistics = Category.objects.get(code="LOGISTICS")
    jd = Channel.objects.get(code="jd")
    store = teams["renmin"].stores.get()
    rule = DispatchRule.objects.create
    rule(name="late", position=50, team=teams["general"], category=logistics)
    rule(name="off", position=1, team=teams["quality"], is_active=False)
    rule(name="jd and store", position=10, team=teams["quality"], channel=jd, store=store)
    rule(name="S", position=20, team=teams["supply"], tier="S")
    forget_reference()
    # By the parent category too; a rule with two conditions needs both.
    assert owners(1, "A") == ["general"]
    assert owners(1, "A", channel="jd") == ["general"]
    assert owners(1, "A", channel="jd", store="renmin") == ["quality"]
    assert owners(1, "S") == ["supply"]
    DispatchRule.objects.filter(name="late").update(position=5)
    forget_reference()
    assert owners(1, "A", channel="jd", store="renmin") == ["general"]


def test_a_rule_to_a_team_that_is_gone_is_passed_over(teams: dict[str, Team]) -> None:
    DispatchRule.objects.create(name="x", position=1, team=teams["renmin"], tier="A")
    Team.objects.filter(code="renmin").update(is_active=False)
    forget_reference()
    assert owners(1, "A") == ["delay"]
