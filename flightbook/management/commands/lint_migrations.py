"""`manage.py lint_migrations`: may the migrations run while the previous version serves?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flightbook.migration_lint import BASE_LINE, lint


class Command(BaseCommand):
    help = "Names what in newer migrations cannot run beside the previous version; asks no database."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        faults = lint()
        for fault in faults:
            self.stdout.write(str(fault))
        if faults:
            raise CommandError(f"{len(faults)} faults; flightbook/migration_lint.py says how one is excused.")
        line = ", ".join(f"{app} {name[:4]}" for app, name in BASE_LINE.items())
        self.stdout.write(
            f"Migrations: nothing newer than the base line ({line}) breaks the previous version."
        )
