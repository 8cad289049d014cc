"""What an order costs now, at which fares. A quote decides nothing: the claim repeats its prices (see
`operations.sale`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from accounts.public import Account, account
from bookings.departures import check_flying
from bookings.models import Passenger
from bookings.types import Order, PassengerView
from flightbook.errors import Invalid, NotFound, PriceChanged, SoldOut
from flights.public import (
    FareOffer,
    FlightView,
    SeatClaim,
    fare_offers,
    flights,
    parse_flight_id,
)

# The part of an adult's fare that a passenger pays. Customary, not law: carriers ask 67 to 100% for a child
# of 2 to 11 and 10% for an infant on a lap (the customary level of international fare rules, CH25 and IN90).
FACTORS: Mapping[str, Decimal] = {
    Passenger.Type.ADULT: Decimal("1"),
    Passenger.Type.CHILD: Decimal("0.75"),
    Passenger.Type.INFANT: Decimal("0.10"),
}
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class QuotedSegment:
    """One flight at one fare. `coupons` are the passengers' prices in their order; `seats` by passenger's
    index."""

    flight: FlightView
    offer: FareOffer
    coupons: tuple[Decimal, ...]
    seats: Mapping[int, str]
    seats_claimed: int

    def claim(self) -> SeatClaim:
        return SeatClaim(
            flight_pk=self.flight.pk,
            cabin=self.offer.cabin,
            fare=self.offer.code,
            seats=self.seats_claimed,
            unit_price=self.offer.price,
        )


@dataclass(frozen=True)
class Quote:
    holder: Account
    passengers: tuple[PassengerView, ...]
    segments: tuple[QuotedSegment, ...]

    @property
    def total(self) -> Decimal:
        return sum((sum(segment.coupons, Decimal(0)) for segment in self.segments), Decimal(0))

    @property
    def currency(self) -> str:
        return self.segments[0].offer.currency


def coupon_price(unit_price: Decimal, passenger_type: str) -> Decimal:
    """One passenger's price of one flight, rounded half up to the cent."""
    return (unit_price * FACTORS[passenger_type]).quantize(_CENT, ROUND_HALF_UP)


def quote_order(order: Order) -> Quote:
    """The order at today's prices.

    Raises:
        NotFound: no such flight.
        Invalid: a fare that its cabin does not have, or flights sold in different currencies.
        FlightCancelled, FlightDeparted, SoldOut: `extra["flightId"]` says which flight.
        PriceChanged: it is not `expected_price`; `extra` has the new `price`.
    """
    holder = account(order.user_pk)
    passengers = order.passengers or (_holder_as_passenger(holder),)
    seated = sum(passenger.type != Passenger.Type.INFANT for passenger in passengers)
    segments = []
    for index, flight in enumerate(_flights(order)):
        offer = _offer(order, index, flight, seated)
        coupons = tuple(coupon_price(offer.price, passenger.type) for passenger in passengers)
        seats = {wish.passenger: wish.seat for wish in order.seats if wish.flight_id == flight.flight_id}
        segments.append(QuotedSegment(flight, offer, coupons, seats, seated))
    quote = Quote(holder, passengers, tuple(segments))
    _check_money(order, quote)
    return quote


def _holder_as_passenger(holder: Account) -> PassengerView:
    return PassengerView(holder.given_name, holder.family_name or holder.username, Passenger.Type.ADULT)


def _flights(order: Order) -> list[FlightView]:
    pks = [parse_flight_id(public_id) for public_id in order.flight_ids]
    found = flights(pks)
    views = []
    for pk, public_id in zip(pks, order.flight_ids, strict=True):
        if pk not in found:
            raise NotFound(detail=f"There is no flight {public_id}.", extra={"flightId": public_id})
        check_flying(found[pk])
        views.append(found[pk])
    return views


def _offer(order: Order, index: int, flight: FlightView, seats: int) -> FareOffer:
    offers = fare_offers(flight_pk=flight.pk, cabin=order.cabin)
    if order.fares is not None:
        offers = _named(offers, order.fares[index], order, index)
    for offer in offers:
        if offer.seats_left >= seats:
            return offer
    raise SoldOut(extra={"flightId": flight.flight_id})


def _named(offers: Sequence[FareOffer], fare: str, order: Order, index: int) -> list[FareOffer]:
    named = [offer for offer in offers if offer.code == fare]
    if named:
        return named
    pointer = "/fare" if order.one_fare_for_all else f"/fares/{index}"
    raise Invalid.of(
        pointer, "unknown_fare", f"{order.flight_ids[index]} has no open fare {fare} in {order.cabin}."
    )


def _check_money(order: Order, quote: Quote) -> None:
    if len({segment.offer.currency for segment in quote.segments}) > 1:
        raise Invalid.of("/flightIds", "currencies_differ", "These flights are sold in different currencies.")
    if order.expected_price is not None and order.expected_price != quote.total:
        raise PriceChanged(
            detail=f"The price is {quote.total} {quote.currency} now.",
            extra={"price": quote.total, "currency": quote.currency},
        )
