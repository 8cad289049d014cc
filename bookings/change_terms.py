"""What changing a flight of a booking costs: dated rules with their source; the first that holds decides.

A traveller's new coupon takes the place of the old one, at its value. Where the new fare is dearer, the
difference is collected; where it is cheaper, what is left over comes back, or is forfeited: then the new
coupon carries the old value (an even exchange). What is no law but the custom of the trade says so in its
source.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

_EVER = dt.date(1, 1, 1)


@dataclass(frozen=True)
class ChangeRule:
    """Allows a change where every condition that it names holds, and says what it does to the money.

    `since` and `until` bound the day of booking. `disruption`: what the airline did to the old flight, whose
    alternative is one between the same airports in the same cabin. `charges_fee`: the fare's change fee, of
    each traveller with a seat. `collects` and `returns` the difference of the fares; `returns_charges`: what
    was paid for seat numbers of the old flight; `keeps_conditions`: the new segment keeps the conditions that
    the old one was sold at.
    """

    code: str
    source: str
    since: dt.date = _EVER
    until: dt.date | None = None
    unpaid: bool = False
    disruption: str = ""
    fare_changeable: bool = False
    fare_refundable: bool = False
    charges_fee: bool = False
    collects: bool = True
    returns: bool = False
    returns_charges: bool = False
    keeps_conditions: bool = False


_ALTERNATIVE = (
    "14 CFR 260.2 and 260.6(b): alternative transportation in place of the refund; Regulation (EC) 261/2004, "
    "Art. 8(1)(b): re-routing under comparable transport conditions; 14 CFR 260.4(a) for what was to be done "
    "on board. Nothing is collected, and nothing is left over"
)
RULES: Sequence[ChangeRule] = (
    ChangeRule(
        code="not_paid",
        source="custom of the trade: what is not ticketed yet is priced anew, without a penalty",
        unpaid=True,
        returns=True,
    ),
    ChangeRule(
        code="flight_cancelled",
        source=_ALTERNATIVE,
        since=dt.date(2024, 5, 16),
        disruption="flight_cancelled",
        collects=False,
        returns_charges=True,
        keeps_conditions=True,
    ),
    ChangeRule(
        code="flight_moved",
        source=_ALTERNATIVE,
        since=dt.date(2024, 10, 28),
        disruption="flight_moved",
        collects=False,
        returns_charges=True,
        keeps_conditions=True,
    ),
    ChangeRule(
        code="fare_refundable",
        source="the fare's own conditions: what is left over of a refundable fare goes back",
        fare_changeable=True,
        fare_refundable=True,
        charges_fee=True,
        returns=True,
    ),
    ChangeRule(
        code="fare_changeable",
        source="the fare's own conditions: the difference of the fares and the penalty "
        "(https://developer.sabre.com/node/1623); by custom of the trade what is left over of a "
        "fare that is not refundable is forfeited",
        fare_changeable=True,
        charges_fee=True,
    ),
)


@dataclass(frozen=True)
class ChangeFacts:
    """`disruption`: the code of what lets the traveller leave the old flight for this new one; None where
    nothing does. `change_fee` None: the fare cannot be changed."""

    booked_on: dt.date
    is_paid: bool
    disruption: str | None
    change_fee: Decimal | None
    refundable: bool


def deciding_rule(facts: ChangeFacts, rules: Sequence[ChangeRule] = RULES) -> ChangeRule | None:
    """None: the booking can't be changed so."""
    return next((rule for rule in rules if _holds(rule, facts)), None)


def new_value(rule: ChangeRule, *, old: Decimal, new: Decimal) -> Decimal:
    """What the new coupon carries, out of the old one's value and the new fare. What it has more was
    collected, what it has less comes back."""
    if new >= old:
        return new if rule.collects else old
    return new if rule.returns else old


def fee(rule: ChangeRule, *, change_fee: Decimal | None, has_seat: bool) -> Decimal:
    """One traveller's. An infant on a lap pays none: custom of the trade."""
    return change_fee if rule.charges_fee and has_seat and change_fee is not None else Decimal(0)


def _holds(rule: ChangeRule, facts: ChangeFacts) -> bool:
    return (
        rule.since <= facts.booked_on <= (rule.until or dt.date.max)
        and rule.unpaid is not facts.is_paid
        and rule.disruption in ("", facts.disruption)
        and (facts.change_fee is not None or not rule.fare_changeable)
        and (facts.refundable or not rule.fare_refundable)
    )
