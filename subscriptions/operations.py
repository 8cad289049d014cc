"""Writes: following a flight, and ending it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction

from flightbook.errors import NotFound
from flightbook.statements import Statement, run
from flights import public as flights
from subscriptions.filters import preference_of
from subscriptions.models import FollowPreference, Subscription
from subscriptions.types import CHANNELS, KINDS, Preference

# Without ON CONFLICT a lost race would cost the caller's transaction; with get_or_create an unfollow
# between its two reads would be a 500.
_FOLLOW = """
INSERT INTO subscriptions_subscription (user_id, flight_id, source)
SELECT %s, flight, %s FROM unnest(%s::bigint[]) AS flight
ON CONFLICT ON CONSTRAINT subscription_unique DO NOTHING RETURNING id
"""


def following(*, user_pk: int, flight_pks: Sequence[int], source: str) -> Statement:
    """Makes the user follow flights because `source` brought them: for the caller to send, among other
    statements, in the order of locks of the house. Flights that there are not break a foreign key."""
    return Statement(_FOLLOW, (user_pk, source, sorted(flight_pks)))


def follow(*, user_pk: int, flight_pk: int, source: str = "") -> bool:
    """The user follows the flight, by their own wish or because `source` (a booking's id) brought it.

    Returns:
        True when the user did not follow the flight before, by any source.

    Raises:
        NotFound: there is no such flight.
    """
    flights.flight(flight_pk)
    with transaction.atomic():
        followed = Subscription.objects.filter(user_id=user_pk, flight_id=flight_pk).exists()
        inserted = bool(run([following(user_pk=user_pk, flight_pks=[flight_pk], source=source)]))
    return inserted and not followed


def change_preference(
    *,
    user_pk: int,
    flight_pk: int,
    kinds: Collection[str] | None = None,
    delay_threshold: int | None = None,
    channels: Collection[str] | None = None,
) -> Preference:
    """Keeps what the user wants to hear of a flight that they follow; what is None stays as it was.

    Raises:
        NotFound: the user does not follow that flight.
    """
    if not Subscription.objects.filter(user_id=user_pk, flight_id=flight_pk).exists():
        raise NotFound(detail="The user does not follow that flight.")
    given = {
        "kinds": None if kinds is None else sorted(set(kinds), key=KINDS.index),
        "delay_threshold": delay_threshold,
        "channels": None if channels is None else sorted(set(channels), key=CHANNELS.index),
    }
    values = {name: value for name, value in given.items() if value is not None}
    row, _ = FollowPreference.objects.update_or_create(user_id=user_pk, flight_id=flight_pk, defaults=values)
    return preference_of(row)


def unfollow(*, user_pk: int, flight_pk: int) -> None:
    """The user no longer follows the flight, whatever brought it. One that was not followed stays so.

    Raises:
        NotFound: there is no such flight.
    """
    flights.flight(flight_pk)
    Subscription.objects.filter(user_id=user_pk, flight_id=flight_pk).delete()


def end_source(*, source: str, flight_pk: int | None = None) -> None:
    """Ends what a booking brought, all of it or one flight; the user's own wishes stay."""
    if not source:
        raise ValueError("The empty source is the user's own wish.")
    brought = Subscription.objects.filter(source=source)
    (brought if flight_pk is None else brought.filter(flight_id=flight_pk)).delete()
