"""The values of a sale: what was ordered, and a booking as it is shown. Money is `Decimal` beside its ISO
4217 currency."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from flights.public import FlightView


@dataclass(frozen=True)
class PassengerView:
    """`type` is adult, child or infant; an infant travels on a lap, without a seat. `is_cancelled`: this one
    alone flies no more."""

    given_name: str
    family_name: str
    type: str
    is_cancelled: bool = False


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
class CouponView:
    """One passenger's part of a segment. `passenger` is an index of the booking's; without a ticket (not paid
    yet) `ticket_number` is empty."""

    passenger: int
    price: Decimal
    status: str = "Open"
    refunded: Decimal = Decimal(0)
    ticket_number: str = ""
    coupon_number: int | None = None


@dataclass(frozen=True)
class ChargeView:
    """A fee or an ancillary service, paid beside the fares."""

    kind: str
    amount: Decimal
    refunded: Decimal
    detail: str
    flight_id: str | None
    passenger: int | None


@dataclass(frozen=True)
class SegmentView:
    """One flight of a booking at the conditions it was sold at. `coupons` in the order of their passengers;
    `seats`: seat numbers by passenger's index; `seats_claimed`: what is taken from the cabin's counter while
    it is Booked. `key` is the row's, for the operations; 0 where it has none yet."""

    flight: FlightView
    cabin: str
    fare: str
    refundable: bool
    change_fee: Decimal | None
    coupons: tuple[CouponView, ...]
    seats: dict[int, str]
    seats_claimed: int
    status: str = "Booked"
    key: int = 0

    @property
    def price(self) -> Decimal:
        return sum((coupon.price for coupon in self.coupons), Decimal(0))


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
    """A booking in full. `segments` are those that were not exchanged for others, in their order. `total` is
    the sum of their coupons and of the charges: refunds stand beside it. `payment_due_by` is set while it is
    held."""

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
    charges: tuple[ChargeView, ...] = ()
    version: int = 1


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
