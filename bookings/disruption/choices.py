"""What a disruption lets a traveller do, and how it ends. Asked and written inside the transactions of the
operations, which hold the booking's row."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet
from django.db.models.functions import Now

from bookings.disruption.rules import REBOOKING, REFUND
from bookings.models import Booking, Disruption
from flights.public import FlightStatus, flights

State, Kind = Disruption.State, Disruption.Kind
_REASONS = {Kind.CANCELLED.value: "flight_cancelled", Kind.MOVED.value: "flight_moved"}


def free_change_reason(booking: Booking, flight_pk: int) -> str | None:
    """``flight_cancelled`` or ``flight_moved``, where that lets the booking leave this flight for another
    free of charge; None where it must pay."""
    current = flights([flight_pk])
    if flight_pk in current and current[flight_pk].status == FlightStatus.CANCELLED:
        return _REASONS[Kind.CANCELLED.value]
    for row in _open(booking).filter(flight_id=flight_pk, kind=Kind.MOVED):
        if _gives(row, REBOOKING):
            return _REASONS[row.kind]
    return None


def significantly_moved(booking: Booking) -> frozenset[int]:
    """The flights of the booking that were moved so far that cancelling gives all of it back."""
    rows = _open(booking).filter(kind=Kind.MOVED)
    return frozenset(row.flight_id for row in rows if _gives(row, REFUND))


def settle(booking: Booking, state: Disruption.State, *, flight_pks: Collection[int] | None = None) -> None:
    """Ends what is open of the booking, or of these flights of it: it was refunded, rebooked, or kept."""
    rows = _open(booking)
    if flight_pks is not None:
        rows = rows.filter(flight_id__in=flight_pks)
    rows.update(state=state, settled_at=Now(), choice_until=None)


def _open(booking: Booking) -> QuerySet[Disruption]:
    return Disruption.objects.filter(booking=booking, state=State.OPEN)


def _gives(row: Disruption, right: str) -> bool:
    return any(entitlement["right"] == right for entitlement in row.entitlements)
