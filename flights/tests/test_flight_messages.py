"""`POST /flight-messages` and what telegrams do to flights."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.tests.factories import api_client, make_user
from flights.models import Flight, FlightUpdate, RejectedTelegram
from flights.operations import record_update
from flights.telegrams.grammar import Clock
from flights.telegrams.intake import receive_telegrams
from flights.telegrams.matching import day_near, first_after
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


def soon(minutes: int = 30, **fields: Any) -> Flight:
    """A flight JFK-LAX that was to leave so many minutes ago (or is to, below zero)."""
    start = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) - minutes * MINUTE
    return make_flight(departure=start, **fields)


def clock(moment: dt.datetime) -> str:
    return f"{moment:%H%M}"


def telegram(flight: Flight, *elements: str, airport: str | None = None, kind: str = "MVT") -> str:
    head = f"{flight.designator}/{flight.scheduled_departure:%d}.N101AA.{airport or flight.origin_id}"
    return "\n".join((kind, head, *elements))


def send(text: str) -> list[dict[str, Any]]:
    """What each telegram did, without what is empty."""
    return [vars(answer) for answer in receive_telegrams(text=text, source="test")]


def statuses(flight: Flight) -> list[str]:
    return list(
        FlightUpdate.objects.filter(flight=flight).order_by("sequence").values_list("status", flat=True)
    )


def test_a_departure_with_its_delay() -> None:
    flight = soon()
    off, on = flight.scheduled_departure + 15 * MINUTE, flight.scheduled_arrival + 5 * MINUTE
    text = telegram(
        flight, f"AD{clock(off)}/{clock(off + 9 * MINUTE)} EA{clock(on)} LAX", "DL72/0015", "PX112"
    )
    [answer] = send(text)
    assert (answer["outcome"], answer["flight_pk"]) == ("applied", flight.pk)
    flight.refresh_from_db()
    assert (flight.status, flight.delay_minutes, flight.reason) == (
        "Departed",
        15,
        "Weather at the destination",
    )
    assert (flight.estimated_departure, flight.estimated_arrival) == (off, on)
    [again] = send(text)
    assert (again["outcome"], again["updates"]) == ("not_applied", ())


def test_an_arrival_whose_departure_nobody_reported() -> None:
    flight = soon(minutes=420)
    down = flight.scheduled_arrival - 10 * MINUTE
    text = telegram(flight, f"AA{clock(down)}/{clock(down + 6 * MINUTE)}", airport="LAX")
    [answer] = send(text)
    assert [update.status for update in answer["updates"]] == ["Departed", "Landed"]
    assert statuses(flight) == ["Departed", "Landed"]
    flight.refresh_from_db()
    assert flight.estimated_arrival == down + 6 * MINUTE
    assert send(text)[0]["outcome"] == "not_applied"
    # What comes late moves nothing backwards.
    for late in (f"AD{clock(flight.scheduled_departure)}", f"ED{clock(flight.scheduled_departure)}"):
        assert send(telegram(flight, late))[0]["outcome"] == "not_applied"
    assert statuses(flight) == ["Departed", "Landed"]


def test_delays_before_the_departure() -> None:
    flight = soon(minutes=-60)
    expected = flight.scheduled_departure + 95 * MINUTE
    send(telegram(flight, f"ED{expected:%d%H%M}", "DL93/81/0120/0015"))
    flight.refresh_from_db()
    assert (flight.status, flight.delay_minutes) == ("Delayed", 95)
    assert flight.reason.startswith("Late arrival of the aircraft from another flight; Air traffic control")
    send(telegram(flight, f"NI{expected:%d%H%M}", "SI ENGINE TROUBLE"))
    flight.refresh_from_db()
    assert flight.reason == f"More is to be known at {expected:%H:%M} UTC"
    assert flight.delay_minutes == 95
    send(telegram(flight, f"ED{clock(flight.scheduled_departure)}"))
    flight.refresh_from_db()
    assert (flight.status, flight.delay_minutes) == ("Scheduled", 0)


def test_a_return_to_the_ramp_and_another_departure() -> None:
    flight = soon()
    off = flight.scheduled_departure
    assert send(telegram(flight, f"RR{clock(off)}"))[0]["updates"][0].reason == "Returned to the gate"
    send(telegram(flight, f"AD{clock(off)}"))
    send(telegram(flight, f"FR{clock(off + 10 * MINUTE)}"))
    send(telegram(flight, f"ED{clock(off + 60 * MINUTE)}"))
    send(telegram(flight, f"AD{clock(off + 29 * MINUTE)}"))
    assert statuses(flight) == ["Delayed", "Departed", "Diverted", "Diverted", "Departed"]


def test_a_diversion() -> None:
    flight = soon(minutes=200)
    touchdown = flight.scheduled_arrival - 30 * MINUTE
    text = telegram(
        flight, f"EA{clock(touchdown)} ONT", "DR71 PX112", "SI BAD WEATHER", airport="LAX", kind="DIV"
    )
    send(text)
    flight.refresh_from_db()
    assert statuses(flight) == ["Departed", "Diverted"]
    assert flight.reason == "Diverted to ONT: weather at the airport of departure"
    assert flight.estimated_arrival == touchdown
    # Its departure, told late, does not undo that.
    assert send(telegram(flight, f"AD{clock(flight.scheduled_departure)}"))[0]["outcome"] == "not_applied"


def test_a_malformed_one_among_others_changes_nothing() -> None:
    flight = soon()
    good = telegram(flight, f"AD{clock(flight.scheduled_departure)}")
    bad = telegram(flight, "AD2575")
    answers = send(f"{bad}\n\n{good}")
    assert [answer["outcome"] for answer in answers] == ["malformed", "applied"]
    assert (answers[0]["line"], answers[0]["column"]) == (3, 3)
    assert "HHMM" in answers[0]["expected"]
    assert statuses(flight) == ["Departed"]
    assert not RejectedTelegram.objects.exists()


def test_what_moves_no_flight_is_kept_once_and_applied_later(admin_client: Client) -> None:
    flight = soon(number=4711)
    text = telegram(flight, f"AD{clock(flight.scheduled_departure)}")
    Flight.objects.filter(pk=flight.pk).update(number=4712)
    assert [send(text)[0]["outcome"] for _ in range(2)] == ["unknown_flight"] * 2
    row = RejectedTelegram.objects.get()
    assert row.text == text
    act = {"action": "try_again", "_selected_action": [row.pk]}
    admin_client.post("/admin/flights/rejectedtelegram/", act)
    row.refresh_from_db()
    assert row.state == "waiting"
    Flight.objects.filter(pk=flight.pk).update(number=4711)
    admin_client.post("/admin/flights/rejectedtelegram/", act)
    row.refresh_from_db()
    assert (row.state, row.settled_by) == ("applied", "admin")
    assert statuses(flight) == ["Departed"]


def test_a_cancelled_flight_is_left_to_staff(admin_client: Client) -> None:
    flight = soon()
    record_update(flight_pk=flight.pk, status="Cancelled", source="test")
    [answer] = send(telegram(flight, f"ED{clock(flight.scheduled_departure + 60 * MINUTE)}"))
    assert (answer["outcome"], answer["detail"]) == ("refused", "The flight is cancelled.")
    row = RejectedTelegram.objects.get()
    assert admin_client.get("/admin/flights/rejectedtelegram/").status_code == 200
    admin_client.post("/admin/flights/rejectedtelegram/", {"action": "dismiss", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.state == "dismissed"


def test_what_is_still_to_come_has_not_happened() -> None:
    flight = soon(minutes=-120)
    [answer] = send(telegram(flight, f"AD{clock(flight.scheduled_departure)}"))
    assert answer["outcome"] == "refused"
    assert "still to come" in answer["detail"]
    assert statuses(flight) == []


def test_days_and_times_without_month_or_day() -> None:
    near = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
    assert day_near(28, near) == dt.date(2026, 2, 28)
    assert day_near(31, near) == dt.date(2026, 1, 31)  # February has none
    assert day_near(20, near) == dt.date(2026, 2, 20)
    assert first_after(Clock(None, 1, 0), near) == dt.datetime(2026, 3, 2, 1, 0, tzinfo=dt.UTC)
    assert first_after(Clock(28, 1, 0), near) == dt.datetime(2026, 2, 28, 1, 0, tzinfo=dt.UTC)


def test_the_day_is_that_of_utc() -> None:
    # 21:30 on the 9th in New York is 01:30 on the 10th in UTC.
    today = dt.datetime.now(dt.UTC).replace(hour=1, minute=30, second=0, microsecond=0)
    flight = make_flight(departure=today)
    local = today - dt.timedelta(days=1)
    text = telegram(flight, f"ED{clock(today)}")
    assert send(text.replace(f"/{today:%d}.", f"/{local:%d}."))[0]["outcome"] == "unknown_flight"
    assert send(text)[0]["outcome"] == "applied"


def post(user: Any, body: Any, content_type: str) -> Any:
    client = api_client(user)
    if content_type == "application/json":
        return client.post("/flight-messages", body)
    return client.generic("POST", "/flight-messages", body, content_type=content_type)


def test_over_http_as_text_and_as_json() -> None:
    user = make_user()
    flight = soon()
    text = telegram(flight, f"AD{clock(flight.scheduled_departure)}")
    assert post(user, text, "text/plain").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="report_flight_update"))
    user = type(user).objects.get(pk=user.pk)
    answer = post(user, text, "text/plain")
    assert answer.status_code == 200, answer.content
    [message] = answer.json()["messages"]
    assert (message["outcome"], message["type"], message["flightId"]) == ("applied", "MVT", flight.public_id)
    assert message["updates"][0]["sequence"] == 1
    [message] = post(user, {"message": text + "\n\nMVT\nAA/"}, "application/json").json()["messages"][1:]
    assert (message["line"], message["position"], message["outcome"]) == (6, 1, "malformed")
    assert post(user, "\n", "text/plain").status_code == 400
    assert post(user, b"\xff", "text/plain").status_code == 400
    assert post(user, "MVT\n\n" * 501, "text/plain").status_code == 413
