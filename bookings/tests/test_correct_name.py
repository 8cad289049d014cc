"""`POST /correct-name`: a spelling, before departure, never another traveller."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from accounts.models import Mail
from bookings.models import Booking, Passenger
from bookings.tests.factories import Traveller, check_books, passengers
from flights.models import Flight
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


def correct(
    traveller: Traveller,
    booking: Booking,
    given: Any,
    family: Any,
    *,
    passenger: Any = 0,
    key: str | None = None,
) -> Any:
    body = {"bookingId": booking.public_id, "passenger": passenger, "givenName": given, "familyName": family}
    return traveller.post("/correct-name", body, key=key)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def names(booking: Booking) -> list[str]:
    return [str(passenger) for passenger in booking.passengers.order_by("position")]


def test_a_slip_of_the_pen() -> None:
    traveller = Traveller()
    booking = traveller.booked(make_flight(), passengers=passengers(2, givenName="Jonh", familyName="Smith"))
    tickets = set(Passenger.objects.values_list("coupons__ticket_number", flat=True))

    answer = correct(traveller, booking, "John", "Smith", passenger=1, key="k")

    body = answer.json()
    assert (answer.status_code, body["message"]) == (200, "Name corrected successfully")
    assert body["passengers"][1] == {"givenName": "John", "familyName": "Smith", "type": "adult"}
    assert names(booking) == ["Family0/Given0", "Smith/John"]
    assert set(Passenger.objects.values_list("coupons__ticket_number", flat=True)) == tickets
    booking.refresh_from_db()
    assert booking.version == 2
    assert "Jonh Smith travels as John Smith" in Mail.objects.get(key__endswith=":name-2").text
    replayed = correct(traveller, booking, "John", "Smith", passenger=1, key="k")
    assert (replayed.content, replayed["Idempotent-Replayed"]) == (answer.content, "true")
    check_books()


def test_the_same_name_is_no_change() -> None:
    traveller = Traveller()
    booking = traveller.booked(make_flight(), passengers=passengers(1))

    assert correct(traveller, booking, "Given0", "Family0").status_code == 200
    booking.refresh_from_db()
    assert booking.version == 1
    assert not Mail.objects.filter(key__contains=":name-").exists()


def test_no_row_of_small_steps_leads_to_somebody_else() -> None:
    traveller = Traveller()
    booking = traveller.held(make_flight(), passengers=passengers(1, givenName="Anna", familyName="Berg"))

    assert correct(traveller, booking, "Hanna", "Berg").status_code == 200
    assert correct(traveller, booking, "Hanno", "Berg").status_code == 200
    assert code(correct(traveller, booking, "Hanno", "Borm")) == (409, "not_changeable")
    assert names(booking) == ["Berg/Hanno"]
    assert correct(traveller, booking, "Anna", "Bern").status_code == 200  # from the name of the sale


def test_who_and_when_not() -> None:
    traveller, flight = Traveller(), make_flight()
    booking = traveller.booked(flight, passengers=passengers(1))
    assert code(correct(Traveller(), booking, "Given1", "Family0")) == (404, "not_found")
    assert code(correct(traveller, booking, "Given1", "Family0", passenger=1)) == (400, "invalid")

    past = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    Flight.objects.filter(pk=flight.pk).update(scheduled_departure=past)
    assert code(correct(traveller, booking, "Given1", "Family0")) == (409, "not_changeable")

    Booking.objects.filter(pk=booking.pk).update(status="Expired")
    assert code(correct(traveller, booking, "Given1", "Family0")) == (409, "not_changeable")
    Booking.objects.filter(pk=booking.pk).update(status="Cancelled")
    assert code(correct(traveller, booking, "Given1", "Family0")) == (409, "already_cancelled")


def test_names_stand_on_one_line() -> None:
    traveller, flight = Traveller(), make_flight()
    booking = traveller.booked(flight, passengers=passengers(1))

    for name in ("Jo\nhn", "Jo\u2028hn", "\u202enhoJ", "Jo\x07hn", "Jo\x85hn"):
        sold = traveller.book(flight, passengers=passengers(1, familyName=name))
        corrected = correct(traveller, booking, name, "Family0")

        assert code(sold) == code(corrected) == (400, "invalid")
        faults = [answer.json()["errors"][0] for answer in (sold, corrected)]
        assert [(it["pointer"], it["code"]) for it in faults] == [
            ("/passengers/0/familyName", "control_characters"),
            ("/givenName", "control_characters"),
        ]
