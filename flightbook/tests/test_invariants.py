"""Every invariant of every app: whole after a life of bookings, and each seen to report when it is broken, it
alone. The constraint that would refuse the break is dropped first, in the test's own transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from pytest_django import DjangoDbBlocker

from accounts.models import Mail, RefreshToken, Session, User
from bookings import ledger
from bookings.models import (
    Booking,
    Coupon,
    Disruption,
    IdempotencyKey,
    LedgerEntry,
    PaymentAttempt,
    Refund,
    SandboxPayment,
    SandboxRefund,
    Segment,
)
from bookings.payments.sandbox import CAPTURE_REFUSED, DECLINED, NO_ANSWER_CHARGED
from bookings.public import expire_holds, settle_payments
from bookings.tests.factories import Traveller, leases_over, overdue, passengers, payment_of
from flightbook.audit import all_checks
from flightbook.invariants import broken
from flights.models import CabinInventory, DisplacedSeat, Feed, Flight, FlightUpdate, SeatAssignment
from flights.public import record_update, register_consumer
from flights.tests.factories import make_cabin, make_flight
from subscriptions.models import Subscription, WebhookEndpoint
from subscriptions.operations import follow
from subscriptions.webhooks.endpoints import ping, register

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


class Life:
    """What people did until now: everything that a booking may become, at rest."""

    def __init__(self) -> None:
        register_consumer("relay")
        self.traveller = Traveller()
        self.flight, self.other = make_flight(), make_flight()
        self.quiet = make_flight(economy=0)  # nothing of it was ever sold
        self.paid = self._booked(fare="EFLEX", seats=["20A"], key="k")
        infant = passengers(2, type="infant")
        self.held = self.traveller.held(self.flight, self.other, passengers=infant)
        self.cancelled = self._booked(fare="EFLEX")
        settle_payments()
        self.traveller.cancel(self.cancelled)
        self._somebody_leaves()
        self._paths_that_end_without_a_seat()
        for minutes in (10, 20, 30):
            record_update(flight_pk=self.quiet.pk, status="Delayed", delay_minutes=minutes, source="test")
        follow(user_pk=self.traveller.user.pk, flight_pk=self.flight.pk)
        leases_over()
        while settle_payments():
            pass

    def _booked(self, *, seats: list[str] | None = None, **body: Any) -> Booking:
        wishes = [
            {"flightId": self.flight.public_id, "passenger": n, "seat": s} for n, s in enumerate(seats or ())
        ]
        return self.traveller.booked(self.flight, seats=wishes, **body)

    def _somebody_leaves(self) -> None:
        """One of two, who had paid for a fare that gives nothing back so late."""
        flight = make_flight(departs_in=timedelta(days=2))
        booking = self.traveller.booked(flight, passengers=passengers(2))
        body = {"bookingId": booking.public_id, "passengers": [1]}
        assert self.traveller.post("/cancel-booking", body).status_code == 200

    def _paths_that_end_without_a_seat(self) -> None:
        overdue(self.traveller.held(self.flight))
        expire_holds()
        self.traveller.pay(paid := self.traveller.held(self.flight))
        self.traveller.cancel(paid)
        for token in (DECLINED, CAPTURE_REFUSED, NO_ANSWER_CHARGED):
            self.traveller.book(self.flight, paymentToken=token)

    def elsewhere(self, **fields: Any) -> PaymentAttempt:
        """A payment over another gateway, whose book we do not have."""
        values = {"amount": Decimal(100), "currency": "USD", "gateway": "bank", "lease_until": Now()}
        payment = PaymentAttempt.objects.create(user=self.traveller.user, **(values | fields))
        if payment.state == "captured":
            ledger.authorised(
                payment_pk=payment.pk,
                booking_pk=payment.booking_id,
                amount=payment.amount,
                currency=payment.currency,
            )
            ledger.captured(payment)
        return payment

    def ticket(self, number: str) -> dict[str, Any]:
        """A coupon's fields for that ticket."""
        return {"ticket_number": number, "coupon_number": 1, "check_digit": int(number[3:]) % 7}

    def seat(self, seat: str, holder: str, passenger: int = 0) -> None:
        SeatAssignment.objects.create(
            flight=self.flight, cabin="economy", seat=seat, holder=holder, passenger=passenger
        )


def drop(table: str, *constraints: str) -> None:
    """Constraints, and partial unique ones, which are indexes."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in constraints:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
            cursor.execute(f"DROP INDEX IF EXISTS {name}")


def two_refresh_tokens(life: Life) -> None:
    session = life.traveller.user.sessions.get()
    RefreshToken.objects.create(session=session, token_hash="x", expires_at=Now() + HOUR)


def disabled_but_inside(life: Life) -> None:
    User.objects.filter(pk=life.traveller.user.pk).update(is_active=False)
    Session.objects.update(ended_at=None)


def less_than_nothing_left(life: Life) -> None:
    drop("flights_cabininventory", "inventory_never_oversold", "flights_cabininventory_capacity_check")
    cabin = make_cabin(
        life.quiet, cabin="first", seats=1, base_price=Decimal(1), closes_at=life.quiet.scheduled_departure
    )
    CabinInventory.objects.filter(pk=cabin.pk).update(capacity=-1, available=-1)


def open_after_departure(life: Life) -> None:
    Flight.objects.filter(pk=make_flight().pk).update(status="Departed")


def too_many_and_still_selling(life: Life) -> None:
    drop("flights_cabininventory", "inventory_excess_sells_nothing")
    CabinInventory.objects.filter(flight=life.flight).update(excess=1, available=F("available") + 1)


def displaced_who_sits(life: Life) -> None:
    lost = {"flight": life.flight, "cabin": "economy", "seat": "70A", "passenger": 0}
    DisplacedSeat.objects.create(holder=life.paid.public_id, **lost)


def left_on_a_cancelled_flight(life: Life) -> None:
    record_update(flight_pk=life.other.pk, status="Cancelled", source="test")
    FlightUpdate.objects.filter(flight=life.other).update(recorded_at=Now() - HOUR)


def never_refunded(life: Life) -> None:
    Disruption.objects.create(
        booking=life.paid, flight=life.flight, sequence=1, kind="cancelled", choice_until=Now() - HOUR
    )


def two_holders(life: Life) -> None:
    drop("flights_seatassignment", "seat_held_once")
    life.seat("20A", life.held.public_id)


def two_seats(life: Life) -> None:
    drop("flights_seatassignment", "seat_one_per_passenger")
    life.seat("20B", life.paid.public_id)


def seat_named(seat: str) -> Callable[[Life], object]:
    return lambda life: SeatAssignment.objects.filter(released_at=None).update(seat=seat)


def followed_twice(life: Life) -> None:
    drop("subscriptions_subscription", "subscription_unique")
    Subscription.objects.create(user=life.traveller.user, flight=life.flight)


def waits_for_an_ended_webhook(life: Life) -> None:
    ping(endpoint_pk=register(user_pk=life.traveller.user.pk, url="https://example.com/").pk)
    WebhookEndpoint.objects.update(state="ended")


def claimed_for_nobody(life: Life) -> None:
    Segment.objects.filter(booking=life.held, flight=life.other).update(seats_claimed=2)
    CabinInventory.objects.filter(flight=life.other).update(available=F("available") - 1)


def of_the_infant(life: Life) -> QuerySet[Coupon]:
    return Coupon.objects.filter(segment__booking=life.held, segment__position=0, passenger__type="infant")


def a_coupon_less(life: Life) -> None:
    Booking.objects.filter(pk=life.held.pk).update(total=F("total") - of_the_infant(life).get().price)
    of_the_infant(life).delete()


def standing_after_the_end(life: Life) -> None:
    """A hold that expired, whole as if it had not."""
    Segment.objects.filter(booking__status="Expired").update(status="Booked")
    Coupon.objects.filter(segment__booking__status="Expired").update(status="Open")


def without_a_ticket(life: Life) -> None:
    rows = Coupon.objects.filter(segment__booking=life.paid)
    rows.update(ticket_number="", coupon_number=None, check_digit=None)


def two_on_one_ticket(life: Life) -> None:
    number = Coupon.objects.get(segment__booking=life.paid).ticket_number
    of_the_cancelled(life).update(**life.ticket(number) | {"coupon_number": 2})


def follows_for_a_cancelled_one(life: Life) -> None:
    follow(user_pk=life.traveller.user.pk, flight_pk=life.flight.pk, source=life.cancelled.public_id)


def more_back_than_was_taken(life: Life) -> None:
    payment = life.elsewhere(state="captured")
    for _ in range(2):
        refund = Refund.objects.create(payment=payment, amount=100, state="done", reason="test")
        ledger.refund_due(refund)
        ledger.refunded(refund)


def a_refund_refused(life: Life) -> None:
    forgotten_there(life)
    Refund.objects.update(state="failed")
    LedgerEntry.objects.filter(event="refunded").delete()


def forgotten_there(life: Life) -> None:
    refund = SandboxRefund.objects.get()
    SandboxPayment.objects.filter(pk=refund.payment_id).update(refunded=0)
    refund.delete()


def an_answer_without_a_body(life: Life) -> None:
    drop("bookings_idempotencykey", "idempotency_answer_whole")
    IdempotencyKey.objects.update(body=None)


def rows(model: type[Any], **changes: Any) -> Callable[[Life], object]:
    return lambda life: model.objects.update(**changes)


def held(**changes: Any) -> Callable[[Life], object]:
    return lambda life: Booking.objects.filter(pk=life.held.pk).update(**changes)


def of_the_cancelled(life: Life) -> QuerySet[Coupon]:
    return Coupon.objects.filter(segment__booking=life.cancelled)


def entries(of_event: str, **changes: Any) -> Callable[[Life], object]:
    return lambda life: LedgerEntry.objects.filter(event=of_event).update(**changes)


def taken_there(life: Life) -> None:
    SandboxPayment.objects.create(key=uuid.uuid4(), amount=1, currency="USD", state="captured")


BREAKS: list[tuple[str, Callable[[Life], object]]] = [
    ("accounts.one_refresh_token", two_refresh_tokens),
    ("accounts.disabled_users_are_out", disabled_but_inside),
    ("accounts.sent_mail_has_its_time", rows(Mail, state="sent")),
    ("flights.counter_in_bounds", less_than_nothing_left),
    ("flights.excess_sells_nothing", too_many_and_still_selling),
    ("flights.displaced_is_work_or_settled", displaced_who_sits),
    ("flights.closed_when_gone", open_after_departure),
    ("flights.seat_held_once", two_holders),
    ("flights.one_seat_per_passenger", two_seats),
    ("flights.seat_of_the_aircraft", seat_named("99A")),
    ("flights.seat_of_the_aircraft", seat_named("020A")),
    ("flights.seat_of_the_aircraft", seat_named("20X")),
    ("flights.log_without_gaps", lambda life: FlightUpdate.objects.filter(sequence=2).delete()),
    ("flights.state_is_the_last_update", lambda life: Flight.objects.update(gate="Z9")),
    ("flights.feed_behind_the_flight", rows(Feed, done_sequence=4)),
    ("flights.feed_behind_the_flight", rows(Feed, pending=False)),
    ("subscriptions.followed_once", followed_twice),
    ("subscriptions.webhook_that_waits", waits_for_an_ended_webhook),
    ("bookings.nobody_left_on_a_cancelled_flight", left_on_a_cancelled_flight),
    ("bookings.disruption_settled_in_time", never_refunded),
    ("bookings.seats_sold_once", lambda life: CabinInventory.objects.update(available=F("available") - 1)),
    ("bookings.segment_claims_its_travellers", claimed_for_nobody),
    ("bookings.seat_of_a_traveller", lambda life: life.seat("21A", life.cancelled.public_id)),
    ("bookings.seat_of_a_traveller", lambda life: life.seat("21A", "bkgnobody")),
    ("bookings.seat_of_a_traveller", lambda life: life.seat("21A", life.held.public_id, passenger=1)),
    ("bookings.followed_while_live", follows_for_a_cancelled_one),
    ("bookings.hold_ends_in_time", held(payment_due_by=Now() - HOUR)),
    ("bookings.times_tell_the_status", held(ended_at=Now())),
    ("bookings.total_is_its_coupons", held(total=F("total") + 1)),
    ("bookings.a_coupon_each", a_coupon_less),
    (
        "bookings.coupon_as_its_traveller",
        lambda life: of_the_infant(life).update(passenger=life.paid.passengers.get()),
    ),
    ("bookings.segment_as_its_booking", standing_after_the_end),
    ("bookings.nothing_back_of_an_open_coupon", lambda life: of_the_infant(life).update(refunded=1)),
    ("bookings.ticket_when_paid", without_a_ticket),
    ("bookings.ticket_when_paid", lambda life: of_the_infant(life).update(**life.ticket("0019999999999"))),
    ("bookings.ticket_in_form", lambda life: of_the_cancelled(life).update(check_digit=7)),
    ("bookings.ticket_in_form", lambda life: of_the_cancelled(life).update(ticket_number="001240000000X")),
    ("bookings.ticket_of_one_traveller", two_on_one_ticket),
    (
        "bookings.paid_is_what_stands",
        lambda life: life.elsewhere(state="captured", booking=life.paid, amount=life.paid.total),
    ),
    ("bookings.paid_is_what_stands", lambda life: of_the_cancelled(life).update(refunded=1)),
    ("bookings.ledger_tells_each_payment", entries("captured", event="voided")),
    ("bookings.ledger_tells_each_refund", entries("refunded", event="refunded_otherwise")),
    ("bookings.ledger_balances", entries("captured", booking=None)),
    ("bookings.payment_has_its_booking", lambda life: life.elsewhere(state="captured")),
    ("bookings.payment_has_its_booking", lambda life: life.elsewhere(state="captured", booking=life.held)),
    ("bookings.payment_in_time", lambda life: life.elsewhere(lease_until=Now() - HOUR)),
    ("bookings.refunds_within_the_payment", more_back_than_was_taken),
    ("bookings.refund_in_time", a_refund_refused),
    ("bookings.sandbox_payments_agree", taken_there),
    (
        "bookings.sandbox_payments_agree",
        lambda life: SandboxPayment.objects.filter(key=payment_of(life.paid).key).update(state="authorised"),
    ),
    ("bookings.sandbox_refunds_agree", forgotten_there),
    ("bookings.sandbox_refunds_add_up", rows(SandboxPayment, refunded=F("amount") / 2)),
    ("bookings.answers_are_whole", an_answer_without_a_body),
    ("bookings.answers_are_whole", rows(IdempotencyKey, status=500)),
]
IN_FLIGHT: list[tuple[str, Callable[[Life], object]]] = [
    ("bookings.payment_in_time", lambda life: life.traveller.booked(life.flight)),
    ("bookings.payment_in_time", lambda life: life.elsewhere(lease_until=Now() + HOUR)),
    ("bookings.hold_ends_in_time", held(payment_due_by=Now() - timedelta(seconds=5))),
    ("bookings.refund_in_time", lambda life: life.traveller.cancel(life.paid)),
    (
        "bookings.answers_are_whole",
        rows(IdempotencyKey, status=None, body=None, lease_until=Now() + HOUR),
    ),
]


@pytest.fixture(scope="module")
def life(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Life]:
    """Lived once; each test breaks it in a savepoint of its own."""
    block: Any = transaction.atomic()
    block._from_testcase = True  # as TestCase marks its own: what must be outermost in life may run inside
    with django_db_blocker.unblock(), block:
        assert connection.settings_dict["NAME"].startswith("test_")
        yield Life()
        transaction.set_rollback(True)


def found(*, settled: bool = False) -> list[str]:
    return [finding.check.name for finding in broken(all_checks(), settled=settled)]


def test_a_life_at_rest_is_whole(life: Life) -> None:
    assert broken(all_checks(), settled=True) == []
    states = set(PaymentAttempt.objects.values_list("state", flat=True))
    assert states == {"captured", "voided", "declined"}
    assert set(Booking.objects.values_list("status", flat=True)) == {
        "Held",
        "Confirmed",
        "Cancelled",
        "Expired",
    }


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_what_is_broken_is_reported_and_nothing_else(
    life: Life, name: str, damage: Callable[[Life], object]
) -> None:
    damage(life)

    assert found() == [name]


@pytest.mark.parametrize(("name", "work"), IN_FLIGHT)
def test_work_in_flight_has_a_grace_that_rest_has_not(
    life: Life, name: str, work: Callable[[Life], object]
) -> None:
    work(life)

    assert found() == []
    assert found(settled=True) == [name]


def test_no_check_is_left_out() -> None:
    names = [check.name for check in all_checks()]

    assert set(names) == {name for name, _ in BREAKS}
    assert len(names) == len(set(names))
