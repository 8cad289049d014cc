"""What other apps may ask of subscriptions.

A user follows a flight by their own wish, or because a booking brought it: then the subscription carries the
booking's id as its `source`, and `end_source` ends it without touching the user's own wish.
"""

from subscriptions.operations import end_source, follow, unfollow
from subscriptions.queries import followed_flights

__all__ = ["end_source", "follow", "followed_flights", "unfollow"]
