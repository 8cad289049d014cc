"""The log's name: a restore from backup gives it another, so that nobody goes on counting in the lost one."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.db.models.functions import Now

from flights.models import UpdateLog


def rename_log() -> str:
    """Gives the log of updates a new name, and answers with it.

    Sequences after the backup are gone, and will be given again to other updates: who follows a flight, or
    comes back with a sequence of the old name, is told `reset` and begins anew. Sockets hear of it from their
    watcher, within seconds.
    """
    name = secrets.token_urlsafe(9)
    with transaction.atomic():
        row = UpdateLog.objects.select_for_update().order_by("pk").first()
        if row is None:
            UpdateLog.objects.create(pk=1, name=name)
        else:
            UpdateLog.objects.filter(pk=row.pk).update(name=name, started_at=Now())
    return name
