"""The named points at which a process may be killed, and how the controller makes one die there.

A point is armed by a file of its name in `armed/`. The first process that passes it takes the file away (a
rename: one process wins) and sends itself SIGKILL. Nothing is flushed, closed or rolled back by that process;
the file's new name in `fired/` tells the controller which point it was, and whose.

The product knows nothing of this: `install` wraps its functions by name where the entry point loads it.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEFORE, AFTER = "before", "after"
HTTP, WORKER = "http", "worker"


@dataclass(frozen=True)
class KillPoint:
    """`function` is ``module:name`` or ``module:Class.name``, as the caller that is to die sees it.

    With `transaction` the point is there only while one of Django's is open, or only while none is.
    """

    name: str
    process: str
    when: str
    function: str
    transaction: bool | None = None


_BOOK, _PAY = "bookings.operations.book", "bookings.operations.pay"
_SALE, _COLLECT = "bookings.operations.sale", "bookings.operations.collect"
_CANCEL, _EXPIRE = "bookings.operations.cancel", "bookings.operations.expire"
_CHANGE, _SETTLE = "bookings.operations.change", "bookings.operations.settle"
_DISRUPT, _VIEWS = "bookings.operations.disrupt_one", "bookings.operations"

POINTS = (
    KillPoint("book: attempt committed, gateway not asked", HTTP, BEFORE, f"{_BOOK}:authorise"),
    KillPoint("book: authorised, sale not begun", HTTP, AFTER, f"{_BOOK}:authorise"),
    KillPoint("sale: all written, seats not claimed", HTTP, BEFORE, f"{_SALE}:claim_seats", transaction=True),
    KillPoint("sale: seats claimed, before COMMIT", HTTP, AFTER, f"{_SALE}:claim_seats", transaction=True),
    KillPoint("sale: committed, not answered", HTTP, AFTER, f"{_VIEWS}:book_flight"),
    KillPoint("pay: authorised, hold not confirmed", HTTP, AFTER, f"{_PAY}:authorise"),
    KillPoint("pay: payment taken, before COMMIT", HTTP, AFTER, f"{_PAY}:take_payment"),
    KillPoint("pay: committed, not answered", HTTP, AFTER, f"{_VIEWS}:pay_booking"),
    KillPoint("cancel: ended, seats not given back", HTTP, BEFORE, f"{_CANCEL}:give_seats_back"),
    KillPoint("cancel: seats given back, before COMMIT", HTTP, AFTER, f"{_CANCEL}:give_seats_back"),
    KillPoint("cancel: committed, not answered", HTTP, AFTER, f"{_VIEWS}:cancel_booking"),
    KillPoint("take out: one is out, before COMMIT", HTTP, AFTER, f"{_CANCEL}:give_part_back"),
    KillPoint("change: authorised, not changed", HTTP, AFTER, f"{_COLLECT}:authorise"),
    KillPoint("change: all written, seats not exchanged", HTTP, BEFORE, f"{_CHANGE}:exchange_seats"),
    KillPoint("change: seats exchanged, before COMMIT", HTTP, AFTER, f"{_CHANGE}:exchange_seats"),
    KillPoint("change: committed, not answered", HTTP, AFTER, f"{_VIEWS}:change_booking"),
    KillPoint("worker: payment leased, gateway not asked", WORKER, AFTER, f"{_SETTLE}:_lease_payment"),
    KillPoint("worker: captured there, not written here", WORKER, AFTER, "{gateway}.capture"),
    KillPoint("worker: voided there, not written here", WORKER, AFTER, "{gateway}.void"),
    KillPoint("worker: refund leased, gateway not asked", WORKER, AFTER, f"{_SETTLE}_refunds:_lease"),
    KillPoint("worker: refunded there, not written here", WORKER, AFTER, "{gateway}.refund"),
    KillPoint("expiry: ended, seats not given back", WORKER, BEFORE, f"{_EXPIRE}:give_seats_back"),
    KillPoint("expiry: seats given back, before COMMIT", WORKER, AFTER, f"{_EXPIRE}:give_seats_back"),
    KillPoint("airline cancels: refund written, before COMMIT", WORKER, AFTER, f"{_DISRUPT}:return_unused"),
    KillPoint("airline cancels: done, feed not advanced", WORKER, BEFORE, "flights.public:advance_feed"),
)


@dataclass(frozen=True)
class Armoury:
    """The controller's side: what is armed, and what has fired."""

    directory: Path

    def prepare(self) -> None:
        for name in ("armed", "fired"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)

    def arm(self, point: KillPoint) -> None:
        (self.directory / "armed" / _file_name(point)).touch()

    def disarm_all(self) -> None:
        for armed in (self.directory / "armed").iterdir():
            armed.unlink(missing_ok=True)

    def is_armed(self, point: KillPoint) -> bool:
        return (self.directory / "armed" / _file_name(point)).exists()

    def armed(self) -> int:
        return len(list((self.directory / "armed").iterdir()))

    def fired(self) -> dict[str, int]:
        """How often each point has killed; the names are the points'."""
        names = {_file_name(point): point.name for point in POINTS}
        counts = dict.fromkeys(names.values(), 0)
        for file in (self.directory / "fired").iterdir():
            counts[names[file.name.partition("@")[0]]] += 1
        return counts


def install(directory: Path, *, gateway: str) -> None:
    """Wraps the functions of all points, in the process that will die there. `gateway` is the class of the
    gateway's adapter, as ``module:Class``.

    Raises:
        AttributeError, ModuleNotFoundError: the product has no such function any more; the table is stale.
    """
    for point in POINTS:
        owner, name = find(point.function.format(gateway=gateway))
        setattr(owner, name, _wrapped(getattr(owner, name), point, directory))


def find(function: str) -> tuple[Any, str]:
    """The module or class that has `function` (``module:name``, ``module:Class.name``), and its name."""
    module, _, path = function.partition(":")
    *outer, name = path.split(".")
    owner = functools.reduce(getattr, outer, importlib.import_module(module))
    getattr(owner, name)
    return owner, name


def _wrapped(function: Callable[..., Any], point: KillPoint, directory: Path) -> Callable[..., Any]:
    armed, fired = directory / "armed" / _file_name(point), directory / "fired" / _file_name(point)

    @functools.wraps(function)
    def passing(*args: Any, **kwargs: Any) -> Any:
        if point.when == BEFORE and _is_there(point):
            _die_if_armed(armed, fired)
        result = function(*args, **kwargs)
        # A lease that found nothing to lease has not come to the point.
        if point.when == AFTER and _is_there(point) and not (result is None and "leased" in point.name):
            _die_if_armed(armed, fired)
        return result

    return passing


def _is_there(point: KillPoint) -> bool:
    from django.db import connection  # noqa: PLC0415  # the controller has no settings

    return point.transaction is None or point.transaction == connection.in_atomic_block


def _die_if_armed(armed: Path, fired: Path) -> None:
    try:
        os.rename(armed, f"{fired}@{os.getpid()}.{time.time_ns()}")  # noqa: PTH104 - the hot path
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _file_name(point: KillPoint) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in point.name)
