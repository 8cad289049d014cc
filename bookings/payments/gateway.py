"""What a payment gateway must do for us, whoever it is.

Every call names the payment by **our** key, and equal keys are one payment: a call may be repeated after
silence without doing anything twice. None is made inside a transaction or under a row's lock. Each answers
within twice `settings.PAYMENT_TIMEOUT_SECONDS` (less than a lease) or raises `GatewaySilent`, which means
that nobody knows whether it was done.
"""

from __future__ import annotations

import datetime as dt
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


@dataclass(frozen=True)
class Payment:
    """One payment as a gateway is told of it. `amount` is in whole units of `currency` (ISO 4217), `token`
    what the gateway knows the card by, `reference` the gateway's own id where we know it already; before
    `created_at` no gateway has heard of it."""

    key: uuid.UUID
    amount: Decimal
    currency: str
    token: str
    reference: str
    created_at: dt.datetime


class Gateway(ABC):
    name: ClassVar[str]

    @abstractmethod
    def authorise(self, payment: Payment) -> Approved | Declined:
        """Reserves the amount; an empty token is the gateway's to judge. Called again after silence, it tells
        what became of the first call."""

    @abstractmethod
    def look_up(self, payment: Payment) -> Approved | Declined | None:
        """What became of `authorise`; None where the gateway has never heard of it, or can tell only by being
        asked the same again."""

    @abstractmethod
    def capture(self, payment: Payment) -> Approved | Declined:
        """Takes the authorised money."""

    @abstractmethod
    def void(self, payment: Payment) -> Approved | AlreadyCaptured:
        """Lets go of what was authorised, if anything was, and refuses an `authorise` that comes later."""

    @abstractmethod
    def refund(self, payment: Payment, *, refund_key: uuid.UUID, amount: Decimal) -> Approved | Declined:
        """Gives `amount` back out of the captured payment; equal `refund_key` is one refund."""


def gateway(name: str) -> Gateway:
    """The adapter of that name, as PAYMENT_GATEWAY and each attempt give it."""
    from bookings.payments.sandbox import SandboxGateway  # noqa: PLC0415  # it needs this file
    from bookings.payments.stripe import StripeGateway  # noqa: PLC0415  # and so does it

    adapters: dict[str, type[Gateway]] = {
        adapter.name: adapter for adapter in (SandboxGateway, StripeGateway)
    }
    return adapters[name]()
