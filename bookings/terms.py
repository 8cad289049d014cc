"""What comes back when a booking, or a traveller of it, is cancelled: dated rules with their source, judged
flight by flight.

The first rule that holds decides for a flight. Rules are data: a new law is a new row, an old one gets its
last day. What is no law but the custom of the trade says so in its source.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

SEAT, CHANGE_FEE = "seat", "change_fee"  # as `Charge.Kind`
_EVER = dt.date(1, 1, 1)
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Rule:
    """Gives back `share` of a flight's price, and the charges of those kinds in full, where every condition
    that it names holds.

    `airline_cancelled`, `significantly_moved`: any flight of the booking was. Its flights are one contract of
    carriage, so that the traveller is freed of all of it. `within`: at most so long after booking; `ahead`:
    booked at least so long before the booking's first departure. `since` and `until` bound the day of
    booking.
    """

    code: str
    source: str
    since: dt.date = _EVER
    until: dt.date | None = None
    airline_cancelled: bool = False
    significantly_moved: bool = False
    fare_refundable: bool = False
    within: dt.timedelta | None = None
    ahead: dt.timedelta | None = None
    share: Decimal = Decimal(1)
    charges: frozenset[str] = frozenset()


RULES: Sequence[Rule] = (
    Rule(
        code="flight_cancelled",
        source="49 U.S.C. 42305(a), with ancillary fees; 14 CFR 260.6(a); Regulation (EC) 261/2004, "
        "Art. 8(1)(a): the airline cancelled, the whole is due",
        since=dt.date(2024, 5, 16),
        airline_cancelled=True,
        charges=frozenset({SEAT, CHANGE_FEE}),
    ),
    Rule(
        code="flight_moved",
        source="49 U.S.C. 42305(a), with ancillary fees; 14 CFR 260.2 and 260.6(a): the airline changed the "
        "itinerary significantly, and the traveller does not accept that",
        since=dt.date(2024, 5, 16),
        significantly_moved=True,
        charges=frozenset({SEAT, CHANGE_FEE}),
    ),
    Rule(
        code="within_24_hours",
        source="14 CFR 259.5(b)(4): no penalty within 24 hours, where booked a week or more ahead",
        since=dt.date(2011, 8, 23),
        within=dt.timedelta(hours=24),
        ahead=dt.timedelta(days=7),
        charges=frozenset({SEAT}),
    ),
    Rule(code="fare_refundable", source="the fare's own conditions", fare_refundable=True),
)
NO_RULE = Rule(code="fare_not_refundable", source="the fare's own conditions", share=Decimal(0))
NOTHING_PAID = Rule(
    code="nothing_paid",
    source="a hold has not been paid",
    share=Decimal(0),
    charges=frozenset({SEAT, CHANGE_FEE}),
)
CHARGE_KEPT = Rule(
    code="charge_not_refundable",
    source="customary: a fee for a service or a change stays with the airline, unless it was the airline "
    "that let the traveller down, or no penalty may be taken",
    share=Decimal(0),
)


@dataclass(frozen=True)
class FlightFacts:
    refundable: bool
    cancelled_by_airline: bool = False
    significantly_moved: bool = False


@dataclass(frozen=True)
class Facts:
    """All instants by the database's clock; `first_departure` as scheduled, the earliest that the booking
    ever had. `flights`: those that still stand."""

    booked_at: dt.datetime
    now: dt.datetime
    first_departure: dt.datetime
    flights: Sequence[FlightFacts]


def judge(facts: Facts, rules: Sequence[Rule] = RULES) -> tuple[Rule, ...]:
    """The rule that decides for each flight of a paid booking, were it cancelled now; `NO_RULE` where none
    gives anything back."""
    return tuple(
        next((rule for rule in rules if _holds(rule, facts, flight)), NO_RULE) for flight in facts.flights
    )


def comes_back(price: Decimal, rule: Rule) -> Decimal:
    """The rule's share of a price, rounded half up to the cent."""
    return (price * rule.share).quantize(_CENT, ROUND_HALF_UP)


def judge_charge(kind: str, rules: Sequence[Rule]) -> Rule:
    """The rule that decides for a charge, out of those of the flights that it belongs to: it comes back
    whole, where each of them says so."""
    gives = rules and all(kind in rule.charges for rule in rules)
    return rules[0] if gives else CHARGE_KEPT


def lapses_at(rule: Rule, facts: Facts) -> dt.datetime | None:
    """Until when the rule goes on holding; None where time does not end it."""
    return None if rule.within is None else facts.booked_at + rule.within


def _holds(rule: Rule, facts: Facts, flight: FlightFacts) -> bool:
    booked_on = facts.booked_at.date()
    return (
        rule.since <= booked_on <= (rule.until or dt.date.max)
        and (not rule.airline_cancelled or any(each.cancelled_by_airline for each in facts.flights))
        and (not rule.significantly_moved or any(each.significantly_moved for each in facts.flights))
        and (flight.refundable or not rule.fare_refundable)
        and (rule.within is None or facts.now - facts.booked_at <= rule.within)
        and (rule.ahead is None or facts.first_departure - facts.booked_at >= rule.ahead)
    )
