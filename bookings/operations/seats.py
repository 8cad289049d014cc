"""Choosing seats of a booking that there is already, or others than were chosen; paid for as `collect` does
where the fare does not include the choice.

To a dearer row the difference is paid; a cheaper one gives nothing back, which is the custom of the trade.
Seat numbers are moved flight by flight, in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import F, QuerySet

from bookings import mails
from bookings.clock import database_now
from bookings.departures import check_flying, has_left
from bookings.idempotency import Promise
from bookings.models import Booking, BookingStatus, Charge, Passenger, PaymentAttempt, Segment
from bookings.operations.change_price import check_live
from bookings.operations.collect import attempt_for, check_due, collect, find_booking, lock_booking
from bookings.operations.sale import Authorised, take_payment
from bookings.queries import booking_in_full
from bookings.types import SeatedView, SeatOrder, SeatWish
from flightbook.errors import FieldError, FlightDeparted, Invalid
from flights.public import (
    FlightView,
    assigned_seats,
    flight_id,
    flights,
    has_seat_choice,
    move_seats,
    seat_prices,
)

_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Move:
    """A passenger takes a seat. `price`: what the seat costs them in all; `paid`: what they have paid for
    another one of the flight, or owe for it while it is held."""

    segment: Segment
    passenger: Passenger
    seat: str
    price: Decimal
    paid: Decimal

    @property
    def dearer(self) -> Decimal:
        return max(self.price - self.paid, _NOTHING)


def choose_seats(*, order: SeatOrder, promise: Promise) -> SeatedView:
    """Gives the passengers these seats, in place of those that they had: all or none.

    Raises:
        NotFound; Invalid: a flight, a passenger or a seat that there is not, or one twice.
        AlreadyCancelled, HoldExpired, FlightDeparted, FlightCancelled.
        SeatTaken: by another; PriceChanged: something else is due than was expected.
        What `collect` raises.
    """

    def begin() -> PaymentAttempt | None:
        booking = find_booking(order.user_pk, order.booking_id)
        due = _due(booking, _moves(booking, order.seats))
        check_due(due, expected=order.expected_price, currency=booking.currency)
        return attempt_for(
            promise, booking, amount=due, method=order.payment_method, token=order.payment_token
        )

    def write(payment: Authorised | None) -> SeatedView:
        booking = lock_booking(order.user_pk, order.booking_id)
        moves = _moves(booking, order.seats)
        authorised = _NOTHING if payment is None else payment.attempt.amount
        check_due(_due(booking, moves), expected=authorised, currency=booking.currency)
        return _write(booking, moves, payment, promise)

    return collect(promise, begin=begin, write=write)


def _write(
    booking: Booking, moves: Sequence[Move], payment: Authorised | None, promise: Promise
) -> SeatedView:
    """Inside the transaction that holds the key's row and the booking's."""
    if moves:
        charged = _write_charges(booking, moves)
        Booking.objects.filter(pk=booking.pk).update(total=F("total") + charged, version=F("version") + 1)
    if payment is not None:
        take_payment(booking, payment, promise)
    for segment in sorted({move.segment for move in moves}, key=lambda segment: segment.flight_id):
        move_seats(
            flight_pk=segment.flight_id,
            cabin=segment.cabin,
            holder=booking.public_id,
            seats={move.passenger.position: move.seat for move in moves if move.segment == segment},
        )
    after = booking_in_full(user_pk=booking.user_id, booking_id=booking.public_id)
    seated = SeatedView(after, _NOTHING if payment is None else payment.attempt.amount)
    promise.keep(seated)
    if moves:
        mails.tell_of_seats(seated)
    return seated


def _due(booking: Booking, moves: Sequence[Move]) -> Decimal:
    """What is to be paid now: nothing of a hold, whose total changes."""
    if booking.status == BookingStatus.HELD:
        return _NOTHING
    return sum((move.dearer for move in moves), _NOTHING)


def _write_charges(booking: Booking, moves: Sequence[Move]) -> Decimal:
    """Charges for the seats, and by how much they change the total. A hold's are written anew: nothing of
    them was paid."""
    if booking.status == BookingStatus.HELD:
        amounts = [(move, move.price) for move in moves]
        for move in moves:
            _charges(move.segment, move.passenger).delete()
    else:
        amounts = [(move, move.dearer) for move in moves]
    Charge.objects.bulk_create(
        Charge(
            booking=booking,
            segment=move.segment,
            passenger=move.passenger,
            kind=Charge.Kind.SEAT,
            amount=amount,
            detail=move.seat,
        )
        for move, amount in amounts
        if amount
    )
    dropped = [move.paid for move in moves] if booking.status == BookingStatus.HELD else []
    return sum((amount for _, amount in amounts), _NOTHING) - sum(dropped, _NOTHING)


def _charges(segment: Segment, passenger: Passenger) -> QuerySet[Charge]:
    return segment.charges.filter(passenger=passenger, kind=Charge.Kind.SEAT)


def _moves(booking: Booking, wishes: Sequence[SeatWish]) -> list[Move]:
    """The wishes that change anything, priced today."""
    check_live(booking)
    segments = _segments(booking)
    passengers = {row.position: row for row in booking.passengers.all()}
    faults = list(_faults(wishes, segments, passengers))
    if faults:
        raise Invalid(detail="Some seats are not valid.", errors=faults)
    _check_flying({wish.flight_id: segments[wish.flight_id].flight_id for wish in wishes})
    held = assigned_seats(holders=[booking.public_id])[booking.public_id]
    changing = [wish for wish in wishes if (_pk(segments, wish), wish.passenger, wish.seat) not in held]
    return [_move(segments[wish.flight_id], passengers[wish.passenger], wish.seat) for wish in changing]


def _pk(segments: Mapping[str, Segment], wish: SeatWish) -> int:
    return segments[wish.flight_id].flight_id


def _move(segment: Segment, passenger: Passenger, seat: str) -> Move:
    price = _NOTHING
    if not has_seat_choice(fare=segment.fare):
        prices = seat_prices(flight_pk=segment.flight_id, cabin=segment.cabin, seats=[seat])
        price = prices.get(seat, _NOTHING)
    paid = sum((charge.amount - charge.refunded for charge in _charges(segment, passenger)), _NOTHING)
    return Move(segment, passenger, seat, price, paid)


def _segments(booking: Booking) -> dict[str, Segment]:
    booked = booking.segments.filter(status=Segment.Status.BOOKED)
    return {flight_id(segment.flight_id): segment for segment in booked}


def _check_flying(pks: Mapping[str, int]) -> None:
    found: Mapping[int, FlightView] = flights(pks.values())
    now = database_now()
    for flight in found.values():
        check_flying(flight)
        if has_left(flight, now):
            raise FlightDeparted(extra={"flightId": flight.flight_id})


def _faults(
    wishes: Sequence[SeatWish], segments: Mapping[str, Segment], passengers: Mapping[int, Passenger]
) -> Iterator[FieldError]:
    seen: set[tuple[str, object]] = set()
    for index, wish in enumerate(wishes):
        if wish.flight_id not in segments:
            yield FieldError(f"/seats/{index}/flightId", "unknown", "That flight is not in this booking.")
        passenger = passengers.get(wish.passenger)
        if passenger is None or passenger.cancelled_at is not None:
            yield FieldError(f"/seats/{index}/passenger", "unknown", "There is no such passenger.")
        elif passenger.type == Passenger.Type.INFANT:
            yield FieldError(f"/seats/{index}/passenger", "infant", "An infant has no seat.")
        asked = {(wish.flight_id, wish.passenger), (wish.flight_id, wish.seat)}
        if asked & seen:
            yield FieldError(f"/seats/{index}", "duplicate", "A seat or a passenger stands twice.")
        seen |= asked
