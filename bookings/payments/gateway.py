"""What a payment gateway must do for us, whoever it is.

Every call names the payment by **our** key, and equal keys are one payment: a call may be repeated after
silence without doing anything twice. None is made inside a transaction or under a row's lock. Each answers
within `settings.PAYMENT_TIMEOUT_SECONDS` or raises `GatewaySilent`, which means that nobody knows whether it
was done.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar


class GatewaySilent(Exception):
    """No answer: what was asked for may have been done or not."""


@dataclass(frozen=True)
class Approved:
    """Done. `reference` is the gateway's own id of it."""

    reference: str


@dataclass(frozen=True)
class Declined:
    """Refused for good, and why."""

    reason: str


@dataclass(frozen=True)
class AlreadyCaptured:
    """The void came too late: the money was taken and must be refunded."""

    reference: str


class Gateway(ABC):
    name: ClassVar[str]

    @abstractmethod
    def authorise(self, *, key: uuid.UUID, amount: Decimal, currency: str, token: str) -> Approved | Declined:
        """Reserves `amount` on what `token` stands for; an empty token is the gateway's to judge."""

    @abstractmethod
    def look_up(self, *, key: uuid.UUID) -> Approved | Declined | None:
        """What became of `authorise` under `key`; None where the gateway has never heard of it."""

    @abstractmethod
    def capture(self, *, key: uuid.UUID) -> Approved | Declined:
        """Takes the authorised money."""

    @abstractmethod
    def void(self, *, key: uuid.UUID) -> Approved | AlreadyCaptured:
        """Lets go of what was authorised under `key`, if anything was, and refuses an `authorise` that comes
        later."""

    @abstractmethod
    def refund(
        self, *, key: uuid.UUID, refund_key: uuid.UUID, amount: Decimal, currency: str
    ) -> Approved | Declined:
        """Gives `amount` back out of the captured payment `key`; equal `refund_key` is one refund."""


def gateway(name: str) -> Gateway:
    """The adapter of that name, as PAYMENT_GATEWAY and each attempt give it."""
    from bookings.payments.sandbox import SandboxGateway  # noqa: PLC0415  # it needs this file

    adapters: dict[str, type[Gateway]] = {adapter.name: adapter for adapter in (SandboxGateway,)}
    return adapters[name]()
