"""A booking of two flights for three travellers with chosen seats: booked, changed, partly refunded by a
quote; the ledger shows each step."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest

from bookings.models import Booking, LedgerEntry
from bookings.public import settle_payments
from bookings.tests.factories import Traveller, available, check_books, leases_over, passengers
from flights.tests.factories import make_flight, make_seat_zones

pytestmark = pytest.mark.django_db


def posted(booking: Booking) -> list[tuple[str, int]]:
    """What was posted, in order; the books hold and balance after every step."""
    check_books()
    rows = LedgerEntry.objects.filter(booking=booking).order_by("pk")
    return [(row.event, int(row.amount)) for row in rows]


def balances(booking: Booking) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in LedgerEntry.objects.filter(booking=booking):
        found[row.debit] += row.amount
        found[row.credit] -= row.amount
    assert sum(found.values()) == 0
    return {account: amount for account, amount in found.items() if amount}


def settle() -> None:
    leases_over()
    settle_payments(limit=10)


def test_booked_changed_and_partly_refunded() -> None:
    traveller, out, back = Traveller(), make_flight(), make_flight(origin="LAX", destination="JFK")
    later = make_flight(origin="LAX", destination="JFK", base_price=Decimal("120.00"))
    make_seat_zones(out)
    seats = [
        {"flightId": flight.public_id, "passenger": index, "seat": f"16{letter}"}
        for flight in (out, back)
        for index, letter in enumerate("ABC")
    ]

    booking = traveller.booked(
        out, back, fares=["ELIGHT", "EFLEX"], passengers=passengers(3), seats=seats, expectedPrice=870
    )
    # 3 x 100 and 3 seats at 30 out, 3 x 160 back
    assert posted(booking) == [("authorised", 870)]
    settle()
    assert posted(booking)[1:] == [("captured", 870)]

    quote = traveller.quote_change(booking, back, later).json()
    assert quote["amountDue"] == 96  # 3 x (192 - 160), the fare takes no fee
    assert traveller.change(booking, quoteId=quote["quoteId"]).status_code == 200
    assert posted(booking)[2:] == [("authorised", 96)]
    assert traveller.choose(booking, later, {0: "20A", 1: "20B", 2: "20C"}).json()["amountPaid"] == 0

    body = {"bookingId": booking.public_id, "passengers": [2]}
    quote = traveller.post("/cancellation-quotes", body).json()
    assert quote["refund"]["amount"] == 192  # of the refundable fare; the other one gives nothing back
    body = {"bookingId": booking.public_id, "quoteId": quote["quoteId"]}
    assert traveller.post("/cancel-booking", body).status_code == 200
    events = posted(booking)[3:]
    # The later payment is not captured yet: it is let go of, and the rest comes back of the first one.
    assert events == [("refund_due", 96), ("refund_due", 96)]

    settle()
    assert sorted(posted(booking)[5:]) == [("refunded", 96), ("voided", 96)]
    assert balances(booking) == {"captured": 774, "sales": -774}
    assert [available(flight) for flight in (out, back, later)] == [98, 100, 98]
