"""The departure board as the server renders it: whole without a script."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError
from django.test import Client

from flightbook.board import row
from flightbook.tests.test_pages import Page
from flights.models import Flight
from flights.public import flight as flight_view
from flights.tests.factories import make_flight

pytestmark = pytest.mark.django_db
NEW_YORK = ZoneInfo("America/New_York")


def get(client: Client, **query: Any) -> tuple[int, str]:
    response = client.get("/board", query)
    return response.status_code, response.content.decode()


def departing(minutes: int, **fields: Any) -> Flight:
    return make_flight(departs_in=dt.timedelta(minutes=minutes), economy=0, **fields)


def shown(html: str) -> list[str | None]:
    return [tr["data-flight"] for tr in Page(html).all("tr") if "data-flight" in tr]


def selected(html: str) -> list[str | None]:
    return [option["value"] for option in Page(html).all("option") if "selected" in option]


def test_the_next_departures_of_jfk(client: Client) -> None:
    later, soon = departing(120), departing(60, destination="SFO")
    departing(60, origin="EWR")
    status, html = get(client)
    assert status == 200
    assert shown(html) == [soon.public_id, later.public_id]
    assert selected(html) == ["JFK", ""]
    leaves = soon.scheduled_departure.astimezone(NEW_YORK)
    assert f'<td class="time">{leaves:%H:%M}' in html
    assert 'San Francisco <span class="code">SFO</span>' in html
    [caption] = re.findall(r"<caption[^>]*>(.*?)</caption>", html)
    assert caption.startswith("Departures from New York JFK, in the order")


def test_the_filters(client: Client) -> None:
    departing(60)
    departing(60, origin="EWR")
    united = departing(60, origin="EWR", airline="UA")
    _, html = get(client, airport="EWR", airline="UA")
    assert shown(html) == [united.public_id]
    assert selected(html) == ["EWR", "UA"]
    assert "with United Airlines" in html


def test_without_jfk_another_airport_is_shown(client: Client) -> None:
    flight = departing(60, origin="LAX", destination="SEA")
    assert shown(get(client)[1]) == [flight.public_id]


def test_without_any_flight(client: Client) -> None:
    status, html = get(client)
    assert status == 200
    assert "No departures in the next 24 hours." in html


@pytest.mark.parametrize("query", [{"airport": "XXX"}, {"airline": "XX"}, {"airport": "<script>"}])
def test_what_is_not_there_is_marked(client: Client, query: dict[str, str]) -> None:
    departing(60)
    status, html = get(client, **query)
    assert status == 400
    [marked] = [e for e in Page(html).all("select") if e.get("aria-invalid") == "true"]
    assert marked["name"] in query
    assert shown(html) == []
    assert "<script>" not in html


def test_what_an_update_brought(client: Client) -> None:
    start = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=1)
    flight = departing(
        60,
        departure=start,
        status="Delayed",
        delay_minutes=90,
        estimated_departure=start + dt.timedelta(minutes=90),
        reason="Technical <issue>",
        gate="B22",
        terminal="4",
        sequence=3,
    )
    _, html = get(client)
    expected = (start + dt.timedelta(minutes=90)).astimezone(NEW_YORK)
    assert f'data-flight="{flight.public_id}" data-sequence="3" data-status="Delayed"' in html
    assert f'<td class="expected">{expected:%H:%M}</td>' in html
    assert "1 hour 30 minutes late, Technical &lt;issue&gt;" in html
    assert re.search(r"Terminal</span> 4</span> B22</td>", html)


def at(hour: int, day: int = 10, **fields: Any) -> Flight:
    return make_flight(departure=dt.datetime(2030, 1, day, hour, tzinfo=NEW_YORK), economy=0, **fields)


def test_a_row() -> None:
    today = dt.date(2030, 1, 10)
    one = row(flight_view(at(9).pk), today)
    assert (one.time, one.day, one.expected, one.late) == ("09:00", "", "", "")
    on_time = at(9, estimated_departure=dt.datetime(2030, 1, 10, 14, tzinfo=dt.UTC))
    assert row(flight_view(on_time.pk), today).expected == ""
    assert row(flight_view(at(7, day=11).pk), today).day == "Fri"
    cancelled = at(9, status="Cancelled", estimated_departure=dt.datetime(2030, 1, 10, 15, tzinfo=dt.UTC))
    assert row(flight_view(cancelled.pk), today).expected == ""


def test_it_is_strict_about_what_it_loads(client: Client) -> None:
    departing(60)
    response = client.get("/board")
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    html = response.content.decode()
    assert not re.search(r"\s(style|on\w+)=", html)
    assert not re.search(r"<script(?![^>]*src=)", html)
    for source in re.findall(r'(?:src|href)="([^"#][^"]*)"', html):
        assert source.startswith("/")
        assert client.get(source).status_code in (200, 302)


def test_without_a_script_it_renews_itself(client: Client) -> None:
    departing(60)
    _, html = get(client)
    assert '<noscript><meta http-equiv="refresh" content="60"></noscript>' in html
    [sign_in] = Page(html).all("details")
    assert "hidden" in sign_in  # it would need the script
    forms = {form["method"]: form.get("action") for form in Page(html).all("form")}
    assert forms == {"get": "/board", "post": None}  # a password never gets into an address
    labelled = {label["for"] for label in Page(html).all("label")}
    assert {e["id"] for tag in ("input", "select") for e in Page(html).all(tag)} <= labelled


def test_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> dict[str, object]:
        raise OperationalError("could not connect")

    monkeypatch.setattr("flightbook.board.origins", away)
    status, html = get(client)
    assert status == 503
    assert "no data just now" in html


def test_a_flood_is_held_back(client: Client, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"default": 3}
    found = [client.get("/board", REMOTE_ADDR="192.0.2.78") for _ in range(8)]
    assert 429 in {response.status_code for response in found}


def test_the_first_page_leads_to_it(client: Client) -> None:
    assert "/board" in {link["href"] for link in Page(client.get("/").content.decode()).all("a")}
