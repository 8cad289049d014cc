"""Faults of the sandbox gateway, for `--gateway sandbox`: its methods are wrapped by the entry point.

Each call draws one fault at most: silence before anything was done, silence after it was done, or an answer
that takes longer than the product waits for a real gateway. A fault leaves a byte in a file of its kind, so
that a killed process's faults are counted too. They rage as long as `faults/on` exists.
"""

from __future__ import annotations

import functools
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CALLS = ("authorise", "look_up", "capture", "void", "refund")
SILENT, LOST, SLOW = "silent, not done", "done, answer lost", "done, slow"
SHARES = {SILENT: 0.02, LOST: 0.02, SLOW: 0.005}


def install(directory: Path, *, seconds: float) -> None:
    """Wraps the sandbox's methods; a slow answer takes `seconds`."""
    from bookings.payments.sandbox import SandboxGateway  # noqa: PLC0415  # the settings must be there

    for name in CALLS:
        setattr(SandboxGateway, name, _faulty(getattr(SandboxGateway, name), name, directory, seconds))


def prepare(directory: Path) -> None:
    (directory / "faults").mkdir(parents=True, exist_ok=True)


def switch(directory: Path, *, on: bool) -> None:
    flag = directory / "faults" / "on"
    if on:
        flag.touch()
    else:
        flag.unlink(missing_ok=True)


def counts(directory: Path) -> dict[str, int]:
    files = (file for file in (directory / "faults").iterdir() if file.name != "on")
    return {file.name: file.stat().st_size for file in sorted(files)}


def _faulty(call: Callable[..., Any], name: str, directory: Path, seconds: float) -> Callable[..., Any]:
    from bookings.payments.gateway import GatewaySilent  # noqa: PLC0415

    flag = directory / "faults" / "on"
    kinds, shares = [*SHARES, None], [*SHARES.values(), 1 - sum(SHARES.values())]

    @functools.wraps(call)
    def faulty(*args: Any, **kwargs: Any) -> Any:
        [kind] = random.choices(kinds, shares) if flag.exists() else [None]  # noqa: S311 - not a secret
        if kind is None:
            return call(*args, **kwargs)
        _note(directory / "faults" / f"{name}: {kind}")
        if kind == SILENT:
            raise GatewaySilent("The harness wants silence.")
        verdict = call(*args, **kwargs)
        if kind == LOST:
            raise GatewaySilent("The harness has lost the answer.")
        time.sleep(seconds)
        return verdict

    return faulty


def _note(file: Path) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(handle, b".")
    os.close(handle)
