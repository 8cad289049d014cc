"""One log line when something goes away, one a minute while it stays away, one when it is back."""

from __future__ import annotations

import logging
import time

from flightbook.logs import REMIND_SECONDS

logger = logging.getLogger(__name__)


class Outage:
    """Whether a thing that others depend on is away. `name` begins the log's sentence: "the layer"."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since: float | None = None
        self._told = 0.0

    @property
    def is_on(self) -> bool:
        return self._since is not None

    def begin(self, error: BaseException) -> None:
        """Notes a failure; again while it lasts."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._told < REMIND_SECONDS:
            return
        self._told = now
        logger.warning(
            "%s is away for %.0f s: %s: %s", self._name, now - self._since, type(error).__name__, error
        )

    def end(self) -> None:
        """Notes a success."""
        if self._since is not None:
            logger.warning("%s is back after %.1f s", self._name, time.monotonic() - self._since)
            self._since = None
