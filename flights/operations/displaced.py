"""Staff's work after a change of aircraft: travellers who lost their seat number."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from flightbook.errors import InvalidTransition, NotFound
from flights.models import DisplacedSeat
from flights.seat_numbers import assign_seats


def reseat(*, displaced_pk: int, seat: str) -> None:
    """Gives the traveller another seat number of the same cabin, which settles it.

    Raises:
        NotFound: there is no such piece of work.
        InvalidTransition: it is settled: the traveller has a seat by now, or travels on this flight no more.
        SeatTaken, Invalid: as for `assign_seats`.
    """
    with transaction.atomic():
        row = _open(displaced_pk)
        assign_seats(flight_pk=row.flight_id, cabin=row.cabin, holder=row.holder, seats={row.passenger: seat})


def settle_displaced(*, displaced_pk: int) -> None:
    """Notes that staff has come to terms with the traveller, who gets no seat number here.

    Raises:
        NotFound, InvalidTransition: as for `reseat`.
    """
    with transaction.atomic():
        row = _open(displaced_pk)
        DisplacedSeat.objects.filter(pk=row.pk).update(settled_at=Now(), how=DisplacedSeat.How.AGREED)


def _open(displaced_pk: int) -> DisplacedSeat:
    """Locked, so that a booking that ends at the same time either waits or has settled it."""
    row = DisplacedSeat.objects.select_for_update(no_key=True).filter(pk=displaced_pk).first()
    if row is None:
        raise NotFound(detail="There is no such displaced seat.")
    if row.settled_at is not None:
        raise InvalidTransition(detail=f"{row.seat} is settled: {row.get_how_display()}.")
    return row
