"""What comes back when a booking is cancelled: dated rules with their legal source, judged flight by flight.

The first rule that holds decides for a flight. Rules are data: a new law is a new row, an old one gets its
last day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Rule:
    """Gives back `share` of a flight's price where every condition that it names holds.

    `within`: at most so long after booking; `ahead`: booked at least so long before the booking's first
    departure. `since` and `until` bound the day of booking.
    """

    code: str
    source: str
    since: dt.date
    until: dt.date | None = None
    flight_cancelled: bool = False
    fare_refundable: bool = False
    within: dt.timedelta | None = None
    ahead: dt.timedelta | None = None
    share: Decimal = Decimal(1)


RULES: Sequence[Rule] = (
    Rule(
        code="flight_cancelled",
        source="49 U.S.C. 42305(a); 14 CFR 260.6(a): the airline cancelled, the whole fare is due",
        since=dt.date(2024, 5, 16),
        flight_cancelled=True,
    ),
    Rule(
        code="fare_refundable",
        source="the fare's own conditions",
        since=dt.date(1, 1, 1),
        fare_refundable=True,
    ),
    Rule(
        code="within_24_hours",
        source="14 CFR 259.5(b)(4): no penalty within 24 hours, where booked a week or more ahead",
        since=dt.date(2011, 8, 23),
        within=dt.timedelta(hours=24),
        ahead=dt.timedelta(days=7),
    ),
)
NO_RULE = "fare_not_refundable"


@dataclass(frozen=True)
class FlightFacts:
    price: Decimal
    refundable: bool
    cancelled_by_airline: bool


@dataclass(frozen=True)
class Facts:
    """All instants by the database's clock; `first_departure` as scheduled."""

    booked_at: dt.datetime
    now: dt.datetime
    first_departure: dt.datetime
    flights: Sequence[FlightFacts]


@dataclass(frozen=True)
class Entitlement:
    """`codes`: the rule of each flight, in their order, or `NO_RULE`."""

    amount: Decimal
    codes: tuple[str, ...]


def entitlement(facts: Facts, rules: Sequence[Rule] = RULES) -> Entitlement:
    """What a paid booking brings back if it is cancelled now."""
    deciding = [
        next((rule for rule in rules if _holds(rule, facts, flight)), None) for flight in facts.flights
    ]
    amounts = [
        (flight.price * rule.share).quantize(Decimal("0.01")) if rule else Decimal(0)
        for flight, rule in zip(facts.flights, deciding, strict=True)
    ]
    return Entitlement(sum(amounts, Decimal(0)), tuple(rule.code if rule else NO_RULE for rule in deciding))


def _holds(rule: Rule, facts: Facts, flight: FlightFacts) -> bool:
    booked_on = facts.booked_at.date()
    return (
        rule.since <= booked_on <= (rule.until or dt.date.max)
        and (flight.cancelled_by_airline or not rule.flight_cancelled)
        and (flight.refundable or not rule.fare_refundable)
        and (rule.within is None or facts.now - facts.booked_at <= rule.within)
        and (rule.ahead is None or facts.first_departure - facts.booked_at >= rule.ahead)
    )
