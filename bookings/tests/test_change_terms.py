"""What a change costs by the rules: all cases, without a database."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from bookings.change_terms import RULES, ChangeFacts, ChangeRule, deciding_rule, fee, new_value

TODAY = dt.date(2026, 11, 22)
FACTS = ChangeFacts(booked_on=TODAY, is_paid=True, disruption=None, change_fee=Decimal(75), refundable=False)


def rule(code: str) -> ChangeRule:
    return next(rule for rule in RULES if rule.code == code)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (FACTS, "fare_changeable"),
        (replace(FACTS, refundable=True), "fare_refundable"),
        (replace(FACTS, change_fee=None), None),
        (replace(FACTS, change_fee=None, refundable=True), None),
        (replace(FACTS, change_fee=None, is_paid=False), "not_paid"),
        (replace(FACTS, change_fee=None, disruption="flight_cancelled"), "flight_cancelled"),
        (replace(FACTS, refundable=True, disruption="flight_moved"), "flight_moved"),
        (replace(FACTS, disruption="flight_moved", booked_on=dt.date(2024, 10, 1)), "fare_changeable"),
        (replace(FACTS, disruption="flight_cancelled", is_paid=False), "not_paid"),
    ],
)
def test_the_first_rule_that_holds(facts: ChangeFacts, code: str | None) -> None:
    found = deciding_rule(facts)

    assert (found.code if found else None) == code


def test_a_rule_ends_with_its_last_day() -> None:
    old = replace(rule("fare_changeable"), until=TODAY - dt.timedelta(days=1))

    assert deciding_rule(FACTS, [old]) is None
    assert deciding_rule(replace(FACTS, booked_on=old.until or TODAY), [old]) == old


@pytest.mark.parametrize(
    ("code", "dearer", "cheaper"),
    [
        ("not_paid", 120, 80),
        ("flight_cancelled", 100, 100),
        ("flight_moved", 100, 100),
        ("fare_refundable", 120, 80),
        ("fare_changeable", 120, 100),
    ],
)
def test_what_the_new_coupon_carries(code: str, dearer: int, cheaper: int) -> None:
    values = [new_value(rule(code), old=Decimal(100), new=Decimal(new)) for new in (120, 80)]

    assert values == [dearer, cheaper]


def test_who_pays_the_fee() -> None:
    seventy_five = Decimal(75)
    assert fee(rule("fare_changeable"), change_fee=seventy_five, has_seat=True) == 75
    assert fee(rule("fare_changeable"), change_fee=seventy_five, has_seat=False) == 0
    assert fee(rule("flight_cancelled"), change_fee=seventy_five, has_seat=True) == 0
    assert fee(rule("not_paid"), change_fee=seventy_five, has_seat=True) == 0


def test_every_rule_says_where_it_stands() -> None:
    assert all(rule.source for rule in RULES)
