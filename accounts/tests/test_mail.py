"""The outbox: queued with what it tells of, sent at least once, given up on in the end."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts import mail, public
from accounts.models import Mail
from accounts.tests.racing import at_once


class FailingBackend(EmailBackend):
    """A mail server that says no, or nothing."""

    error: Exception = smtplib.SMTPServerDisconnected("gone")

    def send_messages(self, messages: Any) -> int:
        raise self.error


@pytest.fixture
def failing(settings: Any) -> Callable[[Exception], None]:
    def fail(error: Exception) -> None:
        FailingBackend.error = error
        settings.EMAIL_BACKEND = f"{__name__}.FailingBackend"

    return fail


def queue(key: str = "booking:1", **changes: str) -> None:
    public.queue_mail(key=key, **{"to": "a@example.com", "subject": "Booked", "text": "You fly."} | changes)


@pytest.mark.django_db
def test_a_queued_mail_is_sent_once(settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "Flightbook <bookings@flightbook.example>"
    queue()
    assert public.deliver_due_mail() == 1
    assert public.deliver_due_mail() == 0
    (message,) = outbox.outbox
    assert (message.to, message.subject, message.body) == (["a@example.com"], "Booked", "You fly.")
    assert message.from_email == "Flightbook <bookings@flightbook.example>"
    row = Mail.objects.get()
    assert (row.state, row.attempts, row.sent_at is not None) == ("sent", 1, True)


@pytest.mark.django_db
def test_the_same_news_is_queued_once() -> None:
    queue()
    queue(text="again")
    public.deliver_due_mail()
    queue()
    assert Mail.objects.get().text == "You fly."
    assert public.deliver_due_mail() == 0


@pytest.mark.django_db
def test_mail_of_a_transaction_that_is_rolled_back_is_not_sent() -> None:
    with transaction.atomic():
        queue()
        transaction.set_rollback(True)
    assert public.deliver_due_mail() == 0


@pytest.mark.django_db
def test_a_subject_is_one_short_line() -> None:
    queue(subject="Booked\r\nBcc: everybody@example.com " + "x" * 300)
    public.deliver_due_mail()
    (message,) = outbox.outbox
    assert message.subject.startswith("Booked Bcc: everybody@example.com xxx")
    assert len(message.subject) == 200


@pytest.mark.django_db
def test_a_repeated_mail_has_the_same_message_id() -> None:
    queue()
    queue("booking:2")
    public.deliver_due_mail()
    Mail.objects.update(state="pending", due_at=Now())  # as after a crash between sending and marking
    public.deliver_due_mail()
    names = [message.message()["Message-ID"] for message in outbox.outbox]
    assert len(names) == 4
    assert len(set(names)) == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused({"a@example.com": (550, b"no such user")}),
        smtplib.SMTPServerDisconnected("gone"),
        ConnectionRefusedError("no server"),
        TimeoutError("silent"),
    ],
)
def test_a_failure_is_noted_and_tried_again_later(failing: Any, settings: Any, error: Exception) -> None:
    failing(error)
    queue()
    assert public.deliver_due_mail() == 0
    row = Mail.objects.get()
    assert (row.state, row.attempts) == ("pending", 1)
    assert type(error).__name__ in row.last_error
    assert Mail.objects.filter(due_at__gt=Now(), due_at__lt=Now() + timedelta(seconds=45)).exists()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    Mail.objects.update(due_at=Now())
    assert public.deliver_due_mail() == 1


@pytest.mark.django_db
def test_one_mail_that_fails_holds_up_no_other(failing: Any) -> None:
    failing(smtplib.SMTPServerDisconnected("gone"))
    for number in range(3):
        queue(f"booking:{number}")
    assert public.deliver_due_mail() == 0
    assert list(Mail.objects.values_list("attempts", flat=True)) == [1, 1, 1]


@pytest.mark.django_db
def test_after_some_three_days_it_is_given_up_and_can_be_tried_again(failing: Any, settings: Any) -> None:
    failing(smtplib.SMTPServerDisconnected("gone"))
    queue()
    for _ in range(mail.MAX_ATTEMPTS + 3):
        public.deliver_due_mail()
        Mail.objects.update(due_at=Now())
    row = Mail.objects.get()
    assert (row.state, row.attempts) == ("failed", mail.MAX_ATTEMPTS)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert public.deliver_due_mail() == 0
    assert mail.retry_failed_mail(pks=[row.pk]) == 1
    assert public.deliver_due_mail() == 1
    assert mail.retry_failed_mail(pks=[row.pk]) == 0


def test_the_waits_grow_and_add_up_to_three_days() -> None:
    def middle(attempts: int) -> timedelta:
        return sum((mail.wait_after(attempts) for _ in range(300)), timedelta()) / 300

    waits = [middle(attempts) for attempts in range(1, mail.MAX_ATTEMPTS)]
    assert timedelta(seconds=25) < waits[0] < timedelta(seconds=35)
    assert waits[:9] == sorted(waits[:9])
    assert timedelta(days=2.5) < sum(waits, timedelta()) < timedelta(days=3.5)
    assert mail.wait_after(10_000) <= mail.LONGEST_WAIT * 1.5
    assert len({mail.wait_after(5) for _ in range(10)}) > 1


@pytest.mark.django_db
def test_a_leased_mail_is_left_alone_until_its_lease_ends() -> None:
    queue()
    assert Mail.objects.lease(mail.LEASE) is not None
    assert public.deliver_due_mail() == 0
    Mail.objects.update(due_at=F("due_at") - mail.LEASE)
    assert public.deliver_due_mail() == 1


@pytest.mark.django_db
def test_a_worker_that_lost_its_lease_changes_nothing_any_more() -> None:
    queue()
    slow = Mail.objects.lease(timedelta())
    assert slow is not None
    fast = Mail.objects.lease(mail.LEASE)
    assert fast is not None
    mail._put_off(slow, "too late")
    assert Mail.objects.get().last_error == ""
    mail._deliver(fast)
    mail._put_off(slow, "too late")
    assert Mail.objects.get().state == "sent"


@pytest.mark.django_db(transaction=True)
def test_of_several_workers_each_sends_what_no_other_does() -> None:
    for number in range(30):
        queue(f"booking:{number}")
    sent = at_once([lambda: public.deliver_due_mail(limit=30)] * 4)
    assert sum(count for count in sent if isinstance(count, int)) == 30
    names = [message.message()["Message-ID"] for message in outbox.outbox]
    assert len(names) == len(set(names)) == 30


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_while_a_mail_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    queue()
    seen: list[Any] = []

    def watch(self: EmailBackend, messages: Any) -> int:
        seen.extend(at_once([_lockable]))
        return len(messages)

    monkeypatch.setattr(EmailBackend, "send_messages", watch)
    assert public.deliver_due_mail() == 1
    assert seen == [1]


def _lockable() -> int:
    """How many mails somebody else can lock without waiting; raises where one is held."""
    with transaction.atomic():
        return len(Mail.objects.select_for_update(nowait=True))
