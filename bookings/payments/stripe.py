"""Stripe: manual-capture PaymentIntents, by the official package.

Our key is the `Idempotency-Key` of the PaymentIntent's creation and stands in its metadata; a refund's key is
that of the refund. After silence the same request is sent again under the same key, which answers what the
first one did (https://docs.stripe.com/api/idempotent_requests); nothing new is asked before. Capturing and
cancelling need no key: the PaymentIntent's own status lets each happen once
(https://docs.stripe.com/payments/paymentintents/lifecycle).

Three limits of those keys are made up for by reading what there is at Stripe: what a key answers again is how
it was then; a fault (5xx) that was stored under a key is all that it will ever answer, so that, where nothing
was made in spite of it, the next key of a series is used (`_nth`); and after a day a key is forgotten. The
series is the same at every try, and has no end but the operation's time: a request that is still under way
somewhere is met again under its own key, and is not made twice.

What is certainly a refusal is `Declined`; all else (no connection, 5xx, 409 and 429 for a key or an object in
use, a wrong secret) is `GatewaySilent` and tried again.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

import requests
import stripe
from django.conf import settings

from bookings.payments.gateway import (
    AlreadyCaptured,
    Approved,
    Declined,
    Gateway,
    GatewaySilent,
    Payment,
)
from bookings.payments.minor_units import minor_units

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams, PaymentIntentListParams

T = TypeVar("T")
# How our keys are called in Stripe's metadata.
PAYMENT_KEY, REFUND_KEY = "flightbook_payment", "flightbook_refund"
# Stripe may forget a key after 24 hours: well before that, what there is is read instead.
KEYS_TRUSTED = timedelta(hours=20)
_REFUSALS = (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError)
_SERVER_FAULTS = 500
_threads = threading.local()


class _StoredFault(GatewaySilent):
    """The key answers with a server's fault, now and for ever."""


class StripeGateway(Gateway):
    """One operation's worth of requests: its time runs from its making."""

    name = "stripe"

    def __init__(self) -> None:
        self._until = time.monotonic() + settings.PAYMENT_TIMEOUT_SECONDS

    def authorise(self, payment: Payment) -> Approved | Declined:
        if not payment.token:
            return Declined("A card is needed: send its paymentToken.")
        try:
            return _verdict(self._first_sound(payment, self._create))
        except stripe.IdempotencyError:
            return Declined("The payment was voided.")
        except (stripe.CardError, stripe.InvalidRequestError, ValueError) as refusal:
            return Declined(_reason(refusal))

    def look_up(self, payment: Payment) -> Approved | Declined | None:
        return _verdict(self._retrieve(payment.reference)) if payment.reference else None

    def capture(self, payment: Payment) -> Approved | Declined:
        reference = payment.reference or self._first_sound(payment, self._create).id
        try:
            intent = self._ask(lambda client: client.v1.payment_intents.capture(reference))
        except stripe.CardError as refusal:
            return self._after_refused_capture(reference, _reason(refusal))
        except stripe.InvalidRequestError:
            intent = self._retrieve(reference)
        if intent.status == "canceled":
            return Declined("The payment was voided.")
        return Approved(intent.id) if intent.status == "succeeded" else _not_yet(intent)

    def void(self, payment: Payment) -> Approved | AlreadyCaptured:
        if payment.reference:
            return self._cancel(payment.reference)
        if not payment.token:
            return Approved("")  # `authorise` asks for nothing without one
        try:
            if payment.created_at < datetime.now(UTC) - KEYS_TRUSTED:
                intent = self._listed(payment)
            else:
                intent = self._first_sound(payment, self._take_key)
        except (stripe.CardError, stripe.InvalidRequestError, ValueError):
            return Approved("")  # it was refused, or could not be asked for at all
        return Approved("") if intent is None else self._cancel(intent.id)

    def refund(self, payment: Payment, *, refund_key: uuid.UUID, amount: Decimal) -> Approved | Declined:
        made = self._refund_made(payment, refund_key)
        if made is not None:
            return _refund_verdict(made)
        try:
            return _refund_verdict(self._refund_once(payment, refund_key, amount))
        except (*_REFUSALS, ValueError) as refusal:
            return Declined(_reason(refusal))

    def _first_sound(
        self, payment: Payment, ask: Callable[[Payment, int], stripe.PaymentIntent]
    ) -> stripe.PaymentIntent:
        """Asks under the first key of the payment's series that is not spoilt by a stored fault; what such a
        one has made all the same is found by its metadata. A spoilt key only repeats itself, so that one look
        is enough for all of them."""
        for number in itertools.count():
            try:
                return ask(payment, number)
            except _StoredFault:
                made = self._listed(payment) if number == 0 else None
                if made is not None:
                    return made
        raise AssertionError("the series has no end")

    def _create(self, payment: Payment, number: int) -> stripe.PaymentIntent:
        """The PaymentIntent of our key, made and confirmed; or the answer that the first such request had."""
        params = _common(payment)
        params["payment_method"], params["confirm"] = payment.token, True
        return self._make(params, payment, number)

    def _take_key(self, payment: Payment, number: int) -> stripe.PaymentIntent:
        """Uses our key up for a PaymentIntent without a card, so that a later `authorise` is refused; where
        it was used before, for the payment itself, that one."""
        try:
            return self._make(_common(payment), payment, number)
        except stripe.IdempotencyError:
            return self._create(payment, number)

    def _make(self, params: PaymentIntentCreateParams, payment: Payment, number: int) -> stripe.PaymentIntent:
        key = _nth(payment.key, number)
        intent = self._ask(lambda client: client.v1.payment_intents.create(params, {"idempotency_key": key}))
        answer = intent.last_response
        is_old = answer is not None and _is_replayed(answer.headers)
        return self._retrieve(intent.id) if is_old else intent

    def _listed(self, payment: Payment) -> stripe.PaymentIntent | None:
        """Ours among all PaymentIntents since the payment began, read in pages of a hundred."""
        since = int((payment.created_at - timedelta(minutes=1)).timestamp())
        params: PaymentIntentListParams = {"created": {"gte": since}, "limit": 100}
        while True:
            page = self._ask(lambda client: client.v1.payment_intents.list(params))
            for intent in page.data:
                if intent.metadata.to_dict().get(PAYMENT_KEY) == str(payment.key):
                    return intent
            if not page.has_more:
                return None
            params["starting_after"] = page.data[-1].id

    def _cancel(self, reference: str) -> Approved | AlreadyCaptured:
        try:
            intent = self._ask(lambda client: client.v1.payment_intents.cancel(reference))
        except stripe.InvalidRequestError:
            intent = self._retrieve(reference)
        if intent.status == "succeeded":
            return AlreadyCaptured(intent.id)
        return Approved(intent.id) if intent.status == "canceled" else _not_yet(intent)

    def _after_refused_capture(self, reference: str, reason: str) -> Approved | Declined:
        """What the bank no longer gives is not held either."""
        verdict = self._cancel(reference)
        return Approved(reference) if isinstance(verdict, AlreadyCaptured) else Declined(reason)

    def _retrieve(self, reference: str) -> stripe.PaymentIntent:
        try:
            return self._ask(lambda client: client.v1.payment_intents.retrieve(reference))
        except stripe.InvalidRequestError as error:  # another account's secret, say: nothing to conclude from
            raise GatewaySilent(_reason(error)) from error

    def _refund_once(self, payment: Payment, refund_key: uuid.UUID, amount: Decimal) -> stripe.Refund:
        """Under the first key of the refund's series that is not spoilt: nothing was made under those."""
        for number in itertools.count():
            with suppress(_StoredFault):
                return self._make_refund(payment, refund_key, amount, number)
        raise AssertionError("the series has no end")

    def _make_refund(
        self, payment: Payment, refund_key: uuid.UUID, amount: Decimal, number: int
    ) -> stripe.Refund:
        units = minor_units(amount, payment.currency)
        key = _nth(refund_key, number)
        return self._ask(
            lambda client: client.v1.refunds.create(
                {
                    "payment_intent": payment.reference,
                    "amount": units,
                    "metadata": {REFUND_KEY: str(refund_key), PAYMENT_KEY: str(payment.key)},
                },
                {"idempotency_key": key},
            )
        )

    def _refund_made(self, payment: Payment, refund_key: uuid.UUID) -> stripe.Refund | None:
        made = self._ask(
            lambda client: client.v1.refunds.list({"payment_intent": payment.reference, "limit": 100})
        )
        mine = (one for one in made.data if _metadata(one).get(REFUND_KEY) == str(refund_key))
        return next(mine, None)

    def _ask(self, call: Callable[[stripe.StripeClient], T]) -> T:
        """One request, in what is left of the time.

        Raises:
            stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError: refused.
            GatewaySilent: nobody knows.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise GatewaySilent("Stripe took too long.")
        try:
            return call(_client(timeout=left))
        except _REFUSALS:
            raise
        except stripe.StripeError as error:
            silence = _StoredFault if _is_stored_fault(error) else GatewaySilent
            raise silence(f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def _client(*, timeout: float) -> stripe.StripeClient:
    """Retries are ours alone to make. A thread keeps its connections."""
    if not hasattr(_threads, "session"):
        _threads.session = requests.Session()
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout, session=_threads.session),
    )


def _nth(key: uuid.UUID, number: int) -> str:
    """Our key; then those that stand in for it where Stripe keeps a fault under the earlier ones."""
    return str(key) if number == 0 else f"{key}-{number}"


def _common(payment: Payment) -> PaymentIntentCreateParams:
    return {
        "amount": minor_units(payment.amount, payment.currency),
        "currency": payment.currency.lower(),
        # Nobody is there to be sent to another page, and without this a `return_url` would be asked for.
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "capture_method": "manual",
        "metadata": {PAYMENT_KEY: str(payment.key)},
    }


def _verdict(intent: stripe.PaymentIntent) -> Approved | Declined:
    if intent.status in ("requires_capture", "succeeded"):
        return Approved(intent.id)
    if intent.status == "processing":
        return _not_yet(intent)
    if intent.status == "canceled":
        return Declined("The payment was voided.")
    if intent.status == "requires_action":
        return Declined("The bank wants the card's holder to confirm: use a card that is set up already.")
    error = intent.last_payment_error
    return Declined((error and error.message) or "The card was declined.")


def _refund_verdict(refund: stripe.Refund) -> Approved | Declined:
    if refund.status in ("failed", "canceled"):
        return Declined(f"Stripe: {refund.failure_reason or refund.status}")
    return Approved(refund.id)


def _not_yet(intent: stripe.PaymentIntent) -> Approved:
    raise GatewaySilent(f"PaymentIntent {intent.id} is {intent.status}.")


def _metadata(refund: stripe.Refund) -> dict[str, str]:
    return {} if refund.metadata is None else dict(refund.metadata.to_dict())


def _reason(refusal: Exception) -> str:
    message = refusal.user_message if isinstance(refusal, stripe.StripeError) else str(refusal)
    return message or "The payment was refused."


def _is_stored_fault(error: stripe.StripeError) -> bool:
    return (error.http_status or 0) >= _SERVER_FAULTS and _is_replayed(error.headers or {})


def _is_replayed(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "idempotent-replayed" and headers[name] == "true" for name in headers)
