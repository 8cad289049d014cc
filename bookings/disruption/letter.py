"""The letter about a disruption: what happened, what the traveller may do, and by which law."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bookings.disruption.rules import COMPENSATION, REBOOKING, REFUND
from bookings.models import BookingStatus, Disruption
from bookings.types import BookingView
from flights.public import FlightView

Times = tuple[dt.datetime, dt.datetime]


def subject(row: Disruption, flight: FlightView) -> str:
    """What happened, in a line."""
    happened = "is cancelled" if row.kind == Disruption.Kind.CANCELLED else "leaves at another time"
    return f"Your flight {flight.flight_number} {happened}"


def text(
    booking: BookingView,
    row: Disruption,
    flight: FlightView,
    *,
    sold: Times,
    expected: Times,
    back: Decimal | None,
) -> str:
    """`back`: what is on its way back already; None where the traveller has a choice."""
    lines = [_happened(row, flight, sold, expected)]
    if back is not None:
        lines.append(sent_back(booking, back))
    elif row.choice_until is not None:
        until = f"{row.choice_until.astimezone(dt.UTC):%a %d %b %Y %H:%M} UTC"
        lines.append(
            f"Until {until} you may change to another flight free of charge; after that all that is unused "
            "is refunded."
        )
    lines += [_right(entitlement) for entitlement in row.entitlements if _is_told(entitlement, back)]
    return "\n".join(lines)


def _happened(row: Disruption, flight: FlightView, sold: Times, expected: Times) -> str:
    if row.kind == Disruption.Kind.CANCELLED:
        why = f" ({flight.reason})" if flight.reason else ""
        return f"{flight.flight_number} of {_local(sold[0], flight.origin_time_zone)} is cancelled{why}."
    leaves, arrives = (
        _local(expected[0], flight.origin_time_zone),
        _local(expected[1], flight.destination_time_zone),
    )
    was = _local(sold[0], flight.origin_time_zone)
    if expected == sold:
        return f"{flight.flight_number} leaves as it was sold after all: {was}."
    return f"{flight.flight_number} leaves {leaves} and arrives {arrives}; it was sold for {was}."


def sent_back(booking: BookingView, back: Decimal) -> str:
    """What is on its way back."""
    if booking.status == BookingStatus.HELD:
        return "Your hold has ended. Nothing had been paid."
    return f"{back:.2f} {booking.currency} go back to the card that paid: all that is unused."


def _is_told(entitlement: dict[str, Any], back: Decimal | None) -> bool:
    """A refund that is under way, and with it the choice of another flight, is told of above."""
    return entitlement["right"] == COMPENSATION or back is None


def _right(entitlement: dict[str, Any]) -> str:
    money = f"{entitlement['amount']} {entitlement['currency']}" if "amount" in entitlement else "an amount"
    words = {
        REFUND: f"You may cancel and get {money} back",
        REBOOKING: "You may change to another flight of ours on this route free of charge",
        COMPENSATION: f"You may claim {money} in compensation",
    }
    return f"- {words[entitlement['right']]} ({entitlement['source']})."


def _local(moment: dt.datetime, time_zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(time_zone)):%a %d %b %Y %H:%M}"
