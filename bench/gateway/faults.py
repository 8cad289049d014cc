"""Which fault strikes whom, and how often each has."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping

ON_THE_WAY = ("reset", "delay", "fault_before", "fault_stored", "fault_after", "answer_lost")
AT_THE_BANK = ("capture_refused", "captured_before_void", "refund_refused")
OF_KEYS = ("keys_forgotten",)
OF_WEBHOOKS = ("webhook_duplicate", "webhook_late", "webhook_lost")
NAMES = (*ON_THE_WAY, *AT_THE_BANK, *OF_KEYS, *OF_WEBHOOKS)
SECONDS = {"delay_seconds": 2.0, "late_seconds": 3.0}


class Faults:
    def __init__(self, rates: Mapping[str, float]) -> None:
        self._lock = threading.Lock()
        self._met: set[tuple[str, str]] = set()
        self.struck: Counter[str] = Counter()
        self.set(rates)

    def set(self, rates: Mapping[str, float]) -> None:
        """Raises ValueError for a fault that there is not."""
        if unknown := set(rates) - set(NAMES) - set(SECONDS):
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        self.rates = {name: float(rate) for name, rate in rates.items()}

    def seconds(self, name: str) -> float:
        return self.rates.get(name, SECONDS[name])

    def strikes(self, name: str, *, token: str = "", once: str = "") -> bool:
        """Whether this fault strikes now: by its rate, or because the token asks for it (for one `once`, only
        the first time)."""
        with self._lock:
            asked_for = token == f"pm_{name}" and not (once and (name, once) in self._met)
            if once and asked_for:
                self._met.add((name, once))
            # A simulation's dice, not a secret's.
            hit = asked_for or random.random() < self.rates.get(name, 0.0)  # noqa: S311
            self.struck[name] += hit
            return hit
