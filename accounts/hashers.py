"""Argon2id at OWASP's floor, and never more at once than the machine bears.

ASVS 5.0 and the OWASP Password Storage Cheat Sheet name m=46 MiB, t=1, p=1 as one of the equivalent minimum
settings. Each hash takes that memory and a core for some 50 ms, so that a flood of logins must wait in line
rather than take all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from flightbook.errors import Unavailable

# How long one waits for its turn; the client hears 503 after that.
QUEUE_SECONDS = 10.0


@cache
def _slots() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(max(1, settings.PASSWORD_HASHES_AT_ONCE))


@contextmanager
def hashing_slot() -> Iterator[None]:
    """One of the process's `PASSWORD_HASHES_AT_ONCE` places.

    Raises:
        Unavailable: none became free in `QUEUE_SECONDS`.
    """
    slots = _slots()
    if not slots.acquire(timeout=QUEUE_SECONDS):
        raise Unavailable(detail="Too many logins are under way.", retry_after=5)
    try:
        yield
    finally:
        slots.release()


class BoundedArgon2PasswordHasher(Argon2PasswordHasher):
    time_cost = 1
    memory_cost = 46 * 1024  # KiB
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with hashing_slot():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with hashing_slot():
            return super().verify(password, encoded)
