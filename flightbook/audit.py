"""The auditor: every invariant of every app, in one snapshot of the database.

REPEATABLE READ shows all checks the same instant, so that a sale that commits meanwhile is seen by all of
them or by none, and READ ONLY keeps an audit of a running system from changing it. It locks no row and makes
nobody wait.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator

from django.db import connection, transaction

from accounts import public as accounts
from bookings import public as bookings
from flightbook.invariants import GRACE, Check, Finding, look, moment
from flights import public as flights
from subscriptions import public as subscriptions

LONGEST_CHECK = "10min"  # each statement; the pool's own limit is meant for requests


def all_checks() -> list[Check]:
    """Every app's, from the lowest up."""
    return [
        *accounts.invariants(),
        *flights.invariants(),
        *subscriptions.invariants(),
        *bookings.invariants(),
    ]


def audit(*, settled: bool = False, grace: dt.timedelta = GRACE) -> Generator[Finding, None, None]:
    """What each check finds, as it goes. `settled` allows no work in flight at all, and no grace.

    The snapshot lives while this is being read: read it to the end.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = %s", [LONGEST_CHECK])
        at = moment(settled=settled, grace=grace)
        for check in all_checks():
            yield look(check, at)
