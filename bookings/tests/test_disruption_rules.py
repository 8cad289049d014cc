"""Which law gives what: the table of rules, case by case."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bookings.disruption.rules import CANCELLED, MOVED, Facts, entitled

SOLD = dt.datetime(2026, 12, 20, 12, tzinfo=dt.UTC), dt.datetime(2026, 12, 20, 18, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def facts(kind: str = CANCELLED, *, later: float = 0, days: float = 30, **route: Any) -> Facts:
    """Within the United States, told `days` ahead, moved by `later` hours."""
    shift = later * HOUR
    values: dict[str, Any] = {
        "origin_country": "US",
        "destination_country": "US",
        "carrier_country": "US",
    } | route
    return Facts(
        kind=kind,
        told_at=SOLD[0] - dt.timedelta(days=days),
        sold=SOLD,
        now=(SOLD[0] + shift, SOLD[1] + shift),
        kilometres=values.pop("kilometres", 3983),
        **values,
    )


def codes(found: Facts) -> list[str]:
    return [right.code for right in entitled(found)]


def paid(found: Facts) -> list[tuple[Decimal | None, str]]:
    return [(right.per_traveller, right.currency) for right in entitled(found) if right.currency]


def test_within_the_united_states() -> None:
    assert codes(facts()) == ["us_cancelled_refund", "own_cancelled_refund", "own_rebooking"]
    assert codes(facts(MOVED, later=3)) == ["us_moved_domestic_refund", "own_moved_rebooking"]
    assert codes(facts(MOVED, later=-3)) == ["us_moved_domestic_refund", "own_moved_rebooking"]
    assert codes(facts(MOVED, later=2.9)) == ["own_moved_rebooking"]
    assert codes(facts(MOVED, later=0.9)) == []


def test_to_and_from_the_united_states_it_takes_six_hours() -> None:
    abroad = facts(MOVED, later=5.9, destination_country="JP")
    assert codes(abroad) == ["own_moved_rebooking"]
    assert codes(facts(MOVED, later=6, destination_country="JP")) == [
        "us_moved_international_refund",
        "own_moved_rebooking",
    ]


def test_before_the_law_there_was_none() -> None:
    old = replace(facts(), told_at=dt.datetime(2024, 5, 15, tzinfo=dt.UTC))
    assert codes(old) == ["own_cancelled_refund", "own_rebooking"]


@pytest.mark.parametrize(
    ("kilometres", "destination", "euros"),
    [(1500, "US", 250), (1501, "US", 400), (3500, "US", 400), (3501, "US", 600), (3501, "FR", 400)],
)
def test_european_compensation_goes_by_distance(kilometres: int, destination: str, euros: int) -> None:
    found = facts(days=13, origin_country="DE", destination_country=destination, kilometres=kilometres)
    assert paid(found) == [(Decimal(euros), "EUR")]


def test_european_compensation_takes_short_notice() -> None:
    route: dict[str, Any] = {"origin_country": "FR", "destination_country": "US"}
    assert "eu_cancelled_compensation" in codes(facts(days=13.9, **route))
    assert "eu_cancelled_compensation" not in codes(facts(days=14, **route))


def test_inbound_the_regulation_binds_its_own_carriers() -> None:
    inbound: dict[str, Any] = {"origin_country": "US", "destination_country": "DE"}
    assert not paid(facts(days=1, **inbound))
    assert paid(facts(days=1, carrier_country="FR", **inbound)) == [(Decimal(600), "EUR")]


def test_moved_in_europe() -> None:
    route: dict[str, Any] = {
        "days": 1,
        "origin_country": "IT",
        "destination_country": "ES",
        "kilometres": 1300,
    }
    assert codes(facts(MOVED, later=-1, **route)) == ["own_moved_rebooking"]
    assert codes(facts(MOVED, later=-1.1, **route)) == [
        "eu_advanced_refund",
        "eu_advanced_compensation",
        "own_moved_rebooking",
    ]
    assert codes(facts(MOVED, later=3, **route)) == ["eu_late_compensation", "own_moved_rebooking"]
    assert codes(facts(MOVED, later=5, **route)) == [
        "eu_late_refund",
        "eu_late_compensation",
        "own_moved_rebooking",
    ]


def test_the_united_kingdom_pays_in_pounds() -> None:
    found = facts(days=1, origin_country="GB", destination_country="US", kilometres=5540)
    assert paid(found) == [(Decimal(520), "GBP")]


def test_an_unknown_distance_states_the_right_without_its_sum() -> None:
    (right,) = [
        right
        for right in entitled(facts(days=1, origin_country="DE", kilometres=None))
        if right.right == "compensation"
    ]
    assert right.per_traveller is None
