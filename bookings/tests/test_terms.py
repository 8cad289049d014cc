"""The rules of cancellation, as data."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from bookings.models import BookingStatus
from bookings.pricing import coupon_price
from bookings.states import BOOKING_TRANSITIONS, PAYMENT_TRANSITIONS, State
from bookings.terms import NO_RULE, RULES, Entitlement, Facts, FlightFacts, Rule, entitlement

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def facts(*flights: FlightFacts, booked: dt.timedelta = 3 * DAY, departs: dt.timedelta = 10 * DAY) -> Facts:
    """Booked so long ago, departing so long from now."""
    return Facts(booked_at=NOW - booked, now=NOW, first_departure=NOW + departs, flights=flights)


def flight(price: str = "100.00", *, refundable: bool = False, cancelled: bool = False) -> FlightFacts:
    return FlightFacts(Decimal(price), refundable, cancelled)


def test_nothing() -> None:
    due = entitlement(facts(flight()))
    assert due == Entitlement(Decimal(0), (NO_RULE,))


def test_the_first_rule_that_holds_decides_flight_by_flight() -> None:
    due = entitlement(
        facts(flight("10.00", cancelled=True, refundable=True), flight("20.00", refundable=True), flight())
    )
    assert due == Entitlement(Decimal(30), ("flight_cancelled", "fare_refundable", NO_RULE))


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
    assert entitlement(facts(flight(), booked=booked, departs=departs)).amount == (100 if whole else 0)


def test_a_rule_has_its_days() -> None:
    old = Rule(
        code="old",
        source="a law",
        since=dt.date(2020, 1, 1),
        until=dt.date(2026, 2, 27),
        share=Decimal("0.5"),
    )
    booked_on_its_last_day, a_day_later = facts(flight("99.99"), booked=2 * DAY), facts(flight(), booked=DAY)

    assert entitlement(booked_on_its_last_day, [old]).amount == Decimal("50.00")
    assert entitlement(a_day_later, [old]).amount == 0


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


def test_every_state_has_its_transitions() -> None:
    assert set(BOOKING_TRANSITIONS) == set(BookingStatus)
    assert set(PAYMENT_TRANSITIONS) == set(State)
