"""The departure board `/board`: whole without a script; with one (`board.js`) it comes alive."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from flightbook.errors import Throttled
from flightbook.http.page_limit import count_page
from flightbook.http.problems import problem_response
from flightbook.pages import PAGE_POLICY, reading_only, with_policy
from flights.public import (
    FlightStatus,
    FlightView,
    Origin,
    airlines,
    delay_duration,
    departures,
    log_name,
    origins,
)

logger = logging.getLogger(__name__)

# Its script asks this page, the API and the socket, all of this host.
BOARD_POLICY = f"{PAGE_POLICY}; script-src 'self'; connect-src 'self'"
DEFAULT_AIRPORT = "JFK"
ROWS = 40
_NO_AIRPORT = Origin(iata="", city="", time_zone="UTC")


class BoardForm(forms.Form):
    """What the board shows; without a choice, `DEFAULT_AIRPORT` or whatever airport there is."""

    airport = forms.ChoiceField(label="Airport", required=False)
    airline = forms.ChoiceField(label="Airline", required=False)

    def __init__(self, query: QueryDict, places: dict[str, Origin], carriers: dict[str, str]) -> None:
        asked = query.copy()
        if not asked.get("airport"):
            asked["airport"] = DEFAULT_AIRPORT if DEFAULT_AIRPORT in places else next(iter(places), "")
        super().__init__(asked, label_suffix="")
        self.fields["airport"].choices = [(code, f"{code} {place.city}") for code, place in places.items()]  # type: ignore[attr-defined]  # a ChoiceField's
        self.fields["airline"].choices = [("", "All airlines"), *carriers.items()]  # type: ignore[attr-defined]  # as above


@dataclass(frozen=True)
class Row:
    """A departure in words. Times are local at the airport; `day` is empty for the flights of today."""

    flight: FlightView
    time: str
    day: str
    expected: str
    late: str


@reading_only
@with_policy(BOARD_POLICY)
def board_page(request: HttpRequest) -> HttpResponse:
    """`GET /board?airport=&airline=`: the next departures, as they stand."""
    try:
        count_page(request)
        return _board(request)
    except Throttled as over:
        return problem_response(over)
    except (OperationalError, InterfaceError):
        logger.exception("the board has no database")
        return render(request, "flightbook/board.html", status=HTTPStatus.SERVICE_UNAVAILABLE)


def _board(request: HttpRequest) -> HttpResponse:
    places = origins()
    form = BoardForm(request.GET, places, airlines())
    if not form.is_valid():
        return render(request, "flightbook/board.html", {"form": form}, status=HTTPStatus.BAD_REQUEST)
    place = places.get(form.cleaned_data["airport"], _NO_AIRPORT)
    context = _departures(place, form.cleaned_data["airline"]) | {"form": form}
    return render(request, "flightbook/board.html", context)


def _departures(place: Origin, airline: str) -> dict[str, Any]:
    """What the template shows of an airport. The log is named first: a row may be newer, never older."""
    log, now = log_name(), dt.datetime.now(ZoneInfo(place.time_zone))
    flights = departures(airport=place.iata, airline=airline, limit=ROWS)
    return {
        "log": log,
        "place": place,
        "airline": airlines().get(airline, ""),
        "now": now.isoformat(timespec="seconds"),
        "clock": f"{now:%H:%M}",
        "rows": [row(flight, now.date()) for flight in flights],
    }


def row(flight: FlightView, today: dt.date) -> Row:
    """`today` is the day at the airport."""
    zone = ZoneInfo(flight.origin_time_zone)
    leaves = flight.departure.astimezone(zone)
    time, expected = f"{leaves:%H:%M}", ""
    if flight.estimated_departure is not None and flight.status != FlightStatus.CANCELLED:
        expected = f"{flight.estimated_departure.astimezone(zone):%H:%M}"
    return Row(
        flight=flight,
        time=time,
        day="" if leaves.date() == today else f"{leaves:%a}",
        expected="" if expected == time else expected,
        late=f"{delay_duration(flight.delay_minutes)} late" if flight.delay_minutes else "",
    )
