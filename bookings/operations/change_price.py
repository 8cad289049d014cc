"""What a change comes to at this moment, by the rules of `change_terms`. It reads; `change` decides, by the
same function once more under the booking's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from bookings.change_terms import ChangeFacts, ChangeRule, deciding_rule, fee, new_value
from bookings.clock import database_now
from bookings.departures import check_flying, has_left
from bookings.disruption import free_change_reason
from bookings.models import Booking, BookingStatus, Charge, Coupon, Passenger, Segment
from bookings.pricing import coupon_price
from bookings.types import ChangeOrder, ChangePrice
from flightbook.errors import (
    AlreadyCancelled,
    FlightDeparted,
    HoldExpired,
    Invalid,
    NotChangeable,
    NotFound,
    SoldOut,
)
from flights.public import FareOffer, FlightView, SeatClaim, fare_offers, flights, parse_flight_id

_NOTHING = Decimal(0)


@dataclass(frozen=True)
class NewCoupon:
    """What takes the place of `coupon`, at `price`; `fee` is the traveller's for the change."""

    coupon: Coupon
    price: Decimal
    fee: Decimal


@dataclass(frozen=True)
class PricedChange:
    """A change with all that writing it takes: `segment` is the old one, `charges` those for seat numbers of
    it that still count."""

    booking: Booking
    segment: Segment
    offer: FareOffer
    rule: ChangeRule
    new_flight: FlightView
    coupons: tuple[NewCoupon, ...]
    charges: tuple[Charge, ...]
    price: ChangePrice

    @property
    def seats(self) -> int:
        return sum(new.coupon.passenger.type != Passenger.Type.INFANT for new in self.coupons)

    def claim(self) -> SeatClaim:
        return SeatClaim(self.new_flight.pk, self.offer.cabin, self.offer.code, self.seats, self.offer.price)


def price_change(booking: Booking, order: ChangeOrder) -> PricedChange:
    """The change that `order` asks for, at today's prices.

    Raises:
        NotFound: the booking has no such flight, or there is no such new one.
        Invalid: the same flight, one that is booked already, a fare that there is not, another currency.
        AlreadyCancelled, HoldExpired, NotChangeable: the booking or its fare does not allow it.
        FlightDeparted, FlightCancelled, SoldOut: with the `flightId`.
    """
    check_live(booking)
    segment = _segment(booking, parse_flight_id(order.flight_id))
    old_flight, new_flight = _flights(booking, segment, parse_flight_id(order.new_flight_id))
    coupons = tuple(segment.coupons.filter(status=Coupon.Status.OPEN).select_related("passenger"))
    offer = _offer(booking, order, segment, new_flight, len(_seated(coupons)))
    rule = _rule(booking, segment, old_flight, new_flight, offer)
    new = tuple(_new_coupon(coupon, segment, offer, rule) for coupon in coupons)
    charges = _seat_charges(segment) if rule.returns_charges or rule.unpaid else ()
    price = _price(booking, rule, old_flight, new_flight, offer, new, charges)
    return PricedChange(booking, segment, offer, rule, new_flight, new, charges, price)


def check_live(booking: Booking) -> None:
    """
    Raises:
        AlreadyCancelled; HoldExpired: by the database's clock.
    """
    if booking.status == BookingStatus.CANCELLED:
        raise AlreadyCancelled
    due_by = booking.payment_due_by if booking.status == BookingStatus.HELD else None
    if booking.status == BookingStatus.EXPIRED or (due_by is not None and due_by <= database_now()):
        raise HoldExpired


def _segment(booking: Booking, flight_pk: int) -> Segment:
    rows = list(booking.segments.filter(flight_id=flight_pk))
    if not rows:
        raise NotFound(detail="The booking has no such flight.")
    booked = [row for row in rows if row.status == Segment.Status.BOOKED]
    if not booked:
        raise NotChangeable(detail=f"That flight of the booking is {rows[-1].status.lower()} already.")
    return booked[0]


def _flights(booking: Booking, segment: Segment, new_pk: int) -> tuple[FlightView, FlightView]:
    found = flights([segment.flight_id, new_pk])
    if new_pk not in found:
        raise NotFound(detail="There is no such flight to change to.")
    if new_pk == segment.flight_id:
        raise Invalid.of("/newFlightId", "same", "That is the flight that is booked.")
    if booking.segments.filter(flight_id=new_pk, status=Segment.Status.BOOKED).exists():
        raise Invalid.of("/newFlightId", "duplicate", "The booking has that flight already.")
    old = found[segment.flight_id]
    if has_left(old, database_now()):
        raise FlightDeparted(extra={"flightId": old.flight_id})
    check_flying(found[new_pk])
    return old, found[new_pk]


def _seated(coupons: Sequence[Coupon]) -> list[Coupon]:
    return [coupon for coupon in coupons if coupon.passenger.type != Passenger.Type.INFANT]


def _offer(
    booking: Booking, order: ChangeOrder, segment: Segment, flight: FlightView, seats: int
) -> FareOffer:
    """Where none is named, the fare that is booked, as long as the new flight has seats in it; else the
    cheapest."""
    cabin = order.cabin or segment.cabin
    offers = fare_offers(flight_pk=flight.pk, cabin=cabin)
    if order.fare is not None:
        offers = [offer for offer in offers if offer.code == order.fare]
        if not offers:
            raise Invalid.of(
                "/fare", "unknown_fare", f"{cabin} of that flight has no open fare {order.fare}."
            )
    for offer in sorted(offers, key=lambda offer: offer.code != segment.fare):
        if offer.currency != booking.currency:
            raise Invalid.of("/newFlightId", "currencies_differ", f"It is sold in {offer.currency}.")
        if offer.seats_left >= seats:
            return offer
    raise SoldOut(extra={"flightId": flight.flight_id})


def _rule(
    booking: Booking, segment: Segment, old: FlightView, new: FlightView, offer: FareOffer
) -> ChangeRule:
    like_the_old = (old.origin, old.destination, segment.cabin) == (new.origin, new.destination, offer.cabin)
    rule = deciding_rule(
        ChangeFacts(
            booked_on=booking.created_at.date(),
            is_paid=booking.status == BookingStatus.CONFIRMED,
            disruption=free_change_reason(booking, old.pk) if like_the_old else None,
            change_fee=segment.change_fee,
            refundable=segment.refundable,
        )
    )
    if rule is None:
        raise NotChangeable(
            detail=f"Fare {segment.fare} cannot be changed.", extra={"flightId": old.flight_id}
        )
    return rule


def _new_coupon(coupon: Coupon, segment: Segment, offer: FareOffer, rule: ChangeRule) -> NewCoupon:
    traveller = coupon.passenger
    new = coupon_price(offer.price, traveller.type)
    has_seat = traveller.type != Passenger.Type.INFANT
    return NewCoupon(
        coupon=coupon,
        price=new_value(rule, old=coupon.price, new=new),
        fee=fee(rule, change_fee=segment.change_fee, has_seat=has_seat),
    )


def _seat_charges(segment: Segment) -> tuple[Charge, ...]:
    of_travellers = segment.charges.filter(kind=Charge.Kind.SEAT, passenger__cancelled_at__isnull=True)
    return tuple(of_travellers.order_by("pk"))


def _price(
    booking: Booking,
    rule: ChangeRule,
    old_flight: FlightView,
    new_flight: FlightView,
    offer: FareOffer,
    new: Sequence[NewCoupon],
    charges: Sequence[Charge],
) -> ChangePrice:
    difference = sum((it.price - it.coupon.price for it in new), _NOTHING)
    fees = sum((it.fee for it in new), _NOTHING)
    back = sum((charge.amount - charge.refunded for charge in charges), _NOTHING)
    amount = difference + fees - back if not rule.unpaid else _NOTHING
    return ChangePrice(
        flight=old_flight,
        new_flight=new_flight,
        cabin=offer.cabin,
        fare=offer.code,
        unit_price=offer.price,
        fare_difference=difference,
        change_fee=fees,
        charges_back=back,
        amount_due=max(amount, _NOTHING),
        refund=max(-amount, _NOTHING),
        # What is refunded of a charge stands beside the total; of a hold, which paid nothing, it is dropped.
        total=booking.total + difference + fees - (back if rule.unpaid else _NOTHING),
        currency=booking.currency,
        reason=rule.code,
        source=rule.source,
    )
