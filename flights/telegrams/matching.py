"""Which flight a telegram speaks of, and at which moments.

Its day is the scheduled departure's in UTC and has no month: the one nearest to when the telegram came is
meant.
Where FLD gives the leg's own day, that one counts.
"""

from __future__ import annotations

import calendar
import datetime as dt

from django.db.models import Q

from flights.models import Flight
from flights.telegrams.grammar import Clock, Telegram
from flights.types import FlightStatus

_DAY = dt.timedelta(days=1)


class UnknownFlightError(Exception):
    """No flight is the one that a telegram speaks of; it says which was looked for."""


def locked_flight(telegram: Telegram, near: dt.datetime) -> Flight:
    """The telegram's flight, locked as `record_update` locks it; inside the caller's transaction.

    Raises:
        UnknownFlightError: there is none, or there are several.
    """
    day = day_near(telegram.leg_day or telegram.day, near)
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    flights = Flight.objects.filter(
        airline_id=telegram.airline,
        number=telegram.number,
        scheduled_departure__gte=start,
        scheduled_departure__lt=start + _DAY,
    )
    found = list(
        flights.filter(_of_airport(telegram))
        .select_for_update(of=("self",), no_key=True)
        .order_by("scheduled_departure", "pk")[:2]
    )
    if len(found) == 1:
        return found[0]
    wanted = f"{telegram.airline}{telegram.number} of {day} (UTC), {telegram.airport}"
    raise UnknownFlightError(f"{'Several flights are' if found else 'No flight is'} {wanted}.")


def day_near(day: int, near: dt.datetime) -> dt.date:
    """The date with that day of the month nearest to `near`; a month that has no such day is passed over."""
    today = near.astimezone(dt.UTC).date()
    months = ((today.year * 12 + today.month - 1 + step) for step in (-2, -1, 0, 1, 2))
    dates = [
        dt.date(month // 12, month % 12 + 1, day)
        for month in months
        if day <= calendar.monthrange(month // 12, month % 12 + 1)[1]
    ]
    return min(dates, key=lambda date: abs(date - today))


def first_after(clock: Clock, after: dt.datetime) -> dt.datetime:
    """The first moment from `after` on that the clock shows; where it has a day, that day's nearest to it."""
    if clock.day is not None:
        return dt.datetime.combine(day_near(clock.day, after), dt.time(clock.hour, clock.minute), dt.UTC)
    start = after.astimezone(dt.UTC).replace(second=0, microsecond=0)
    moment = start.replace(hour=clock.hour, minute=clock.minute)
    return moment if moment >= start else moment + _DAY


def _of_airport(telegram: Telegram) -> Q:
    """The airport of movement: of departure while the flight is there, of destination when it comes in.

    A diverted flight comes in elsewhere; and a departure names where it goes.
    """
    here = Q(origin_id=telegram.airport)
    if telegram.kind == "DIV" or _comes_in(telegram):
        return Q(destination_id=telegram.airport) | Q(status=FlightStatus.DIVERTED) & ~here
    goes_to = Q(destination_id=telegram.landing) if telegram.landing else Q()
    return here & goes_to


def _comes_in(telegram: Telegram) -> bool:
    """Whether only elements of an arrival are in it: AA, EA, EB."""
    leaving = (
        telegram.off_block,
        telegram.expected_off_block,
        telegram.expected_take_off,
        telegram.next_information,
        telegram.returned_to_ramp,
        telegram.forced_return,
    )
    return all(clock is None for clock in leaving)
