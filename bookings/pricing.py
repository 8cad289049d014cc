"""What an order costs now, at which fares. A quote decides nothing: the claim repeats its prices (see
`operations.sale`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    check_free,
    check_seats,
    on_offer,
    parse_flight_id,
    seat_prices,
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
    index, `seat_charges` what they cost beside the fare, where it does not include the choice."""

    flight: FlightView
    offer: FareOffer
    coupons: tuple[Decimal, ...]
    seats: Mapping[int, str]
    seats_claimed: int
    seat_charges: Mapping[int, Decimal] = field(default_factory=dict)

    @property
    def price(self) -> Decimal:
        return sum((*self.coupons, *self.seat_charges.values()), Decimal(0))

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
        return sum((segment.price for segment in self.segments), Decimal(0))

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
        Invalid: a fare or a seat that its cabin does not have, or flights sold in different currencies.
        FlightCancelled, FlightDeparted, SoldOut, SeatTaken: `extra["flightId"]` says which flight.
        PriceChanged: it is not `expected_price`; `extra` has the new `price`.
    """
    holder = order.holder or account(order.user_pk)
    passengers = order.passengers or (_holder_as_passenger(holder),)
    seated = sum(passenger.type != Passenger.Type.INFANT for passenger in passengers)
    segments = []
    for index, (flight, offers) in enumerate(_on_offer(order)):
        offer = _offer(order, index, flight, offers, seated)
        coupons = tuple(coupon_price(offer.price, passenger.type) for passenger in passengers)
        seats = {wish.passenger: wish.seat for wish in order.seats if wish.flight_id == flight.flight_id}
        if seats:
            check_seats(flight_pk=flight.pk, cabin=order.cabin, seats=seats.values())
            check_free(flight_pk=flight.pk, seats=seats.values())
        segments.append(
            QuotedSegment(flight, offer, coupons, seats, seated, seat_charges(flight, offer, seats))
        )
    quote = Quote(holder, passengers, tuple(segments))
    _check_money(order, quote)
    return quote


def seat_charges(flight: FlightView, offer: FareOffer, seats: Mapping[int, str]) -> Mapping[int, Decimal]:
    """What the seats cost, by passenger's index: nothing where the fare includes their choice."""
    if offer.seat_choice or not seats:
        return {}
    prices = seat_prices(flight_pk=flight.pk, cabin=offer.cabin, seats=seats.values())
    return {passenger: prices[seat] for passenger, seat in seats.items() if seat in prices}


def _holder_as_passenger(holder: Account) -> PassengerView:
    return PassengerView(holder.given_name, holder.family_name or holder.username, Passenger.Type.ADULT)


def _on_offer(order: Order) -> list[tuple[FlightView, list[FareOffer]]]:
    pks = [parse_flight_id(public_id) for public_id in order.flight_ids]
    found = on_offer(flight_pks=pks, cabin=order.cabin)
    for pk, public_id in zip(pks, order.flight_ids, strict=True):
        if pk not in found:
            raise NotFound(detail=f"There is no flight {public_id}.", extra={"flightId": public_id})
        check_flying(found[pk][0])
    return [found[pk] for pk in pks]


def _offer(
    order: Order, index: int, flight: FlightView, offers: Sequence[FareOffer], seats: int
) -> FareOffer:
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
