"""Sales through the gateway, each under a key of its own and asked for again until it is told."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter

import httpx

from bench.compose_proof.load import Clients
from bench.compose_proof.stack import ADDRESS
from bench.compose_proof.traveller import Traveller

CLIENTS, PAUSE, RETRY = 4, 0.02, 0.25  # seconds
PATIENCE = 120.0


class Sales(Clients):
    """A steady load of sales, each asked for until it is told.

    `acknowledged` has the booking of each key that was answered 201, `unanswered` what came instead before a
    key was tried again, `untold` the keys that never were.
    """

    def __init__(self, traveller: Traveller, flights: list[str]) -> None:
        super().__init__(CLIENTS)
        self.acknowledged: dict[str, str] = {}
        self.unanswered: Counter[str] = Counter()
        self.untold: list[str] = []
        self.repeated = 0
        self.slowest = 0.0  # seconds from the first time that a sale is asked for until it is told
        self._moments: list[float] = []
        self._headers = {"Authorization": traveller.http.headers["Authorization"]}
        self._user_id, self._flights = traveller.user_id, itertools.cycle(flights)
        self._lock = threading.Lock()

    def wait_for(self, more: int, seconds: float = PATIENCE) -> float:
        """Until so many more are acknowledged; how long the first of them took, in seconds."""
        began, before = time.monotonic(), len(self._moments)
        while len(self._moments) < before + more:
            assert time.monotonic() - began < seconds, f"no {more} sales within {seconds:.0f} s"
            time.sleep(0.02)
        return self._moments[before] - began

    def _work(self) -> None:
        with httpx.Client(base_url=f"http://{ADDRESS}", timeout=30, headers=self._headers) as client:
            while not self._over.wait(PAUSE):
                with self._lock:
                    flight = next(self._flights)
                self._until_told(client, uuid.uuid4().hex, flight)

    def _until_told(self, client: httpx.Client, key: str, flight: str) -> None:
        began = time.monotonic()
        for tries in itertools.count():
            answer = self._ask(client, key, flight)
            waited = time.monotonic() - began
            with self._lock:
                if answer is not None:
                    self.acknowledged[key] = answer
                    self._moments.append(began + waited)
                    self.repeated += tries > 0
                    self.slowest = max(self.slowest, waited)
                    return
                if waited > PATIENCE:
                    self.untold.append(key)
                    return
            time.sleep(RETRY)

    def _ask(self, client: httpx.Client, key: str, flight: str) -> str | None:
        """The booking's id, or None where nobody was told that there is one."""
        body = {"userId": self._user_id, "flightId": flight, "paymentMethod": "credit_card"}
        try:
            answer = client.post("/book-flight", json=body, headers={"Idempotency-Key": key})
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        else:
            if answer.status_code == httpx.codes.CREATED:
                return str(answer.json()["bookingId"])
            outcome = f"{answer.status_code} {answer.json()['code']}"
        with self._lock:
            self.unanswered[outcome] += 1
        return None
