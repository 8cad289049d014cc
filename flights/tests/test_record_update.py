"""Reports of what happens to a flight: `record_update`."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from flightbook.errors import Invalid, InvalidTransition, NotFound
from flights import queries
from flights.feeds import UPDATE_CHANNEL
from flights.models import CabinInventory, Flight, FlightUpdate
from flights.operations import record_update
from flights.tests.factories import make_flight
from flights.tests.races import together
from flights.transitions import TRANSITIONS
from flights.types import FlightStatus, RecordedUpdate, UpdateView

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def report(flight: Flight, status: str = "Delayed", **what: Any) -> RecordedUpdate:
    return record_update(flight_pk=flight.pk, status=status, source="test", **what)


def applied(flight: Flight, status: str = "Delayed", **what: Any) -> UpdateView:
    recorded = report(flight, status, **what)
    assert recorded.applied
    assert recorded.update is not None
    return recorded.update


def refused(flight: Flight, status: str, **what: Any) -> list[str]:
    """The pointers of an `Invalid` report, which changed nothing."""
    with pytest.raises(Invalid) as caught:
        report(flight, status, **what)
    flight.refresh_from_db()
    assert (flight.sequence, FlightUpdate.objects.count()) == (0, 0)
    return [error.pointer for error in caught.value.errors]


def test_the_flight_the_log_and_the_answer_agree() -> None:
    flight = make_flight()
    update = applied(flight, delay_minutes=90, reason="Technical issue", gate="B12", terminal="4")

    assert update == queries.updates_after(flight_pk=flight.pk, sequence=0)[0]
    assert update.sequence == 1
    assert (update.status, update.delay_minutes, update.reason) == ("Delayed", 90, "Technical issue")
    assert (update.gate, update.terminal) == ("B12", "4")
    assert update.departure == flight.scheduled_departure
    assert update.estimated_departure == flight.scheduled_departure + 1.5 * HOUR
    assert update.estimated_arrival == flight.scheduled_arrival + 1.5 * HOUR
    state = queries.update_state(flight.pk)
    assert (state.sequence, state.occurred_at, state.gate) == (1, update.occurred_at, "B12")


def test_what_is_absent_stays_but_for_the_delay_that_is_taken_back() -> None:
    flight = make_flight()
    applied(flight, delay_minutes=30, reason="Weather", gate="1", terminal="A")

    boarding = applied(flight, "Boarding", gate="2")
    assert (boarding.delay_minutes, boarding.reason, boarding.gate, boarding.terminal) == (30, "", "2", "A")
    delayed = applied(flight, delay_minutes=45, reason="Weather")
    assert applied(flight).reason == delayed.reason  # the status stayed, and so does its reason
    on_time = applied(flight, "Scheduled", gate="")
    assert (on_time.delay_minutes, on_time.estimated_departure, on_time.estimated_arrival) == (
        None,
        None,
        None,
    )
    assert (on_time.reason, on_time.gate, on_time.terminal, on_time.sequence) == ("", "", "A", 5)


def test_an_estimate_gives_the_delay() -> None:
    flight = make_flight()
    update = applied(flight, estimated_departure=flight.scheduled_departure + HOUR)

    assert update.delay_minutes == 60
    assert update.estimated_arrival == flight.scheduled_arrival + HOUR


@pytest.mark.parametrize("status", FlightStatus.values)
@pytest.mark.parametrize("following", FlightStatus.values)
def test_transitions(status: str, following: str) -> None:
    flight = make_flight(status=status)
    if following in TRANSITIONS[status]:
        assert applied(flight, following).status == following
    else:
        with pytest.raises(InvalidTransition) as caught:
            report(flight, following)
        assert caught.value.extra["allowed"] == list(TRANSITIONS[status])
        assert queries.update_state(flight.pk).sequence == 0


@pytest.mark.parametrize("status", ["Cancelled", "Departed"])
def test_sale_closes_and_a_reinstated_flight_sells_again(status: str) -> None:
    flight = make_flight(business=5)
    other = make_flight()
    report(flight, status)

    assert set(CabinInventory.objects.filter(flight=flight).values_list("is_open", flat=True)) == {False}
    assert CabinInventory.objects.get(flight=other).is_open
    if status == "Cancelled":
        report(flight, "Scheduled")
        assert set(CabinInventory.objects.filter(flight=flight).values_list("is_open", flat=True)) == {True}


def test_a_new_schedule_moves_the_end_of_sale_and_the_day() -> None:
    departure = dt.datetime(2030, 1, 10, 22, tzinfo=dt.UTC)
    flight = make_flight(departure=departure, closes_at=departure - HOUR)
    applied(flight, delay_minutes=30)

    update = applied(flight, "Scheduled", departure=departure + 8 * HOUR)  # 01:00 of the 11th in New York

    assert (update.departure, update.arrival) == (departure + 8 * HOUR, flight.scheduled_arrival + 8 * HOUR)
    assert (update.delay_minutes, update.estimated_departure) == (None, None)
    flight.refresh_from_db()
    assert flight.departure_date == dt.date(2030, 1, 11)
    assert CabinInventory.objects.get(flight=flight).closes_at == departure + 7 * HOUR


def test_a_schedule_that_is_another_flights() -> None:
    flight = make_flight()
    other = make_flight(departure=flight.scheduled_departure + HOUR)

    assert refused(flight, "Scheduled", departure=other.scheduled_departure) == ["/departure"]


def test_values_out_of_range() -> None:
    flight = make_flight()
    departure, arrival = flight.scheduled_departure, flight.scheduled_arrival

    assert refused(flight, "Sleeping") == ["/status"]
    assert refused(flight, "Delayed", delay_minutes=-1) == ["/delayMinutes"]
    assert refused(flight, "Delayed", delay_minutes=10**9) == ["/delayMinutes"]
    assert refused(flight, "Delayed", reason="x" * 201, gate="123456789") == ["/reason", "/gate"]
    assert refused(flight, "Delayed", terminal="\0") == ["/terminal"]
    assert refused(flight, "Delayed", report_id="") == ["/reportId"]
    assert refused(flight, "Delayed", arrival=departure) == ["/arrival"]
    assert refused(flight, "Delayed", departure=arrival, arrival=departure) == ["/arrival"]
    assert refused(flight, "Cancelled", departure=arrival) == ["/departure"]
    end_of_time = dt.datetime(9999, 12, 31, 23, 59, tzinfo=dt.UTC)
    assert refused(flight, "Delayed", departure=end_of_time) == ["/departure"]
    assert refused(flight, "Delayed", arrival=end_of_time) == ["/arrival"]
    assert refused(flight, "Delayed", estimated_departure=end_of_time) == ["/estimatedDeparture"]
    assert refused(flight, "Delayed", estimated_arrival=departure - HOUR) == ["/estimatedArrival"]
    assert refused(flight, "Delayed", occurred_at=dt.datetime.now(dt.UTC) + HOUR) == ["/occurredAt"]


def test_no_such_flight() -> None:
    with pytest.raises(NotFound):
        record_update(flight_pk=2**62, status="Delayed", source="test")


def test_a_repeated_report_takes_no_sequence() -> None:
    flight, other = make_flight(), make_flight()
    applied(flight, "Departed", report_id="r1")

    assert report(flight, "Boarding", report_id="r1") == RecordedUpdate(applied=False, update=None)
    assert queries.update_state(flight.pk).sequence == 1
    assert applied(other, report_id="r1").sequence == 1


def test_a_late_report_takes_no_sequence() -> None:
    flight = make_flight()
    noon = dt.datetime.now(dt.UTC) - 2 * HOUR
    applied(flight, occurred_at=noon, delay_minutes=20)

    assert not report(flight, "Boarding", occurred_at=noon - HOUR).applied
    assert applied(flight, "Boarding", occurred_at=noon).sequence == 2
    assert applied(flight, "Departed").occurred_at > noon  # type: ignore[operator]
    state = queries.update_state(flight.pk)
    assert (state.status, state.sequence, state.delay_minutes) == ("Departed", 3, 20)


def test_a_report_without_a_time_is_never_late() -> None:
    flight = make_flight()
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)  # another clock, within the tolerance
    applied(flight, occurred_at=ahead)

    assert applied(flight, "Boarding").occurred_at == ahead


@pytest.mark.django_db(transaction=True)
def test_reporters_at_once_leave_no_gap() -> None:
    flight = make_flight()

    outcomes = together([partial(applied, flight, delay_minutes=n, report_id=f"r{n}") for n in range(12)])

    assert sorted(outcome.sequence for outcome in outcomes) == list(range(1, 13))
    log = queries.updates_after(flight_pk=flight.pk, sequence=0)
    assert [update.sequence for update in log] == list(range(1, 13))
    assert queries.update_state(flight.pk).delay_minutes == log[-1].delay_minutes
    assert sorted(u.occurred_at for u in log) == [u.occurred_at for u in log]  # type: ignore[type-var]


@pytest.mark.django_db(transaction=True)
def test_one_of_several_with_the_same_report_id_is_applied() -> None:
    flight = make_flight()

    outcomes = together([partial(report, flight, report_id="r1")] * 8)

    assert sorted(outcome.applied for outcome in outcomes) == [False] * 7 + [True]
    assert queries.update_state(flight.pk).sequence == 1


@pytest.mark.django_db(transaction=True)
def test_listeners_are_told_at_the_commit() -> None:
    flight = make_flight()
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {UPDATE_CHANNEL}")
    raw = connection.connection
    try:
        with transaction.atomic():
            applied(flight)
            raw.poll()
            assert raw.notifies == []
        raw.poll()
        assert [(note.channel, note.payload) for note in raw.notifies] == [(UPDATE_CHANNEL, "")]
    finally:
        raw.notifies.clear()
        with connection.cursor() as cursor:
            cursor.execute(f"UNLISTEN {UPDATE_CHANNEL}")


@pytest.mark.django_db(transaction=True)
def test_the_log_has_one_name_whoever_asks_first() -> None:
    names = set(together([queries.log_name] * 6))

    assert len(names) == 1
    assert names == {queries.log_name()}
