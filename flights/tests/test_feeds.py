"""Consumers of the log: leases, order, nothing skipped."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from django.db import transaction
from django.db.models.functions import Now

from flights import queries
from flights.feeds import advance_feed, feed_backlog, lease_feeds, register_consumer
from flights.models import Feed, FeedConsumer, Flight
from flights.operations import record_update
from flights.tests.factories import make_flight
from flights.tests.races import in_background, together, wait_for_a_lock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def relay(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("transactional_db" if "transaction" in request.keywords else "db")
    register_consumer("relay")


def delay(flight: Flight, minutes: int = 10) -> None:
    record_update(flight_pk=flight.pk, status="Delayed", delay_minutes=minutes, source="test")


def end_leases() -> None:
    Feed.objects.update(leased_until=Now() - dt.timedelta(seconds=1))


def test_registering_again_changes_nothing() -> None:
    register_consumer("relay")

    assert FeedConsumer.objects.count() == 1


def test_one_lease_a_flight_and_the_longest_waiting_first() -> None:
    first, second, third = make_flight(), make_flight(), make_flight()
    for flight in (first, second, third, first):
        delay(flight)

    leases = lease_feeds(consumer="relay", limit=2)

    assert [(lease.flight_pk, lease.done_sequence) for lease in leases] == [(first.pk, 0), (second.pk, 0)]
    assert [lease.flight_pk for lease in lease_feeds(consumer="relay")] == [third.pk]
    assert lease_feeds(consumer="relay") == []


def test_consumers_go_each_at_its_own_pace() -> None:
    register_consumer("webhooks")
    flight = make_flight()
    delay(flight)
    (lease,) = lease_feeds(consumer="relay")
    assert advance_feed(lease, done_sequence=1)
    delay(flight)

    assert [lease.done_sequence for lease in lease_feeds(consumer="relay")] == [1]
    assert [lease.done_sequence for lease in lease_feeds(consumer="webhooks")] == [0]
    assert lease_feeds(consumer="nobody") == []


def test_a_consumer_begins_with_the_first_update_after_its_registration() -> None:
    flight = make_flight()
    delay(flight)
    register_consumer("late")
    assert lease_feeds(consumer="late") == []
    delay(flight)

    (lease,) = lease_feeds(consumer="late")
    assert lease.done_sequence == 1


def test_what_arrives_during_the_work_keeps_the_feed_pending() -> None:
    flight = make_flight()
    delay(flight)
    (lease,) = lease_feeds(consumer="relay")
    delay(flight)

    assert lease_feeds(consumer="relay") == []  # still leased
    assert advance_feed(lease, done_sequence=1)

    (again,) = lease_feeds(consumer="relay")
    assert again.done_sequence == 1
    assert advance_feed(again, done_sequence=2)
    assert lease_feeds(consumer="relay") == []


def test_a_lease_that_is_over_is_taken_and_its_old_holder_keeps_nothing() -> None:
    flight = make_flight()
    delay(flight)
    (slow,) = lease_feeds(consumer="relay")
    end_leases()
    (quick,) = lease_feeds(consumer="relay")

    assert quick.token != slow.token
    assert not advance_feed(slow, done_sequence=1)
    assert Feed.objects.get().done_sequence == 0
    assert advance_feed(quick, done_sequence=1)
    assert not advance_feed(quick, done_sequence=1)


def test_a_lease_that_is_over_but_not_taken_may_still_advance() -> None:
    flight = make_flight()
    delay(flight)
    (lease,) = lease_feeds(consumer="relay")
    end_leases()

    assert advance_feed(lease, done_sequence=1)
    assert feed_backlog("relay") == (0, 0.0)


def test_backlog() -> None:
    flight = make_flight()
    delay(flight)
    Feed.objects.update(pending_since=Now() - dt.timedelta(minutes=5))
    delay(flight)  # the oldest of the two counts
    delay(make_flight())

    pending, age = feed_backlog("relay")
    assert pending == 2
    assert 300 <= age < 330


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_share_the_flights() -> None:
    flights = [make_flight() for _ in range(8)]
    for flight in flights:
        delay(flight)

    shares = together([lambda: lease_feeds(consumer="relay", limit=3)] * 4)

    taken = [lease.flight_pk for share in shares for lease in share]
    taken += [lease.flight_pk for lease in lease_feeds(consumer="relay")]  # what all skipped as locked
    assert sorted(taken) == sorted(flight.pk for flight in flights)


@pytest.mark.django_db(transaction=True)
def test_an_update_that_commits_while_a_worker_advances_is_not_lost() -> None:
    """The advance waits for the update; it must not compare with the sequence from before the wait."""
    flight = make_flight()
    delay(flight)
    (lease,) = lease_feeds(consumer="relay")

    with transaction.atomic():
        delay(flight)
        advanced = in_background(lambda: advance_feed(lease, done_sequence=1))
        wait_for_a_lock()

    assert advanced()
    assert [lease.done_sequence for lease in lease_feeds(consumer="relay")] == [1]


@pytest.mark.django_db(transaction=True)
def test_workers_and_reporters_together_every_update_handled_in_order() -> None:
    flights = [make_flight() for _ in range(3)]
    handled: dict[int, list[int]] = {flight.pk: [] for flight in flights}
    total = 3 * 10

    def work() -> None:
        deadline = time.monotonic() + 30
        while sum(map(len, handled.values())) < total and time.monotonic() < deadline:
            for lease in lease_feeds(consumer="relay", limit=1):
                updates = queries.updates_after(flight_pk=lease.flight_pk, sequence=lease.done_sequence)
                handled[lease.flight_pk] += [update.sequence for update in updates]
                assert advance_feed(lease, done_sequence=handled[lease.flight_pk][-1])

    def tell(flight: Flight) -> None:
        for minutes in range(10):
            delay(flight, minutes)

    together([work, work, *(lambda flight=flight: tell(flight) for flight in flights)])

    assert handled == {flight.pk: list(range(1, 11)) for flight in flights}
    assert feed_backlog("relay")[0] == 0
