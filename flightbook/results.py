"""A found flight as the first page shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from flights.public import FareOffer, FoundFlight

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
_FEW = 9


@dataclass(frozen=True)
class Result:
    """`fares` are those of the cabin searched for, in the order of their price.

    `leaves` and `arrives` are local times of day, ready to show: a template would turn them to its own zone.
    """

    flight: FoundFlight
    leaves: str
    arrives: str
    duration: str
    days_later: int
    price: str
    fares: list[tuple[FareOffer, str, str]]

    @property
    def seats(self) -> str:
        left = self.flight.seats_left
        if left > _FEW:
            return f"{left} seats left"
        return f"Only {left} {'seat' if left == 1 else 'seats'} left"

    @property
    def few_seats(self) -> bool:
        return self.flight.seats_left <= _FEW


def results(found: Iterable[FoundFlight], cabin: str) -> list[Result]:
    return [_result(flight, cabin) for flight in found]


def _result(flight: FoundFlight, cabin: str) -> Result:
    fares = sorted((fare for fare in flight.fares if fare.cabin == cabin), key=lambda fare: fare.price)
    return Result(
        flight=flight,
        leaves=f"{flight.departure_local:%H:%M}",
        arrives=f"{flight.arrival_local:%H:%M}",
        duration=duration(flight.duration_minutes),
        days_later=(flight.arrival_local.date() - flight.departure_local.date()) // dt.timedelta(days=1),
        price=money(flight.price, flight.currency),
        fares=[(fare, money(fare.price, fare.currency), _conditions(fare)) for fare in fares],
    )


def duration(minutes: int) -> str:
    """``6 h 20 min``, ``45 min``."""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"


def money(amount: Decimal, currency: str) -> str:
    """``$129.50``; a currency without a symbol of its own as ``129.50 CHF``."""
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{amount:,.2f}" if symbol else f"{amount:,.2f} {currency}"


def _conditions(fare: FareOffer) -> str:
    """What a traveller asks of a fare: is the money given back, and what does a change cost?"""
    if fare.change_fee is None:
        change = "no changes"
    elif fare.change_fee == 0:
        change = "free changes"
    else:
        change = f"changes for {money(fare.change_fee, fare.currency)}"
    return f"{'refundable' if fare.refundable else 'no refund'}, {change}"
