"""What a traveller is entitled to when the airline cancels or moves a flight: dated rules with their source.

All rules that hold are stated, each with its right; several may give the same one. Rules are data: a new law
is a new row, an old one gets its last day. Distances are the great circle of the disrupted flight alone: a
booking does not say which of its flights are one journey.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

REFUND, REBOOKING, COMPENSATION = "refund", "rebooking", "compensation"
CANCELLED, MOVED = "cancelled", "moved"  # as `Disruption.Kind`
_EVER = dt.date(1, 1, 1)
_HOUR, _FORTNIGHT = dt.timedelta(hours=1), dt.timedelta(days=14)
_OVER_AN_HOUR = dt.timedelta(hours=1, minutes=1)

UNITED_STATES = frozenset({"US", "AS", "GU", "MP", "PR", "VI"})
# The Union with its outermost regions, the EEA, and Switzerland by the agreement of 1999 on air transport:
# https://europa.eu/youreurope/citizens/travel/passenger-rights/air/index_en.htm
_MEMBERS = (
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK "
    "GF GP MF MQ RE YT IS LI NO CH"
)
UNION = frozenset(_MEMBERS.split())
UNITED_KINGDOM = frozenset({"GB"})


@dataclass(frozen=True)
class Amounts:
    """A sum a traveller by distance: `within` one area at most the middle one, as Art. 7(1)(b) has it."""

    currency: str
    to_1500_km: Decimal
    to_3500_km: Decimal
    beyond: Decimal
    caps_inside: bool = True

    def of(self, kilometres: int, *, inside: bool) -> Decimal:
        if kilometres <= 1500:  # noqa: PLR2004 - the article's own number
            return self.to_1500_km
        if kilometres <= 3500 or (inside and self.caps_inside):  # noqa: PLR2004 - likewise
            return self.to_3500_km
        return self.beyond


@dataclass(frozen=True)
class Rule:
    """Gives `right` where every condition that it names holds.

    `kinds`: what happened. `touches`: the flight leaves from there, or leads there. `leaves_from`: it leaves
    from there, or leads there and the carrier is of one of `carriers`. `domestic`: both ends in `touches`, or
    not both. `earlier`: it leaves earlier by at least so much than was sold, or (`later`) arrives later, or
    (`leaves_later`) leaves later; any of those named is enough. `notice_under`: told less than so long before
    the departure that was sold. `since` and `until` bound the day on which it happened.
    """

    code: str
    source: str
    right: str
    kinds: frozenset[str]
    since: dt.date = _EVER
    until: dt.date | None = None
    touches: frozenset[str] | None = None
    domestic: bool | None = None
    leaves_from: frozenset[str] | None = None
    carriers: frozenset[str] = frozenset()
    earlier: dt.timedelta | None = None
    later: dt.timedelta | None = None
    leaves_later: dt.timedelta | None = None
    notice_under: dt.timedelta | None = None
    amounts: Amounts | None = None


@dataclass(frozen=True)
class Facts:
    """What happened to a flight. `sold` and `now`: departure and arrival as they were sold, and as they are
    expected (of a cancelled flight: as sold). `told_at`: when the airline told. Countries as `Route` has
    them."""

    kind: str
    told_at: dt.datetime
    sold: tuple[dt.datetime, dt.datetime]
    now: tuple[dt.datetime, dt.datetime]
    origin_country: str
    destination_country: str
    carrier_country: str
    kilometres: int | None


@dataclass(frozen=True)
class Right:
    """One rule that holds. `per_traveller`: the compensation, None for a right of another kind."""

    code: str
    right: str
    source: str
    per_traveller: Decimal | None = None
    currency: str = ""


_BOTH = frozenset({CANCELLED, MOVED})
_EU = "Regulation (EC) No 261/2004"
_UK = "Regulation (EC) No 261/2004 as retained by the UK (SI 2019/278)"
_US = "49 U.S.C. 42305; 14 CFR 260.2, 260.6"
_EXCEPTION = "; none where the airline proves extraordinary circumstances, Art. 5(3)"
_EUROS = Amounts("EUR", Decimal(250), Decimal(400), Decimal(600))
_POUNDS = Amounts("GBP", Decimal(220), Decimal(350), Decimal(520), caps_inside=False)
_EU_FROM, _UK_FROM = dt.date(2005, 2, 17), dt.date(2021, 1, 1)


def _european(prefix: str, law: str, area: frozenset[str], since: dt.date, amounts: Amounts) -> list[Rule]:
    """The regulation's rules in one of the two areas that have it."""
    carriers = UNION | UNITED_KINGDOM if prefix == "uk" else UNION  # the UK's also binds EU carriers inbound

    def rule(code: str, article: str, right: str, kind: str, **conditions: object) -> Rule:
        return Rule(
            code=f"{prefix}_{code}",
            source=f"{law}, {article}",
            right=right,
            kinds=frozenset({kind}),
            since=since,
            leaves_from=area,
            carriers=carriers,
            **conditions,  # type: ignore[arg-type]  # checked where a Rule is made: an unknown name fails the import
        )

    advanced = "Art. 2(l) and 5 with CJEU C-146/20: more than an hour early is a cancellation"
    late = "Art. 7 with CJEU C-402/07 and C-581/10: three hours late is as a cancellation"
    soon = {"earlier": _OVER_AN_HOUR}
    paid = {"notice_under": _FORTNIGHT, "amounts": amounts}
    return [
        rule("cancelled_refund", "Art. 5(1)(a), 8(1)(a)", REFUND, CANCELLED),
        rule("cancelled_rebooking", "Art. 5(1)(a), 8(1)(b)", REBOOKING, CANCELLED),
        rule("cancelled_compensation", f"Art. 5(1)(c), 7{_EXCEPTION}", COMPENSATION, CANCELLED, **paid),
        rule("advanced_refund", advanced, REFUND, MOVED, **soon),
        rule(
            "advanced_compensation", advanced + _EXCEPTION, COMPENSATION, MOVED, earlier=_OVER_AN_HOUR, **paid
        ),
        rule("late_refund", "Art. 6(1)(iii), 8(1)(a)", REFUND, MOVED, leaves_later=5 * _HOUR),
        rule("late_compensation", late + _EXCEPTION, COMPENSATION, MOVED, later=3 * _HOUR, **paid),
    ]


RULES: Sequence[Rule] = (
    Rule(
        code="us_cancelled_refund",
        source=f"{_US}(a): cancelled, and no alternative accepted",
        right=REFUND,
        kinds=frozenset({CANCELLED}),
        since=dt.date(2024, 5, 16),
        touches=UNITED_STATES,
    ),
    Rule(
        code="us_moved_domestic_refund",
        source=f"{_US}(b): three hours or more within the United States",
        right=REFUND,
        kinds=frozenset({MOVED}),
        since=dt.date(2024, 5, 16),
        touches=UNITED_STATES,
        domestic=True,
        earlier=3 * _HOUR,
        later=3 * _HOUR,
    ),
    Rule(
        code="us_moved_international_refund",
        source=f"{_US}(b): six hours or more to or from the United States",
        right=REFUND,
        kinds=frozenset({MOVED}),
        since=dt.date(2024, 5, 16),
        touches=UNITED_STATES,
        domestic=False,
        earlier=6 * _HOUR,
        later=6 * _HOUR,
    ),
    *_european("eu", _EU, UNION, _EU_FROM, _EUROS),
    *_european("uk", _UK, UNITED_KINGDOM, _UK_FROM, _POUNDS),
    Rule(
        code="own_cancelled_refund",
        source="this airline's conditions: what it cancels itself it gives back whole, wherever it flies",
        right=REFUND,
        kinds=frozenset({CANCELLED}),
    ),
    Rule(
        code="own_rebooking",
        source="this airline's conditions: free of charge to another of its flights on that route",
        right=REBOOKING,
        kinds=frozenset({CANCELLED}),
    ),
    Rule(
        code="own_moved_rebooking",
        source="this airline's conditions: likewise where it moves a flight by an hour or more",
        right=REBOOKING,
        kinds=frozenset({MOVED}),
        earlier=_HOUR,
        later=_HOUR,
        leaves_later=_HOUR,
    ),
)


def entitled(facts: Facts, rules: Sequence[Rule] = RULES) -> tuple[Right, ...]:
    """All that holds, in the order of the rules."""
    return tuple(_right(rule, facts) for rule in rules if _holds(rule, facts))


def _right(rule: Rule, facts: Facts) -> Right:
    if rule.amounts is None or facts.kilometres is None:
        return Right(rule.code, rule.right, rule.source)
    area = rule.leaves_from or frozenset()
    inside = {facts.origin_country, facts.destination_country} <= area
    amount = rule.amounts.of(facts.kilometres, inside=inside)
    return Right(rule.code, rule.right, rule.source, amount, rule.amounts.currency)


def _holds(rule: Rule, facts: Facts) -> bool:
    notice = facts.sold[0] - facts.told_at
    return (
        facts.kind in rule.kinds
        and rule.since <= facts.told_at.date() <= (rule.until or dt.date.max)
        and _is_there(rule, facts)
        and _is_far_enough(rule, facts)
        and (rule.notice_under is None or notice < rule.notice_under)
    )


def _is_there(rule: Rule, facts: Facts) -> bool:
    ends = {facts.origin_country, facts.destination_country}
    if rule.touches is not None and not ends & rule.touches:
        return False
    if rule.domestic is not None and (ends <= (rule.touches or ends)) != rule.domestic:
        return False
    if rule.leaves_from is None:
        return True
    inbound = facts.destination_country in rule.leaves_from and facts.carrier_country in rule.carriers
    return facts.origin_country in rule.leaves_from or inbound


def _is_far_enough(rule: Rule, facts: Facts) -> bool:
    (departure, arrival), (leaves, arrives) = facts.sold, facts.now
    shifts = [
        (rule.earlier, departure - leaves),
        (rule.later, arrives - arrival),
        (rule.leaves_later, leaves - departure),
    ]
    asked = [(least, shift) for least, shift in shifts if least is not None]
    return not asked or any(shift >= least for least, shift in asked)
