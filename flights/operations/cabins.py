"""What staff decides for a cabin of a flight: its price, and how far it may be overbooked."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from flightbook.errors import Invalid, NotFound
from flights import seat_inventory
from flights.models import CabinInventory
from flights.types import CabinLimits

_TOO_DEAR = Decimal(10) ** 8


def change_base_price(*, flight_pk: int, cabin: str, base_price: Decimal) -> None:
    """Sets what a cabin's fares are multiples of. A claim at the price from before is then `PriceChanged`.

    Raises:
        NotFound: there is no such flight, or it has no such cabin.
        Invalid: the price is not above zero, or not of whole cents below a hundred million.
    """
    if not (base_price.is_finite() and 0 < base_price < _TOO_DEAR and base_price == round(base_price, 2)):
        raise Invalid.of("/basePrice", "invalid", "A price is above zero and of whole cents.")
    rows = CabinInventory.objects.filter(flight_id=flight_pk, cabin=cabin)
    if not rows.update(base_price=base_price):
        raise NotFound(detail="There is no such cabin.")


def set_overbooking(*, flight_pk: int, cabin: str, overbooking: int) -> CabinLimits:
    """Sets how many seats of a cabin may be sold beyond its capacity; 0 is off.

    Where more are sold than the new ceiling allows, it may only be raised: it never sinks below what is sold.

    Raises:
        NotFound: there is no such flight, or it has no such cabin.
        Invalid: the ceiling is negative, more than the cabin's own seats, or below what is sold.
    """
    with transaction.atomic():
        row = CabinInventory.objects.select_for_update(no_key=True).filter(flight_id=flight_pk, cabin=cabin)
        counter = row.first()
        if counter is None:
            raise NotFound(detail="There is no such cabin.")
        if not 0 <= overbooking <= counter.capacity:
            raise Invalid.of("/overbooking", "invalid", f"Between 0 and the {counter.capacity} seats it has.")
        limits = seat_inventory.set_limits(
            flight_pk=flight_pk, cabin=cabin, capacity=counter.capacity, overbooking=overbooking
        )
        if limits.excess and overbooking < counter.overbooking:
            raise Invalid.of(
                "/overbooking", "below_sold", f"{limits.sold} of {counter.capacity} seats are sold already."
            )
    return limits
