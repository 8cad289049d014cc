"""What must always hold, as data: each app states its own invariants in SQL, and `look` counts who breaks
them.

A check is one SELECT over all rows that it speaks of, so that what was looked at and what was found wrong
come out of the same scan. It stands below the apps, which state their checks, and below `flightbook.audit`,
which runs them all in one snapshot.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

GRACE = dt.timedelta(minutes=2)
EXAMPLES = 5


@dataclass(frozen=True)
class Check:
    """`name` is ``app.what``, `rule` one sentence of what must hold.

    `rows` is a SELECT of two columns, one row a thing looked at: how to name it to a person, and whether it
    is as it must be. NULL counts as broken: a comparison with what is missing has not held. It may use
    ``%(now)s`` (when the snapshot was taken), ``%(late)s`` (work that was due before then is late) and
    ``%(settled)s`` (no work may be in flight); a literal per cent sign is doubled.
    """

    name: str
    rule: str
    rows: str


@dataclass(frozen=True)
class Finding:
    """What one check found: rows looked at, rows that break it, and the names of the first few of those."""

    check: Check
    looked_at: int
    violations: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Moment:
    """By when work in flight must be done. `late` is `now` less the grace, and `now` itself where settled."""

    now: dt.datetime
    late: dt.datetime
    settled: bool


_LOOK = """
SELECT count(*), count(*) FILTER (WHERE ok IS NOT TRUE),
       (array_agg(subject) FILTER (WHERE ok IS NOT TRUE))[1:{examples}]
  FROM ({rows}) AS looked_at (subject, ok)
"""


def moment(*, settled: bool = False, grace: dt.timedelta = GRACE) -> Moment:
    """The database's now. Asked first in a transaction of REPEATABLE READ, it is the snapshot's own time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: dt.datetime = cursor.fetchone()[0]
    return Moment(now=now, late=now if settled else now - grace, settled=settled)


def look(check: Check, at: Moment) -> Finding:
    """Runs one check, in whatever transaction and snapshot the caller has."""
    with connection.cursor() as cursor:
        statement = _LOOK.format(rows=check.rows, examples=EXAMPLES)
        cursor.execute(statement, {"now": at.now, "late": at.late, "settled": at.settled})
        looked_at, violations, examples = cursor.fetchone()
    return Finding(check, looked_at, violations, tuple(str(example) for example in examples or ()))


def broken(checks: Iterable[Check], *, settled: bool = False) -> list[Finding]:
    """Those of the checks that do not hold now."""
    at = moment(settled=settled)
    return [finding for finding in (look(check, at) for check in checks) if finding.violations]
