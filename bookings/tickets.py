"""Ticket numbers: one ticket a passenger, infants too, for up to four flights; more make a conjunction ticket
under a further number.

A number is thirteen digits: the accounting code of the carrier that issues it (three; the first flight's
airline stands for the validating carrier), then form and serial together (ten, from one sequence of the
database). The check digit stands beside the number: form and serial modulo 7 (IATA Resolution 722).

Public sources: the number is carrier code, form and serial without the check digit,
https://developer.cybersource.com/docs/cybs/en-us/api-fields/reference/all/so/api-fields/ancillary-data-ticket-number.html
and the check digit is the remainder modulo 7, https://reference.wolfram.com/explorer/RefGuide/Airlines.html
(carriers differ in whether their own code is counted in; here it is not).

A coupon gets its ticket when it is paid: a hold has none. A serial is drawn once, so that a sale which is
undone leaves a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from django.db import connection

from bookings.models import Booking, Coupon, Segment
from flights.public import flights

COUPONS_A_TICKET = 4
DRAW_SERIALS = "SELECT nextval('bookings_ticket_serial') FROM generate_series(1, %s)"


@dataclass(frozen=True)
class TicketCoupon:
    """One flight of a ticket. `number`: 13 digits; `coupon`: 1 to 4 within it."""

    number: str
    coupon: int | None
    check_digit: int | None


NO_TICKET = TicketCoupon("", None, None)  # of what is not paid yet


def tickets_needed(flights: int) -> int:
    """Tickets, and so serials, of one passenger for that many flights."""
    return -(-flights // COUPONS_A_TICKET)


def number_tickets(
    carrier: str, serials: Sequence[int], *, passengers: int, flights: int
) -> list[list[TicketCoupon]]:
    """The coupons of each passenger, flight by flight: ``[passenger][flight]``. Draws nothing: `serials` are
    ``passengers * tickets_needed(flights)`` values of the sequence, `carrier` is the accounting
    code (`FlightView.ticketing_code`) of the first flight."""
    each = tickets_needed(flights)
    return [
        _coupons(carrier, serials[passenger * each : (passenger + 1) * each], flights)
        for passenger in range(passengers)
    ]


def draw_tickets(carrier: str, *, passengers: int, flights: int) -> list[list[TicketCoupon]]:
    """`number_tickets` under new serials, drawn in one statement. Takes no lock that lasts."""
    serials = draw_serials(passengers * tickets_needed(flights))
    return number_tickets(carrier, serials, passengers=passengers, flights=flights)


def no_tickets(*, passengers: int, flights: int) -> list[list[TicketCoupon]]:
    """What a hold has in their place."""
    return [[NO_TICKET] * flights for _ in range(passengers)]


def draw_serials(count: int) -> list[int]:
    """New serials, rising."""
    with connection.cursor() as cursor:
        cursor.execute(DRAW_SERIALS, [count])
        return [serial for (serial,) in cursor.fetchall()]


def issue_tickets(booking: Booking) -> None:
    """Numbers the open coupons of a booking that have no ticket yet, in the order of passengers and flights.

    Inside the transaction in which they are paid, which holds the booking's row.
    """
    open_coupons = Coupon.objects.filter(
        segment__booking=booking, status=Coupon.Status.OPEN, ticket_number=""
    )
    by_passenger: dict[int, list[Coupon]] = {}
    for coupon in open_coupons.order_by("passenger__position", "segment__position"):
        by_passenger.setdefault(coupon.passenger_id, []).append(coupon)
    numbered, carrier = list(by_passenger.values()), _carrier(booking)
    serials = iter(draw_serials(sum(tickets_needed(len(coupons)) for coupons in numbered)))
    for coupons in numbered:
        own = list(islice(serials, tickets_needed(len(coupons))))
        for coupon, ticket in zip(coupons, _coupons(carrier, own, len(coupons)), strict=True):
            write_ticket(coupon, ticket)
    Coupon.objects.bulk_update(
        [coupon for coupons in numbered for coupon in coupons],
        ["ticket_number", "coupon_number", "check_digit"],
    )


def write_ticket(coupon: Coupon, ticket: TicketCoupon) -> None:
    """Not saved."""
    coupon.ticket_number, coupon.coupon_number = ticket.number, ticket.coupon
    coupon.check_digit = ticket.check_digit


def _coupons(carrier: str, serials: Sequence[int], flights: int) -> list[TicketCoupon]:
    return [
        TicketCoupon(f"{carrier}{serial:010}", index % COUPONS_A_TICKET + 1, serial % 7)
        for index in range(flights)
        for serial in [serials[index // COUPONS_A_TICKET]]
    ]


def _carrier(booking: Booking) -> str:
    first = booking.segments.filter(status=Segment.Status.BOOKED).order_by("position")[0].flight_id
    return flights([first])[first].ticketing_code
