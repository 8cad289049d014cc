"""A steady load through the gateway, and what became of each request."""

from __future__ import annotations

import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx

from bench.compose_proof.stack import ADDRESS
from bench.compose_proof.traveller import served_by

Request = tuple[str, str, object]  # method, path, body


class Clients(ABC):
    """At work within a `with`, each in a thread of its own; its end waits for what they have begun."""

    def __init__(self, count: int) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]

    @abstractmethod
    def _work(self) -> None:
        """One client, until `_over` is set."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


class Steady(Clients):
    """Clients that count their outcomes. One that does not begin with 1 or 2 is a failure."""

    def __init__(self, clients: int) -> None:
        super().__init__(clients)
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        self.clients = clients

    @property
    def failures(self) -> dict[str, int]:
        return {outcome: count for outcome, count in self.outcomes.items() if outcome[0] not in "12"}

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count} x {what}" for what, count in sorted(self.outcomes.items()))
        return f"{outcomes} (slowest {self.slowest:.2f} s)"


class Load(Steady):
    """Keep-alive clients that send `requests` in turn, with a pause of `pause` seconds."""

    def __init__(
        self, requests: Callable[[int], Request], *, token: str = "", clients: int = 4, pause: float = 0.02
    ) -> None:
        super().__init__(clients)
        self.replicas: Counter[str] = Counter()
        self._requests, self._pause, self._token = requests, pause, token
        self._numbers = itertools.count()

    def _work(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        with httpx.Client(base_url=f"http://{ADDRESS}", timeout=60, headers=headers) as client:
            while not self._over.wait(self._pause):
                self._one(client, *self._requests(next(self._numbers)))

    def _one(self, client: httpx.Client, method: str, path: str, body: object) -> None:
        began = time.monotonic()
        try:
            response = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.outcomes[type(error).__name__] += 1
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.outcomes[f"{response.status_code}"] += 1
        if "X-Served-By" in response.headers:
            self.replicas[served_by(response.headers)] += 1
