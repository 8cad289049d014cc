"""The rules of cancellation, as data."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from bookings.pricing import coupon_price
from bookings.terms import (
    CHARGE_KEPT,
    NO_RULE,
    RULES,
    Facts,
    FlightFacts,
    Rule,
    comes_back,
    judge,
    judge_charge,
    lapses_at,
)

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
KEPT, FLEXIBLE = FlightFacts(refundable=False), FlightFacts(refundable=True)
CANCELLED = FlightFacts(refundable=False, cancelled_by_airline=True)
MOVED = FlightFacts(refundable=False, significantly_moved=True)


def facts(*flights: FlightFacts, booked: dt.timedelta = 3 * DAY, departs: dt.timedelta = 10 * DAY) -> Facts:
    """Booked so long ago, departing so long from now."""
    return Facts(booked_at=NOW - booked, now=NOW, first_departure=NOW + departs, flights=flights)


def codes(
    *flights: FlightFacts, booked: dt.timedelta = 3 * DAY, departs: dt.timedelta = 10 * DAY
) -> list[str]:
    return [rule.code for rule in judge(facts(*flights, booked=booked, departs=departs))]


def test_a_fare_has_its_own_conditions_flight_by_flight() -> None:
    assert codes(KEPT, FLEXIBLE) == ["fare_not_refundable", "fare_refundable"]


@pytest.mark.parametrize(("doing", "code"), [(CANCELLED, "flight_cancelled"), (MOVED, "flight_moved")])
def test_what_the_airline_does_frees_of_the_whole_contract(doing: FlightFacts, code: str) -> None:
    assert codes(KEPT, doing, FLEXIBLE) == [code] * 3
    assert {judge_charge(kind, judge(facts(KEPT, doing))).code for kind in ("seat", "change_fee")} == {code}


def test_charges() -> None:
    within_a_day, later = judge(facts(FLEXIBLE, booked=DAY)), judge(facts(FLEXIBLE))

    assert judge_charge("seat", within_a_day).code == "within_24_hours"
    assert judge_charge("change_fee", within_a_day) == CHARGE_KEPT
    assert judge_charge("seat", later) == judge_charge("seat", ()) == CHARGE_KEPT
    assert comes_back(Decimal(30), CHARGE_KEPT) == 0


@pytest.mark.parametrize(
    ("booked", "departs", "whole"),
    [
        (DAY, 6 * DAY, True),
        (DAY + dt.timedelta(seconds=1), 6 * DAY, False),
        (DAY, 6 * DAY - dt.timedelta(seconds=1), False),
        (dt.timedelta(0), 7 * DAY, True),
        (dt.timedelta(0), 7 * DAY - dt.timedelta(seconds=1), False),
    ],
)
def test_the_24_hours(booked: dt.timedelta, departs: dt.timedelta, whole: bool) -> None:
    expected = "within_24_hours" if whole else "fare_not_refundable"
    assert codes(KEPT, booked=booked, departs=departs) == [expected]


def test_the_24_hours_lapse() -> None:
    known = facts(KEPT, FLEXIBLE, booked=DAY / 2)
    [first, _] = judge(known)

    assert lapses_at(first, known) == NOW + DAY / 2
    assert lapses_at(judge(facts(FLEXIBLE))[0], known) is None


def test_a_rule_has_its_days() -> None:
    old = Rule(
        code="old",
        source="a law",
        since=dt.date(2020, 1, 1),
        until=dt.date(2026, 2, 27),
        share=Decimal("0.5"),
    )

    assert judge(facts(KEPT, booked=2 * DAY), [old]) == (old,)
    assert judge(facts(KEPT, booked=DAY), [old]) == (NO_RULE,)
    assert comes_back(Decimal("99.99"), old) == Decimal("50.00")


def test_each_rule_has_a_source() -> None:
    assert all(rule.source for rule in RULES)
    assert len({rule.code for rule in RULES}) == len(RULES)


def test_the_factors_of_passengers() -> None:
    price = Decimal("99.99")
    assert [coupon_price(price, kind) for kind in ("adult", "child", "infant")] == [
        Decimal("99.99"),
        Decimal("74.99"),
        Decimal("10.00"),
    ]
