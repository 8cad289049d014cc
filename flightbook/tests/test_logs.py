"""Log lines as JSON: what they carry, and what they must never."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.test import Client

from accounts.models import User
from accounts.tests.factories import PASSWORD, make_user
from bookings.tests.factories import Traveller
from flightbook import logs
from flightbook.logs import JsonFormatter, reason, scrubbed
from flights.tests.factories import make_flight

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


class Lines:
    """What was written meanwhile, as text and line by line."""

    def __init__(self) -> None:
        self.stream = StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def access(self) -> list[dict[str, Any]]:
        return [line for line in self.all() if line["logger"] == "flightbook.access"]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Everything that is logged, at whatever level, in the form of a deployment."""
    found = Lines()
    handler = logging.StreamHandler(found.stream)
    handler.setFormatter(JsonFormatter())
    loggers = {
        name: logging.getLogger(name)
        for name in ("", "django", "django.request", "axes", "flightbook.access")
    }
    levels = {name: logger.level for name, logger in loggers.items()}
    for logger in loggers.values():
        logger.setLevel(logging.INFO)
    loggers[""].addHandler(handler)
    yield found
    loggers[""].removeHandler(handler)
    for name, level in levels.items():
        loggers[name].setLevel(level)


@pytest.mark.django_db(transaction=True)
def test_a_request_is_one_line(lines: Lines) -> None:
    flight, traveller = make_flight(), Traveller()
    booked = traveller.book(flight).json()["bookingId"]
    traveller.client.get(f"/bookings/{traveller.user.public_id}/{booked}?token=hidden")

    sale, look = lines.access()
    assert {name: sale[name] for name in ("level", "method", "path", "status", "bookingId", "userId")} == {
        "level": "INFO",
        "method": "POST",
        "path": "/book-flight",
        "status": 201,
        "bookingId": booked,
        "userId": traveller.user.public_id,
    }
    assert len(sale["requestId"]) == 32
    assert sale["seconds"] > 0
    assert sale["time"].endswith("Z")
    assert (look["bookingId"], look["route"]) == (booked, "bookings/<str:user_id>/<str:booking_id>")
    assert "hidden" not in lines.text


@pytest.mark.django_db
def test_a_page_asks_no_database_for_its_line(lines: Lines, client: Client) -> None:
    client.force_login(User.objects.get(pk=make_user().pk))
    client.get("/health/live")
    client.get("/nowhere")
    [line] = lines.access()
    assert (line["path"], line["status"], line.get("userId")) == ("/nowhere", 404, None)


@pytest.mark.django_db(transaction=True)
def test_nothing_personal_and_no_secret(lines: Lines) -> None:
    client = Client()
    person = {
        "username": "hedwig.secretive",
        "password": "correct-horse-4711",
        "email": "hedwig@example.com",
        "givenName": "Hedwigine",
        "familyName": "Quitzowska",
    }

    def send(path: str, body: dict[str, str]) -> Any:
        return client.post(path, json.dumps(body), content_type="application/json")

    send("/register", person)
    send("/register", person)  # taken: a constraint's complaint has the name
    tokens = send("/login", person).json()
    wrong = {"username": "hedwig.secretive", "password": "wrong-horse-0815"}
    send("/login", wrong)
    client.post("/admin/login/", wrong)
    client.get("/bookings/x?token=query-secret", headers={"Authorization": f"Bearer {tokens['token']}"})
    send("/token/refresh", {"refreshToken": tokens["refreshToken"]})
    traveller = Traveller()
    passenger = {"givenName": "Ottokarina", "familyName": "Zwiebelfisch", "type": "adult"}
    traveller.book(make_flight(), passengers=[passenger], paymentToken="pm_secret_token")

    assert len(lines.access()) == 8
    secrets = [*person.values(), *wrong.values(), tokens["token"], tokens["refreshToken"], PASSWORD]
    for secret in [*secrets, "query-secret", "pm_secret_token"]:
        assert secret not in lines.text
    for name in ("Ottokarina", "Zwiebelfisch"):
        assert name not in lines.text


@pytest.mark.django_db
def test_a_traceback_shows_where_and_not_with_what(lines: Lines) -> None:
    make_user(email="taken@example.com", username="taken-name")

    def twice() -> None:
        password = "local-secret"
        try:
            make_user(email="taken@example.com", username="taken-name")
        except DatabaseError as error:
            raise ValueError(f"could not read {password!r}, {TOKEN} of a@b.example") from error

    try:
        twice()
    except ValueError as error:
        logging.getLogger("bookings").exception("failed for %s", error)  # noqa: TRY401 - some do

    [line] = lines.all()
    assert "test_logs.py" in line["exception"]
    assert "ValueError: could not read '…', … of …" in line["exception"]
    assert "SQLSTATE 23505, constraint " in line["exception"]
    for secret in ("taken@example.com", "taken-name", "local-secret", TOKEN, "a@b.example"):
        assert secret not in lines.text


@pytest.mark.django_db
def test_a_refused_row_is_not_quoted() -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TEMP TABLE people (name text NOT NULL, age int CHECK (age > 0))")
    with pytest.raises(IntegrityError) as caught:
        cursor.execute("INSERT INTO people VALUES ('Zwiebelfisch', -7)")
    assert "Zwiebelfisch" in str(caught.value)
    said = reason(caught.value)
    assert said.endswith("SQLSTATE 23514, constraint people_age_check")
    assert "Zwiebelfisch" not in said


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"refused Bearer {TOKEN}", "refused …"),
        (f"token {TOKEN}", "token …"),
        ("to hedwig@example.com: no", "to …: no"),
        ("redis://user:word@host.example:6379", "…:6379"),
        ("GET /ws/flight-updates?ticket=abc HTTP", "GET /ws/flight-updates?… HTTP"),
        ("card 4242 4242 4242 4242", "card …"),
        ("flight FL12345 at 2026-11-22 10:00", "flight FL12345 at 2026-11-22 10:00"),
    ],
)
def test_scrubbed(text: str, left: str) -> None:
    assert scrubbed(text) == left


def test_an_exception_as_the_message_or_in_it(lines: Lines) -> None:
    logging.getLogger("x").warning(KeyError("Zwiebelfisch"))
    logging.getLogger("x").warning("%s of %d", ValueError("bad 'Zwiebelfisch'"), 3)
    assert [line["message"] for line in lines.all()] == ["KeyError: '…'", "ValueError: bad '…' of 3"]


def test_only_named_fields_leave(lines: Lines) -> None:
    with logs.about(request_id="12345678", colour="blue"):
        logs.note(booking_id="bkg1")
        logging.getLogger("x").warning("a", extra={"status": 200, "password": "word"})
    logging.getLogger("x").warning("b")
    first, second = lines.all()
    assert first.keys() == {"time", "level", "logger", "message", "requestId", "bookingId", "status"}
    assert second.keys() == {"time", "level", "logger", "message"}
