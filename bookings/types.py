"""The values of a sale: what was ordered, and a booking as it is shown. Money is `Decimal` beside its ISO
4217 currency."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.public import Account
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
    `one_fare_for_all` where they were given as one. `passengers` None: the account's holder. `holder`: the
    account of `user_pk`, where it is at hand."""

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
    holder: Account | None = None


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
class DisruptionView:
    """What the airline did to a flight of a booking. `entitlements` as `disruption.entitlements` states
    them."""

    kind: str
    flight_id: str
    sequence: int
    state: str
    entitlements: list[dict[str, Any]]
    choice_until: dt.datetime | None
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
    disruptions: tuple[DisruptionView, ...] = ()


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
class CouponDue:
    """What comes back of one passenger's part of a flight, and by which rule (see `terms`). `key` is the
    row's."""

    key: int
    flight_id: str
    passenger: int
    price: Decimal
    refunded: Decimal
    rule: str
    source: str


@dataclass(frozen=True)
class ChargeDue:
    """What comes back of a fee or an ancillary service."""

    key: int
    kind: str
    detail: str
    flight_id: str | None
    passenger: int | None
    amount: Decimal
    refunded: Decimal
    rule: str
    source: str


@dataclass(frozen=True)
class Due:
    """What a cancellation brings back, piece by piece. `lapses_at`: until when it stays as much by the rules'
    own times."""

    coupons: tuple[CouponDue, ...]
    charges: tuple[ChargeDue, ...] = ()
    lapses_at: dt.datetime | None = None

    @property
    def amount(self) -> Decimal:
        return sum((piece.refunded for piece in self._pieces()), Decimal(0))

    @property
    def reason(self) -> str:
        """The rule by which money comes back; where none does, the one that says so."""
        giving = [piece.rule for piece in self._pieces() if piece.refunded]
        return (giving or [coupon.rule for coupon in self.coupons])[0]

    def _pieces(self) -> tuple[CouponDue | ChargeDue, ...]:
        return (*self.coupons, *self.charges)


@dataclass(frozen=True)
class CancelledView:
    """What a cancellation brings back; 0 where nothing does. `reason` names the term that decides (see
    `terms`). `passengers`: who was cancelled; `status`: the booking's, which lives on where somebody
    stays."""

    booking_id: str
    status: str
    refund: Decimal
    currency: str
    reason: str
    passengers: tuple[int, ...] = ()
    due: Due = Due(())


@dataclass(frozen=True)
class QuoteView:
    """What cancelling these passengers comes to until `expires_at`."""

    quote_id: str
    booking_id: str
    passengers: tuple[int, ...]
    currency: str
    due: Due
    expires_at: dt.datetime


@dataclass(frozen=True)
class Backlog:
    """What waits for the worker, counted. `overdue`: a minute after its time, or at all for a hold."""

    payments_open: int
    payments_overdue: int
    refunds_open: int
    refunds_failed: int
    holds_overdue: int


@dataclass(frozen=True)
class ChangeOrder:
    """A traveller wants another flight in place of a booked one: by a quote, or by naming the flights. Then
    `fare` and `cabin` None are those that are booked; a fare that has no seats left gives way to the
    cheapest. `expected_price`: what is to be paid now."""

    user_pk: int
    booking_id: str
    flight_id: str = ""
    new_flight_id: str = ""
    fare: str | None = None
    cabin: str | None = None
    quote_id: str | None = None
    expected_price: Decimal | None = None
    payment_method: str | None = None
    payment_token: str = ""


@dataclass(frozen=True)
class ChangePrice:
    """What a change comes to. `fare_difference`: of all travellers' coupons; `charges_back`: for seat numbers
    of the old flight. `amount_due` is to be paid now, or else `refund` comes back; a hold pays neither, its
    `total` changes. `reason`: the code of the rule (`change_terms`), `source` where it stands."""

    flight: FlightView
    new_flight: FlightView
    cabin: str
    fare: str
    unit_price: Decimal
    fare_difference: Decimal
    change_fee: Decimal
    charges_back: Decimal
    amount_due: Decimal
    refund: Decimal
    total: Decimal
    currency: str
    reason: str
    source: str


@dataclass(frozen=True)
class ChangeQuoteView:
    quote_id: str
    booking_id: str
    price: ChangePrice
    expires_at: dt.datetime


@dataclass(frozen=True)
class ChangedView:
    """A booking after a change, with what the change came to."""

    booking: BookingView
    price: ChangePrice


@dataclass(frozen=True)
class SeatOrder:
    """Seats for a booking that there is already. `expected_price`: what is to be paid now."""

    user_pk: int
    booking_id: str
    seats: tuple[SeatWish, ...]
    expected_price: Decimal | None = None
    payment_method: str | None = None
    payment_token: str = ""


@dataclass(frozen=True)
class SeatedView:
    """A booking after seats were chosen, and what was paid for them now."""

    booking: BookingView
    amount_paid: Decimal
