"""Mail to followers: of what matters, once, however many updates there were."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail

from accounts.models import Mail
from accounts.public import deliver_due_mail
from accounts.tests.factories import make_user
from flights import public as flights
from flights.models import Feed
from flights.tests.factories import make_flight
from subscriptions import notices
from subscriptions.notices import tell_of_changes
from subscriptions.operations import change_preference, follow
from subscriptions.tests.factories import report

pytestmark = pytest.mark.django_db


@pytest.fixture
def flight() -> Any:
    tell_of_changes()  # registers the consumer
    return make_flight()


def follower(flight: Any, **wish: Any) -> Any:
    user = make_user()
    follow(user_pk=user.pk, flight_pk=flight.pk)
    if wish:
        change_preference(user_pk=user.pk, flight_pk=flight.pk, **wish)
    return user


def subjects(user: Any) -> list[str]:
    tell_of_changes()
    rows = Mail.objects.filter(to=user.email).order_by("pk").values_list("subject", flat=True)
    return [subject.partition(": ")[2] for subject in rows]


def test_a_delay_in_text_and_html(flight: Any) -> None:
    user = follower(flight)
    report(flight.pk, delay_minutes=45, reason="Weather <at> the airport", gate="B7")
    assert subjects(user) == ["45 minutes late"]
    deliver_due_mail()
    message: Any = mail.outbox[0]
    [(html, kind)] = message.alternatives
    assert kind == "text/html"
    assert "It is expected to leave 45 minutes late." in message.body
    assert "Weather <at> the airport" in message.body
    assert "Weather &lt;at&gt; the airport" in html
    assert "gate B7" in html


def test_small_steps_add_up(flight: Any) -> None:
    user = follower(flight)
    found = []
    for minutes in (5, 10, 14, 18, 25, 34, 12):
        report(flight.pk, delay_minutes=minutes)
        found.append(len(subjects(user)))
    assert found == [0, 0, 0, 1, 1, 2, 3]
    assert subjects(user) == ["18 minutes late", "34 minutes late", "12 minutes late"]


def test_several_that_wait_are_one_mail(flight: Any) -> None:
    user = follower(flight)
    report(flight.pk, delay_minutes=30)
    report(flight.pk, delay_minutes=90, gate="A1")
    report(flight.pk, status="Cancelled", delay_minutes=None)
    assert subjects(user) == ["cancelled"]
    report(flight.pk, status="Scheduled", delay_minutes=None)
    report(flight.pk, status="Cancelled", delay_minutes=None)
    assert subjects(user) == ["cancelled"]  # nothing is new


def test_no_repetition_sends_it_twice(flight: Any) -> None:
    user = follower(flight)
    report(flight.pk, delay_minutes=45)
    assert len(subjects(user)) == 1
    Feed.objects.filter(consumer="mail").update(pending=True, done_sequence=0)
    assert len(subjects(user)) == 1


def test_everybody_hears_what_they_asked_for(flight: Any) -> None:
    plain, patient = follower(flight), follower(flight, delay_threshold=60)
    gates, silent = follower(flight, kinds=["gate"]), follower(flight, channels=["webhook"])
    disabled = follower(flight)
    type(disabled).objects.filter(pk=disabled.pk).update(is_active=False)
    report(flight.pk, delay_minutes=45)
    tell_of_changes()
    report(flight.pk, delay_minutes=45, gate="C3")
    assert subjects(plain) == ["45 minutes late", "gate C3"]
    assert subjects(patient) == subjects(gates) == ["gate C3"]
    assert subjects(silent) == subjects(disabled) == []


def test_once_it_has_left_only_a_diversion_matters(flight: Any) -> None:
    user = follower(flight)
    report(flight.pk, status="Departed", delay_minutes=60)
    assert subjects(user) == []
    report(flight.pk, status="Diverted", delay_minutes=None, reason="Diverted to ONT")
    report(flight.pk, status="Landed", delay_minutes=None)
    assert subjects(user) == []
    other = make_flight(number=400)
    follow(user_pk=user.pk, flight_pk=other.pk)
    report(other.pk, status="Departed", delay_minutes=None)
    report(other.pk, status="Diverted", delay_minutes=None)
    assert subjects(user) == ["diverted"]


def test_who_has_lost_a_lease_tells_no_old_news(flight: Any) -> None:
    """A worker stalls with what it has read; another tells of the next update; then the first goes on."""
    user = follower(flight)
    report(flight.pk, delay_minutes=30)
    [stalled] = flights.lease_feeds(consumer=notices.CONSUMER)
    old = flights.update_state(flight.pk)
    report(flight.pk, delay_minutes=90)
    Feed.objects.filter(consumer=notices.CONSUMER).update(leased_until=None)
    told = subjects(user)
    assert len(told) == 1
    notices._tell(stalled, old, flights.log_name())
    assert subjects(user) == told
