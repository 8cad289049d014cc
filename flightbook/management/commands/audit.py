"""`manage.py audit`: proves that seats and money are right, or says where they are not."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from flightbook.audit import audit
from flightbook.invariants import GRACE, Finding

_WIDTH = 42


class Command(BaseCommand):
    help = (
        "Checks every invariant of every app in one snapshot; ends with 1 where one is broken. Changes "
        "nothing and makes nobody wait."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--settled", action="store_true", help="the system is at rest: work in flight is a violation too"
        )
        parser.add_argument(
            "--grace",
            type=int,
            default=int(GRACE.total_seconds()),
            metavar="SECONDS",
            help="how late work in flight may be (default: %(default)s; none with --settled)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["grace"] < 0:
            raise CommandError("--grace must be 0 or more.")
        began = time.monotonic()
        findings = []
        for finding in audit(settled=options["settled"], grace=dt.timedelta(seconds=options["grace"])):
            self._show(finding)
            findings.append(finding)
        rows = sum(finding.looked_at for finding in findings)
        broken = [finding for finding in findings if finding.violations]
        self.stdout.write(f"{len(findings)} checks, {rows:,} rows, {time.monotonic() - began:.1f} s")
        if broken:
            raise CommandError(f"{len(broken)} of {len(findings)} checks are broken.")

    def _show(self, finding: Finding) -> None:
        name, looked_at = finding.check.name, f"{finding.looked_at:,}"
        if not finding.violations:
            self.stdout.write(f"ok      {name:<{_WIDTH}} {looked_at:>12}")
            return
        self.stdout.write(f"BROKEN  {name:<{_WIDTH}} {looked_at:>12}  {finding.violations:,} of them")
        self.stdout.write(f"        must hold: {finding.check.rule}")
        for example in finding.examples:
            self.stdout.write(f"        {example}")
