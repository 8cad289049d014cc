"""What other apps may ask of subscriptions.

A user follows a flight by their own wish, or because a booking brought it: then the subscription carries the
booking's id as its `source`, and `end_source` ends it without touching the user's own wish.

`invariants` is for the auditor; `BROUGHT_BY_A_SOURCE` a SELECT (user_id, flight_id, source) for the
invariants of an app above.
"""

from subscriptions.invariants import BROUGHT_BY_A_SOURCE, invariants
from subscriptions.operations import end_source, follow, unfollow
from subscriptions.queries import followed_flights

__all__ = ["BROUGHT_BY_A_SOURCE", "end_source", "follow", "followed_flights", "invariants", "unfollow"]
