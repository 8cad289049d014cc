"""Django's backend for PostgreSQL, with a health check that costs no round trip, and with a memory of what
its connection has prepared."""

from __future__ import annotations

import select
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A kept connection is looked at before each request. One that its server has closed, or is closing, has
    something to read on its socket; only then Django's own `SELECT 1` is sent. A network that was lost
    without a sign is for the timeouts of `flightbook.env`.

    `prepared`: the names of the statements that this connection has prepared (`flightbook.statements`); None
    where it shall prepare none.
    """

    prepared: dict[str, str] | None = None
    health_check_done: bool

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self.prepared = {} if settings.DATABASE_PREPARE else None
        return super().get_new_connection(conn_params)

    def init_connection_state(self) -> None:
        super().init_connection_state()
        if self.prepared is not None:
            # Else a statement is planned anew each time that its kept plan looks dearer, as one for an array
            # of any length does. What is prepared are look-ups by key, whose plan is always the same.
            with self.connection.cursor() as cursor:
                cursor.execute("SET plan_cache_mode = force_generic_plan")

    def close_if_health_check_failed(self) -> None:
        is_due = self.connection is not None and not self.health_check_done and not self.connection.closed
        if is_due and _is_quiet(self.connection.fileno()):
            self.health_check_done = True
        super().close_if_health_check_failed()


def _is_quiet(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return not poll.poll(0)
