"""Reads: which flights a user follows."""

from __future__ import annotations

from collections.abc import Sequence

from subscriptions.models import Subscription


def followed_flights(user_pk: int, *, after: int | None = None, limit: int | None = None) -> Sequence[int]:
    """The keys of the flights that the user follows, each once whatever brought it, in ascending order.

    `after` begins behind that key. A page so keyed neither doubles nor loses a flight, whatever is
    subscribed or ended between two pages.
    """
    rows = Subscription.objects.filter(user_id=user_pk)
    if after is not None:
        rows = rows.filter(flight_id__gt=after)
    keys = rows.order_by("flight_id").values_list("flight_id", flat=True).distinct()
    return list(keys if limit is None else keys[:limit])
