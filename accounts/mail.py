"""The outbox: mail is a row of the transaction that it tells of, and is sent later by a worker.

Delivery is at least once. A worker that dies between the mail server's yes and its own commit will have the
mail sent again when its lease ends; the `Message-ID` is made of the mail's key and so stays the same, by
which mail programs know the repetition.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterable
from datetime import timedelta
from email.utils import parseaddr
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db.models import Count, Min
from django.db.models.functions import Now

from accounts.models import Mail, MailQuerySet
from flightbook.statements import Statement, run

logger = logging.getLogger(__name__)

# Longer than one attempt can take: some ten exchanges with the mail server, each bounded by EMAIL_TIMEOUT.
LEASE = timedelta(minutes=5)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=6)
MAX_ATTEMPTS = 21  # with these waits, some three days
_QUEUE = """
INSERT INTO accounts_mail (key, "to", subject, text, html, state, attempts, last_error)
VALUES (%s, %s, %s, %s, %s, 'pending', 0, '') ON CONFLICT (key) DO NOTHING
"""
_random = secrets.SystemRandom()


def queue_mail(*, key: str, to: str, subject: str, text: str, html: str = "") -> None:
    """Puts a mail into the outbox, inside the caller's transaction. The same `key` again adds nothing.

    The subject becomes one line of at most 200 characters. `html` is the same as `text`, for who reads it so.
    """
    run([mail_to_queue(key=key, to=to, subject=subject, text=text, html=html)])


def mail_to_queue(*, key: str, to: str, subject: str, text: str, html: str = "") -> Statement:
    """`queue_mail` for the caller to send, among other statements."""
    line = " ".join(subject.split())[:200]
    return Statement(_QUEUE, (key, to, line, text, html))


def deliver_due_mail(*, limit: int = 20) -> int:
    """Sends up to `limit` mails that are due; how many went out. Never call it inside a transaction."""
    sent = 0
    for _ in range(limit):
        mail = Mail.objects.lease(LEASE)
        if mail is None:
            break
        sent += _deliver(mail)
    return sent


def mail_backlog() -> tuple[int, float]:
    """How much mail waits, and the seconds that the oldest has; ``(0, 0.0)`` for none."""
    waiting = Mail.objects.filter(state=Mail.State.PENDING)
    found = waiting.aggregate(count=Count("pk"), age=Now() - Min("created_at"))
    return found["count"], found["age"].total_seconds() if found["age"] is not None else 0.0


def retry_failed_mail(*, pks: Iterable[int]) -> int:
    """Gives failed mails another three days from now; how many."""
    failed = Mail.objects.filter(pk__in=list(pks), state=Mail.State.FAILED)
    return failed.update(state=Mail.State.PENDING, attempts=0, due_at=Now())


def wait_after(attempts: int) -> timedelta:
    """How long to wait after the n-th failure: twice as long each time up to six hours, give or take a half.

    So a mail server that comes back is not met by all at once.
    """
    wait: timedelta = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempts - 1, 20))
    return wait * _random.uniform(0.5, 1.5)


def _deliver(mail: Mail) -> bool:
    try:
        _message(mail).send()
    except (SMTPException, OSError, ValueError) as error:  # ValueError: what cannot be written as a mail
        logger.warning("mail %s: attempt %s failed: %s", mail.pk, mail.attempts, error)
        _put_off(mail, f"{type(error).__name__}: {error}")
        return False
    _leased(mail).update(state=Mail.State.SENT, sent_at=Now(), last_error="")
    return True


def _put_off(mail: Mail, why: str) -> None:
    state = Mail.State.FAILED if mail.attempts >= MAX_ATTEMPTS else Mail.State.PENDING
    _leased(mail).update(state=state, last_error=why[:2000], due_at=Now() + wait_after(mail.attempts))


def _leased(mail: Mail) -> MailQuerySet:
    """The mail's row as long as the lease is this one: each counts `attempts` on."""
    return Mail.objects.filter(pk=mail.pk, attempts=mail.attempts, state=Mail.State.PENDING)


def _message(mail: Mail) -> EmailMessage:
    sender = settings.DEFAULT_FROM_EMAIL
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    name = hashlib.sha256(mail.key.encode()).hexdigest()[:32]
    headers = {"Message-ID": f"<{name}@{domain}>"}
    message = EmailMultiAlternatives(mail.subject, mail.text, sender, [mail.to], headers=headers)
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    return message
