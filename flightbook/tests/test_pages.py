"""The first page: a search form that works without JavaScript, its results, and what it says without any."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError
from django.test import Client

from flightbook.pages import in_a_week
from flightbook.results import duration, money
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db


class Page(HTMLParser):
    """What the tests ask of a page: its elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def get(client: Client, **query: Any) -> tuple[int, str]:
    response = client.get("/", query)
    return response.status_code, response.content.decode()


def search(client: Client, **changes: Any) -> tuple[int, str]:
    return get(client, **({"from": "JFK", "to": "LAX", "date": in_a_week().isoformat()} | changes))


def local(moment: dt.datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def noon() -> dt.datetime:
    """Half past one at New York, in a week."""
    return dt.datetime.combine(in_a_week(), dt.time(13, 30), ZoneInfo("America/New_York"))


def test_the_form_alone(client: Client) -> None:
    status, html = get(client)
    page = Page(html)
    assert status == 200
    assert "<script" not in html
    [form] = page.all("form")
    assert (form["method"], form["action"]) == ("get", "/")
    fields = {e["name"]: e for tag in ("input", "select") for e in page.all(tag)}
    assert fields.keys() == {"from", "to", "date", "passengers", "cabin"}
    assert fields["date"]["value"] == in_a_week().isoformat()
    labelled = {label["for"] for label in page.all("label")}
    assert {field["id"] for field in fields.values()} <= labelled
    assert {"/docs/", "/status", "/admin/"} <= {link["href"] for link in page.all("a")}


def test_it_is_strict_about_what_it_loads(client: Client) -> None:
    response = client.get("/")
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = response.content.decode()
    assert not re.search(r"\s(style|on\w+)=", html)
    for source in re.findall(r'(?:src|href)="([^"#][^"]*)"', html):
        assert source.startswith("/")
        assert client.get(source.replace("&amp;", "&")).status_code in (200, 302)


def test_found_flights(client: Client) -> None:
    flight = make_flight(departure=noon(), economy=100, business=8)
    status, html = search(client, passengers=2)
    assert status == 200
    assert "1 flight, JFK to LAX" in html
    assert "AA181" in html
    assert "American Airlines" in html
    assert f">{local(flight.scheduled_departure, 'America/New_York')}</time>" in html
    assert f">{local(flight.scheduled_arrival, 'America/Los_Angeles')}</time>" in html
    assert "$100.00" in html
    assert "80 seats left" in html or "100 seats left" in html
    assert "ELIGHT" in html
    assert "EFLEX" in html
    assert "BSTD" not in html  # of another cabin
    assert flight.public_id in html  # in the commands that book it


def test_another_cabin(client: Client) -> None:
    make_flight(departure=noon(), economy=100, business=8)
    _, html = search(client, cabin="business")
    assert "BSTD" in html
    assert "ELIGHT" not in html
    assert "Only 8 seats left" in html or "Only 7 seats left" in html


def test_what_was_asked_stays_in_the_form(client: Client) -> None:
    _, html = search(client, **{"from": "New York", "passengers": 3, "cabin": "business"})
    page = Page(html)
    values = {e["name"]: e.get("value") for e in page.all("input")}
    assert values == {"from": "New York", "to": "LAX", "date": in_a_week().isoformat(), "passengers": "3"}
    assert [e["value"] for e in page.all("option") if "selected" in e] == ["business"]


def test_no_flights(client: Client) -> None:
    status, html = search(client)
    assert status == 200
    assert "No flights, JFK to LAX" in html


def test_the_days_beside(client: Client) -> None:
    _, html = search(client, passengers=2)
    links = {e.get("rel"): e["href"] for e in Page(html).all("a") if e.get("rel")}
    before, after = in_a_week() - dt.timedelta(days=1), in_a_week() + dt.timedelta(days=1)
    assert f"date={before}" in str(links["prev"])
    assert f"date={after}" in str(links["next"])
    assert "passengers=2" in str(links["next"])


@pytest.mark.parametrize("date", ["2013-01-01", "0001-01-01", "9999-12-31"])
def test_days_out_of_reach(client: Client, date: str) -> None:
    status, html = search(client, date=date)
    assert status == 200
    assert "No flights" in html
    assert 'rel="prev"' not in html or date == "9999-12-31"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"from": ""}, "from"),
        ({"to": " "}, "to"),
        ({"date": ""}, "date"),
        ({"date": "2026-02-31"}, "date"),
        ({"date": "tomorrow"}, "date"),
        ({"passengers": "0"}, "passengers"),
        ({"passengers": "10"}, "passengers"),
        ({"passengers": "one"}, "passengers"),
        ({"cabin": "roof"}, "cabin"),
        ({"from": "x" * 500}, "from"),
    ],
)
def test_a_field_that_is_wrong_is_marked(client: Client, changes: dict[str, str], field: str) -> None:
    status, html = search(client, **changes)
    assert status == 400
    page = Page(html)
    [marked] = [e for tag in ("input", "select") for e in page.all(tag) if e.get("aria-invalid") == "true"]
    assert marked["name"] == field
    assert [e for _, e in page.elements if e.get("id") == marked["aria-describedby"]]
    assert [e for e in page.all("div") if e.get("role") == "alert"]


def test_what_is_typed_is_shown_as_text(client: Client) -> None:
    _, html = search(client, **{"from": "<script>alert(1)</script>"})
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_without_a_database_the_form_is_kept(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(criteria: object) -> list[object]:
        raise OperationalError("could not connect")

    monkeypatch.setattr("flightbook.pages.search", away)
    status, html = search(client)
    assert status == 503
    assert "does not answer just now" in html
    assert 'value="JFK"' in html


def test_a_flood_is_held_back(client: Client, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"default": 3}
    found = [client.get("/", {"from": "JFK"}, REMOTE_ADDR="192.0.2.77") for _ in range(8)]
    held = [response for response in found if response.status_code == 429]  # a minute may end among them
    assert held[0].json()["code"] == "throttled"
    assert int(held[0]["Retry-After"]) >= 1
    assert client.get("/", REMOTE_ADDR="192.0.2.77").status_code == 200  # the form alone costs nothing


@pytest.mark.parametrize(("minutes", "text"), [(45, "45 min"), (60, "1 h 00 min"), (383, "6 h 23 min")])
def test_durations(minutes: int, text: str) -> None:
    assert duration(minutes) == text


def test_money() -> None:
    assert money(Decimal("1234.50"), "USD") == "$1,234.50"
    assert money(Decimal("99.00"), "CHF") == "99.00 CHF"
