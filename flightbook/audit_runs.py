"""Runs of the auditor by the worker: every hour, and when staff ask for one. Results stay in a table.

A run may take minutes, and the worker has captures to see to: it audits in a thread of its own, one at a
time.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from dataclasses import dataclass
from typing import Any

from django.db import connection, connections, transaction
from django.db.models import Q
from django.db.models.functions import Now

from flightbook.audit import audit
from flightbook.invariants import Finding
from flightbook.models import AuditRun

logger = logging.getLogger(__name__)
EVERY = dt.timedelta(hours=1)
LEASE = dt.timedelta(minutes=30)
KEPT = dt.timedelta(days=90)
_LOCK = 7_301_966  # any number that nobody else takes


@dataclass(frozen=True)
class LastRun:
    """The newest finished run. `seconds_ago` by the database's clock; `violations` by check;
    None where it failed."""

    seconds_ago: float
    duration: float
    violations: dict[str, int] | None
    looked_at: dict[str, int]


def request_audit(*, user_pk: int | None) -> AuditRun:
    """Asks for a run; one that waits already serves both."""
    with transaction.atomic():
        _alone()
        waiting = AuditRun.objects.filter(started_at__isnull=True).first()
        return waiting or AuditRun.objects.create(requested_by_id=user_pk)


def claim_run() -> int | None:
    """Takes what is to be run now under a lease: its key, or None."""
    with transaction.atomic():
        _alone()
        run = AuditRun.objects.filter(_free()).order_by("requested_at").first()
        if run is None and AuditRun.objects.filter(requested_at__gt=Now() - EVERY).exists():
            return None
        if run is None:
            AuditRun.objects.filter(requested_at__lt=Now() - KEPT).delete()
            run = AuditRun.objects.create()
        AuditRun.objects.filter(pk=run.pk).update(started_at=Now(), lease_until=Now() + LEASE)
        return run.pk


def perform(pk: int) -> None:
    """Audits, and keeps what was found; a failure is kept too."""
    result: dict[str, Any] = {}
    try:
        findings = list(audit())
        result = {
            "findings": [_as_json(finding) for finding in findings],
            "violations": sum(finding.violations for finding in findings),
        }
        _tell(findings)
    except Exception as error:
        logger.exception("audit: it could not be run")
        result = {"failure": type(error).__name__[:100]}
        connections.close_all()
    AuditRun.objects.filter(pk=pk).update(finished_at=Now(), **result)


def last_run() -> LastRun | None:
    """Raises `DatabaseError` while the database is away."""
    rows = AuditRun.objects.filter(finished_at__isnull=False, started_at__isnull=False)
    run = rows.annotate(now=Now()).order_by("-finished_at").first()
    if run is None or run.finished_at is None or run.started_at is None:
        return None
    findings = run.findings
    return LastRun(
        seconds_ago=(run.now - run.finished_at).total_seconds(),
        duration=(run.finished_at - run.started_at).total_seconds(),
        violations=None if findings is None else {one["check"]: one["violations"] for one in findings},
        looked_at={one["check"]: one["lookedAt"] for one in findings or ()},
    )


class Auditor:
    """The worker's task: starts what is due in a thread, unless one is at work."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def run(self) -> int:
        """How many runs it started."""
        if self._thread is not None and self._thread.is_alive():
            return 0
        pk = claim_run()
        if pk is None:
            return 0
        # A daemon: the worker stops without it. The lease then lets another take the run.
        self._thread = threading.Thread(target=_perform_apart, args=(pk,), name="audit", daemon=True)
        self._thread.start()
        return 1


def _perform_apart(pk: int) -> None:
    try:
        perform(pk)
    finally:
        connections.close_all()


def _alone() -> None:
    """Lets one transaction at a time decide what is run."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _free() -> Q:
    return Q(finished_at__isnull=True) & (Q(lease_until__isnull=True) | Q(lease_until__lt=Now()))


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check.name,
        "rule": finding.check.rule,
        "lookedAt": finding.looked_at,
        "violations": finding.violations,
        "examples": list(finding.examples),
    }


def _tell(findings: list[Finding]) -> None:
    for finding in findings:
        if finding.violations:
            logger.error("audit: %s is broken by %d rows", finding.check.name, finding.violations)
