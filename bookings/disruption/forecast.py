"""What cancelling or moving a flight would do to its bookings: a dry run for staff, which writes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bookings.clock import database_now
from bookings.disruption.entitlements import Event, entitlements
from bookings.disruption.rules import CANCELLED, COMPENSATION, MOVED, REBOOKING, REFUND
from bookings.models import BookingStatus
from bookings.queries import bookings_on_flight
from bookings.types import BookingView
from flights.public import FlightView, flight, route, schedules


@dataclass(frozen=True)
class Affected:
    """One booking. `rights`: the codes of what it would be entitled to."""

    booking_id: str
    record_locator: str
    status: str
    travellers: int
    rights: tuple[str, ...]
    refund: Decimal
    currency: str


@dataclass(frozen=True)
class Forecast:
    """`refunds` and `compensation` by currency: at most so much, if everybody entitled to it takes it; a
    cancellation refunds by itself. `may_rebook`: bookings that may change free of charge."""

    flight: FlightView
    kind: str
    bookings: tuple[Affected, ...]
    travellers: int
    refunds: dict[str, Decimal]
    compensation: dict[str, Decimal]
    may_rebook: int


def forecast(
    *, flight_pk: int, departure: dt.datetime | None = None, arrival: dt.datetime | None = None
) -> Forecast:
    """For a cancellation, or for the new schedule where one is given (`departure` alone keeps the duration).

    Raises:
        NotFound: there is no such flight.
    """
    event = _event(flight_pk, departure, arrival)
    bookings = bookings_on_flight(flight_pk)
    rights = [entitlements(event, booking, event.told_at) for booking in bookings]
    affected = [_affected(event, *pair) for pair in zip(bookings, rights, strict=True)]
    return Forecast(
        flight=event.flight,
        kind=event.kind,
        bookings=tuple(affected),
        travellers=sum(row.travellers for row in affected),
        refunds=_sums([{"amount": row.refund, "currency": row.currency} for row in affected]),
        compensation=_sums(_greatest(own) for own in rights),
        may_rebook=sum(any(right["right"] == REBOOKING for right in own) for own in rights),
    )


def _event(flight_pk: int, departure: dt.datetime | None, arrival: dt.datetime | None) -> Event:
    view = flight(flight_pk)
    leaves = departure or view.departure
    arrives = arrival or view.arrival + (leaves - view.departure)
    return Event(
        kind=CANCELLED if departure is None and arrival is None else MOVED,
        flight=view,
        sequence=view.sequence + 1,
        is_rescheduled=departure is not None or arrival is not None,
        told_at=database_now(),
        expected=(leaves, arrives),
        route=route(flight_pk),
        schedules=schedules(flight_pk),
    )


def _affected(event: Event, booking: BookingView, rights: list[dict[str, Any]]) -> Affected:
    refunds = [Decimal(right["amount"]) for right in rights if right["right"] == REFUND]
    return Affected(
        booking_id=booking.booking_id,
        record_locator=booking.record_locator,
        status=booking.status,
        travellers=sum(not person.is_cancelled for person in booking.passengers),
        rights=tuple(right["code"] for right in rights),
        refund=max(refunds, default=Decimal(0)) if booking.status != BookingStatus.HELD else Decimal(0),
        currency=booking.currency,
    )


def _greatest(rights: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several compensations one is paid."""
    paid = [right for right in rights if right["right"] == COMPENSATION and "amount" in right]
    return max(paid, key=lambda right: Decimal(right["amount"]), default={})


def _sums(sums: Iterable[dict[str, Any]]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for entry in sums:
        if entry and Decimal(entry["amount"]):
            totals[entry["currency"]] = totals.get(entry["currency"], Decimal(0)) + Decimal(entry["amount"])
    return totals
