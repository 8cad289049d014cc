"""What an update changes, and who wants to hear of that."""

from __future__ import annotations

from collections.abc import Collection

from flights import public as flights
from subscriptions.models import FollowPreference, Subscription
from subscriptions.types import Preference

EVERYTHING = Preference()


def kinds_of(before: flights.UpdateView | None, after: flights.UpdateView) -> frozenset[str]:
    """What is another one in `after`, where None stands for a flight as it was scheduled; one at least."""
    status = flights.FlightStatus
    before_status = before.status if before else status.SCHEDULED.value
    found = {
        "delay": _delay(before) != _delay(after),
        "gate": (before.gate, before.terminal) != (after.gate, after.terminal)
        if before
        else bool(after.gate or after.terminal),
        "cancellation": (before_status == status.CANCELLED) != (after.status == status.CANCELLED),
        "diversion": before_status != after.status == status.DIVERTED,
        "schedule": before is not None
        and (before.departure, before.arrival) != (after.departure, after.arrival),
        "status": before_status != after.status
        and status.CANCELLED not in (before_status, after.status)
        and after.status != status.DIVERTED,
    }
    return frozenset(kind for kind, is_changed in found.items() if is_changed) or frozenset({"other"})


def wants(
    preference: Preference,
    before: flights.UpdateView | None,
    after: flights.UpdateView,
    *,
    delay_threshold: int = 0,
) -> frozenset[str]:
    """Of what the update changes, what somebody of that preference wants to hear.

    `delay_threshold` counts where the preference has none.
    """
    kinds = kinds_of(before, after) & preference.kinds
    least = delay_threshold if preference.delay_threshold is None else preference.delay_threshold
    if "delay" in kinds and not _is_enough(least, _delay(before), _delay(after)):
        kinds -= {"delay"}
    return kinds


def followers(flight_pk: int, channel: str) -> dict[int, Preference]:
    """The preferences of all who follow the flight and want to hear by `channel`, by their keys."""
    users = Subscription.objects.filter(flight_id=flight_pk, user__is_active=True)
    found = dict.fromkeys(users.order_by("user_id").values_list("user_id", flat=True).distinct(), EVERYTHING)
    rows = FollowPreference.objects.filter(flight_id=flight_pk, user_id__in=found)
    found |= {row.user_id: preference_of(row) for row in rows}
    return {user: preference for user, preference in found.items() if channel in preference.channels}


def brought_by_a_source(flight_pk: int) -> frozenset[int]:
    """The users whom a booking of theirs made follow the flight."""
    brought = Subscription.objects.filter(flight_id=flight_pk).exclude(source="")
    return frozenset(brought.values_list("user_id", flat=True))


def preference_of(row: FollowPreference) -> Preference:
    return Preference(frozenset(row.kinds), row.delay_threshold, frozenset(row.channels))


def preferences(user_pk: int, flight_pks: Collection[int]) -> dict[int, Preference]:
    """The user's preference for each of the flights."""
    rows = FollowPreference.objects.filter(user_id=user_pk, flight_id__in=flight_pks)
    own = {row.flight_id: preference_of(row) for row in rows}
    return {pk: own.get(pk, EVERYTHING) for pk in flight_pks}


def _delay(view: flights.UpdateView | None) -> int:
    return (view.delay_minutes or 0) if view else 0


def _is_enough(least: int, before: int, after: int) -> bool:
    """A change by the threshold, or over it."""
    return abs(after - before) >= least or (before < least <= after) or (after < least <= before)
