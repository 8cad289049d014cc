"""The values of a sale: what was ordered, and a booking as it is shown. Money is `Decimal` beside its ISO
4217 currency."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from flights.public import FlightView


@dataclass(frozen=True)
class PassengerView:
    """`type` is adult, child or infant; an infant travels on a lap, without a seat."""

    given_name: str
    family_name: str
    type: str


@dataclass(frozen=True)
class SeatWish:
    """A seat number ("12A") for the passenger of that index, on one flight of the order."""

    flight_id: str
    passenger: int
    seat: str


@dataclass(frozen=True)
class Order:
    """What a traveller asks for. `fares`: one a flight, or None for the cheapest open one of `cabin` on each;
    `one_fare_for_all` where they were given as one. `passengers` None: the account's holder."""

    user_pk: int
    flight_ids: tuple[str, ...]
    payment_method: str
    cabin: str
    fares: tuple[str, ...] | None = None
    one_fare_for_all: bool = False
    passengers: tuple[PassengerView, ...] | None = None
    seats: tuple[SeatWish, ...] = ()
    expected_price: Decimal | None = None
    payment_token: str = ""


@dataclass(frozen=True)
class SegmentView:
    """One flight of a booking at the conditions it was sold at. `coupons`: each passenger's price, in their
    order; `seats`: seat numbers by passenger's index; `seats_claimed`: what was taken from the cabin's
    counter."""

    flight: FlightView
    cabin: str
    fare: str
    refundable: bool
    change_fee: Decimal | None
    coupons: tuple[Decimal, ...]
    seats: dict[int, str]
    seats_claimed: int

    @property
    def price(self) -> Decimal:
        return sum(self.coupons, Decimal(0))


@dataclass(frozen=True)
class PaymentView:
    state: str
    amount: Decimal
    currency: str
    created_at: dt.datetime


@dataclass(frozen=True)
class RefundView:
    state: str
    amount: Decimal
    reason: str
    created_at: dt.datetime


@dataclass(frozen=True)
class BookingView:
    """A booking in full. `total` is the sum of its coupons; `payment_due_by` is set while it is held."""

    booking_id: str
    record_locator: str
    user_pk: int
    status: str
    total: Decimal
    currency: str
    payment_method: str
    payment_due_by: dt.datetime | None
    created_at: dt.datetime
    passengers: tuple[PassengerView, ...]
    segments: tuple[SegmentView, ...]
    payments: tuple[PaymentView, ...] = ()
    refunds: tuple[RefundView, ...] = ()


@dataclass(frozen=True)
class BookingLine:
    """A booking as its user's list shows it. `departure` is the first flight's, as scheduled."""

    key: int
    booking_id: str
    record_locator: str
    status: str
    total: Decimal
    currency: str
    flight_ids: tuple[str, ...]
    departure: dt.datetime


@dataclass(frozen=True)
class CancelledView:
    """What a cancellation brings back; 0 where nothing does. `reason` names the term that decides (see
    `terms`)."""

    booking_id: str
    status: str
    refund: Decimal
    currency: str
    reason: str


@dataclass(frozen=True)
class Backlog:
    """What waits for the worker, counted. `overdue`: a minute after its time, or at all for a hold."""

    payments_open: int
    payments_overdue: int
    refunds_open: int
    refunds_failed: int
    holds_overdue: int
