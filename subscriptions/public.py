"""What other apps may ask of subscriptions.

A user follows a flight by their own wish, or because a booking brought it: then the subscription carries the
booking's id as its `source`, and `end_source` ends it without touching the user's own wish. Of a cancellation
the owner of the source writes to the user itself, and says so by `told_by_mail`.

A worker calls `write_webhook_deliveries`, `deliver_due_webhooks`, `tell_of_changes` (by mail) and
`purge_deliveries`; each does a bounded piece of work and says how much. `webhook_backlog` is for metrics.

`invariants` is for the auditor; `BROUGHT_BY_A_SOURCE` a SELECT (user_id, flight_id, source) for the
invariants of an app above.
"""

from subscriptions.invariants import BROUGHT_BY_A_SOURCE, invariants
from subscriptions.notices import tell_of_changes, told_by_mail
from subscriptions.operations import end_source, follow, following, unfollow
from subscriptions.queries import followed_flights
from subscriptions.webhooks.delivery import deliver_due_webhooks
from subscriptions.webhooks.endpoints import purge_deliveries, webhook_backlog
from subscriptions.webhooks.writing import write_webhook_deliveries

__all__ = [
    "BROUGHT_BY_A_SOURCE",
    "deliver_due_webhooks",
    "end_source",
    "follow",
    "followed_flights",
    "following",
    "invariants",
    "purge_deliveries",
    "tell_of_changes",
    "told_by_mail",
    "unfollow",
    "webhook_backlog",
    "write_webhook_deliveries",
]
