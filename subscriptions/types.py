"""The values of subscriptions: what may be heard of a flight, and by which ways."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

# What an update can be about. `status`: boarding, departed, landed and the like; `other`: a reason, say.
KINDS = ("delay", "gate", "cancellation", "diversion", "schedule", "status", "other")
# A WebSocket is not among them: it asks for its flights itself, and hears all of a flight, without gaps.
CHANNELS = ("mail", "webhook")
# Minutes, for mail. A flight counts as late from a quarter of an hour on: 14 CFR 234.2 (US).
DELAY_THRESHOLD = 15


@dataclass(frozen=True)
class Preference:
    """What somebody wants to hear of a flight. `delay_threshold`: changes of the delay by fewer minutes are
    passed over; None: as the channel has it."""

    kinds: frozenset[str] = frozenset(KINDS)
    delay_threshold: int | None = None
    channels: frozenset[str] = frozenset(CHANNELS)


@dataclass(frozen=True)
class Target:
    """What one call needs: where to, what, signed by which secrets."""

    delivery_pk: int
    endpoint_pk: int
    url: str
    message_id: str
    body: bytes
    secrets: tuple[str, ...]
    attempts: int
    created_at: dt.datetime


@dataclass(frozen=True)
class Outcome:
    """What came of a call: the answer's `status`, or None and the `error`."""

    status: int | None
    milliseconds: int
    error: str = field(default="")

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004
