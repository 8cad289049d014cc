"""What must always hold among subscriptions; and the relation that an app above may compare its own rows
with."""

from __future__ import annotations

from flightbook.invariants import Check

# A SELECT for the audits of apps above: what follows a flight not by a user's own wish.
BROUGHT_BY_A_SOURCE = """
SELECT user_id, flight_id, source FROM subscriptions_subscription WHERE source <> ''
"""

INVARIANTS = (
    Check(
        name="subscriptions.webhook_that_waits",
        rule="a message that waits is for a webhook that has not ended",
        rows="""
        SELECT format('%%s to %%s', d.message_id, e.public_id), e.state = 'active'
          FROM subscriptions_webhookdelivery AS d
          JOIN subscriptions_webhookendpoint AS e ON e.id = d.endpoint_id
         WHERE d.state = 'pending'
        """,
    ),
    Check(
        name="subscriptions.followed_once",
        rule="a user follows a flight once by each source",
        rows="""
        SELECT format('user %%s, FL%%s, %%L: %%s times', user_id, flight_id, source, count(*)), count(*) = 1
          FROM subscriptions_subscription
         GROUP BY user_id, flight_id, source
        """,
    ),
)


def invariants() -> tuple[Check, ...]:
    """What the auditor looks at."""
    return INVARIANTS
