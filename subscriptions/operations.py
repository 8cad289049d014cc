"""Writes: following a flight, and ending it."""

from __future__ import annotations

from django.db import connection, transaction

from flights import public as flights
from subscriptions.models import Subscription

# Without ON CONFLICT a lost race would cost the caller's transaction; with get_or_create an unfollow
# between its two reads would be a 500.
_INSERT = """
INSERT INTO subscriptions_subscription (user_id, flight_id, source) VALUES (%s, %s, %s)
ON CONFLICT ON CONSTRAINT subscription_unique DO NOTHING
"""


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
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [user_pk, flight_pk, source])
            inserted = cursor.rowcount == 1
    return inserted and not followed


def unfollow(*, user_pk: int, flight_pk: int) -> None:
    """The user no longer follows the flight, whatever brought it. One that was not followed stays so.

    Raises:
        NotFound: there is no such flight.
    """
    flights.flight(flight_pk)
    Subscription.objects.filter(user_id=user_pk, flight_id=flight_pk).delete()


def end_source(*, source: str) -> None:
    """Ends what a booking brought; the user's own wishes stay."""
    if not source:
        raise ValueError("The empty source is the user's own wish.")
    Subscription.objects.filter(source=source).delete()
