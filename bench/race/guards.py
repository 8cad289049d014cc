"""The guards that a control run goes without: `--without NAME`. Each is switched off in the harness's own
processes and database, to show that the harness sees what the guard prevents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Guard:
    """`off` changes the loaded product, `statements` the database, before the load begins; `faults` are the
    gateway's."""

    what: str
    off: Callable[[], None] = lambda: None
    statements: Sequence[str] = ()
    faults: Mapping[str, float] = field(default_factory=dict)


def _claim_whatever_is_left() -> None:
    from flights import seat_inventory  # noqa: PLC0415  # the settings must be there

    condition = "   AND i.available - %(seats)s >= ceil(i.capacity * f.protected_share)\n"
    assert condition in seat_inventory._CLAIM, "the claim's condition reads otherwise now"
    seat_inventory._CLAIM = seat_inventory._CLAIM.replace(condition, "")


def _forget_keys() -> None:
    from bookings.views import base  # noqa: PLC0415

    keep = base._promise

    def keyless(*args: Any, **kwargs: Any) -> Any:
        promise = keep(*args, **kwargs)
        promise.key = None
        return promise

    base._promise = keyless


GUARDS = {
    "gateway-keys": Guard("the gateway's idempotency keys", faults={"keys_forgotten": 1.0}),
    "claim": Guard(
        "the claim's condition and the CHECK constraints under it",
        _claim_whatever_is_left,
        (
            "ALTER TABLE flights_cabininventory DROP CONSTRAINT inventory_never_oversold",
            "ALTER TABLE flights_cabininventory DROP CONSTRAINT inventory_within_capacity",
        ),
    ),
    "idempotency": Guard("idempotency keys: a retried request is a new one", _forget_keys),
    "seat": Guard(
        "the UNIQUE constraint of seat numbers",
        statements=(
            "ALTER TABLE flights_seatassignment DROP CONSTRAINT IF EXISTS seat_held_once",
            "DROP INDEX IF EXISTS seat_held_once",
        ),
    ),
}
