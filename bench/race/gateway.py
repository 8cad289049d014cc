"""The gateway of the race: the product's sandbox with faults around it, or the process `bench.gateway`, which
speaks Stripe's HTTP; for the controller one as the other."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

import httpx

from bench.race import gateway_faults

if TYPE_CHECKING:
    from bench.race.servers import Servers

_SECRET = "whsec_race"  # noqa: S105 - nobody else's
# Shares of the gateway's requests. What a token asks for comes on top (see `orders`).
FAULTS = {
    "answer_lost": 0.01,
    "reset": 0.01,
    "delay": 0.005,
    "fault_before": 0.01,
    "fault_stored": 0.005,
    "fault_after": 0.005,
    "refund_refused": 0.02,
    "webhook_duplicate": 0.1,
    "webhook_late": 0.1,
    "webhook_lost": 0.05,
}


@dataclass(frozen=True)
class Charge:
    """One payment in the gateway's book."""

    captured: Decimal
    refunded: Decimal
    is_standing: bool

    @property
    def net(self) -> Decimal:
        return self.captured - self.refunded


class Gateway(ABC):
    """`good` is the token of a card that has no fault of its own."""

    good: str

    def __init__(self, servers: Servers, *, lease: float) -> None:
        self.servers, self.lease = servers, lease

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def rage(self, *, on: bool, more: Mapping[str, float] = MappingProxyType({})) -> None:
        """Faults, or none; and `more` of those that only a control has."""

    @abstractmethod
    def struck(self) -> dict[str, int]:
        """How often each fault has."""

    @abstractmethod
    def book(self) -> dict[str, list[Charge]]:
        """Its payments by our keys; there should be one each."""


class Sandbox(Gateway):
    good = ""

    def start(self) -> None:
        gateway_faults.prepare(self.servers.directory)

    def rage(self, *, on: bool, more: Mapping[str, float] = MappingProxyType({})) -> None:
        if more:
            raise ValueError("The sandbox has no such fault: take the gateway process.")
        gateway_faults.switch(self.servers.directory, on=on)

    def struck(self) -> dict[str, int]:
        return gateway_faults.counts(self.servers.directory)

    def book(self) -> dict[str, list[Charge]]:
        connection = self.servers.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT key::text, CASE state WHEN 'captured' THEN amount ELSE 0 END, refunded,"
                    " state = 'authorised' FROM bookings_sandboxpayment"
                )
                return {key: [Charge(*values)] for key, *values in cursor.fetchall()}
        finally:
            connection.close()


class Process(Gateway):
    good = "pm_card"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        ledger = self.servers.directory / "gateway.sqlite"
        webhook = f"http://127.0.0.1:{self.servers.port}/payment-events/stripe"
        options = ["--port", str(self.servers.gateway_port), "--ledger", str(ledger)]
        self.servers.start_other(
            "gateway", "-m", "bench.gateway", *options, "--webhook", webhook, "--secret", _SECRET
        )
        self.servers.eventually_answers(f"{self._base}/faults")

    def rage(self, *, on: bool, more: Mapping[str, float] = MappingProxyType({})) -> None:
        rates = FAULTS | {"delay_seconds": self.lease * 1.2} | more if on else {}
        httpx.post(f"{self._base}/faults", json=rates, timeout=10).raise_for_status()

    def struck(self) -> dict[str, int]:
        struck: dict[str, int] = httpx.get(f"{self._base}/faults", timeout=10).json()["struck"]
        return struck

    def book(self) -> dict[str, list[Charge]]:
        book: dict[str, list[Charge]] = {}
        for payment in httpx.get(f"{self._base}/ledger", timeout=60).json()["payments"]:
            cents = payment["amount"] if payment["status"] == "succeeded" else 0
            charge = Charge(
                captured=Decimal(cents) / 100,
                refunded=Decimal(payment["refunded"]) / 100,
                is_standing=payment["status"] == "requires_capture",
            )
            book.setdefault(payment["key"], []).append(charge)
        return book

    @property
    def _base(self) -> str:
        return f"http://127.0.0.1:{self.servers.gateway_port}"


GATEWAYS: dict[str, type[Gateway]] = {"sandbox": Sandbox, "process": Process}


def settings(name: str, port: int) -> dict[str, str]:
    """What the product is told of it. Its patience is short: so are the leases."""
    if name == "sandbox":
        return {"PAYMENT_GATEWAY": "sandbox"}
    return {
        "PAYMENT_GATEWAY": "stripe",
        "PAYMENT_TIMEOUT_SECONDS": "2",
        "STRIPE_API_BASE": f"http://127.0.0.1:{port}",
        "STRIPE_SECRET_KEY": "sk_test_race",
        "STRIPE_WEBHOOK_SECRET": _SECRET,
    }
