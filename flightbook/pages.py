"""The pages for people: the search at `/`, and `/status`. Plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django import forms
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from flightbook.errors import Invalid, Throttled
from flightbook.health import readiness
from flightbook.http.page_limit import count_page
from flightbook.http.problems import problem_response
from flightbook.results import Result, results
from flights.public import Cabin, SearchCriteria, search

logger = logging.getLogger(__name__)
View = Callable[[HttpRequest], HttpResponse]

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
EXAMPLES = (
    ("New York", "Los Angeles"),
    ("JFK", "SFO"),
    ("Newark", "Chicago"),
    ("LGA", "MIA"),
)
_WEEK = dt.timedelta(days=7)
_WESTERNMOST = dt.timedelta(hours=12)  # no place's day lags further behind UTC's


def with_policy(policy: str) -> Callable[[View], View]:
    """Sends `policy` as the answer's Content-Security-Policy."""

    def decorate(view: View) -> View:
        @wraps(view)
        def inner(request: HttpRequest) -> HttpResponse:
            response = view(request)
            response["Content-Security-Policy"] = policy
            response["Cache-Control"] = "no-cache"
            return response

        return inner

    return decorate


def reading_only(view: View) -> View:
    """Takes GET and HEAD; anything else is a 405, whatever cookies came with it."""
    return csrf_exempt(require_safe(view))


class SearchForm(forms.Form):
    """The search's criteria, under the names that the API gives them."""

    from_ = forms.CharField(label="From", max_length=120)
    to = forms.CharField(label="To", max_length=120)
    date = forms.DateField(
        label="Departure",
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Enter a date like 2027-03-28."},
    )
    passengers = forms.IntegerField(label="Passengers", min_value=1, max_value=9, initial=1)
    cabin = forms.ChoiceField(label="Cabin", choices=Cabin.choices, initial=Cabin.ECONOMY)

    use_required_attribute = True

    def __init__(self, data: QueryDict | None) -> None:
        super().__init__(data, label_suffix="")
        self.fields["date"].initial = in_a_week
        self.fields["date"].widget.attrs["min"] = _earliest_day().isoformat()
        for name in ("from_", "to"):
            widget = self.fields[name].widget
            widget.attrs |= {"autocomplete": "off", "autocapitalize": "words", "spellcheck": "false"}

    def add_prefix(self, field_name: str) -> str:
        return super().add_prefix(field_name.rstrip("_"))  # `from_` dodges Python's keyword

    def criteria(self) -> SearchCriteria:
        """The criteria of a valid form."""
        given = self.cleaned_data
        return SearchCriteria(
            origin=given["from_"],
            destination=given["to"],
            date=given["date"],
            passengers=given["passengers"],
            cabin=given["cabin"],
        )


def in_a_week() -> dt.date:
    return dt.datetime.now(dt.UTC).date() + _WEEK


def _earliest_day() -> dt.date:
    """The day that it still is at the westernmost airport."""
    return (dt.datetime.now(dt.UTC) - _WESTERNMOST).date()


@reading_only
@with_policy(PAGE_POLICY)
def search_page(request: HttpRequest) -> HttpResponse:
    """`GET /`: the form; with criteria in the query their flights below it."""
    asked = "from" in request.GET or "to" in request.GET
    form = SearchForm(_with_defaults(request.GET) if asked else None)
    context: dict[str, Any] = {
        "form": form,
        "asked": asked,
        "site": request.build_absolute_uri("/").rstrip("/"),
    }
    status = HTTPStatus.OK
    if asked:
        try:
            count_page(request)
            context |= _found(form, request.GET)
        except Throttled as over:
            return problem_response(over)
        except (OperationalError, InterfaceError):
            logger.exception("the search page has no database")
            context["unavailable"] = True
            status = HTTPStatus.SERVICE_UNAVAILABLE
    else:
        context["examples"] = [(a, b, _query(a, b)) for a, b in EXAMPLES]
    return render(request, "flightbook/search.html", context, status=_status(form, status))


def _with_defaults(query: QueryDict) -> QueryDict:
    """A link may leave out what the form always sends."""
    whole = query.copy()
    whole.setdefault("passengers", "1")
    whole.setdefault("cabin", Cabin.ECONOMY.value)
    return whole


def _status(form: SearchForm, status: HTTPStatus) -> HTTPStatus:
    return HTTPStatus.BAD_REQUEST if form.is_bound and not form.is_valid() else status


def _found(form: SearchForm, query: QueryDict) -> dict[str, Any]:
    """What the template shows of a search; nothing where the form is not valid."""
    if not form.is_valid():
        return {}
    criteria = form.criteria()
    try:
        found: list[Result] = results(search(criteria), criteria.cabin)
    except Invalid as error:
        form.add_error(None, error.detail)
        return {}
    return {
        "results": found,
        "criteria": criteria,
        "cabin_name": Cabin(criteria.cabin).label,
        "day_before": _same_on(query, criteria.date, -1),
        "day_after": _same_on(query, criteria.date, 1),
    }


def _same_on(query: QueryDict, day: dt.date, shift: int) -> tuple[dt.date, str] | None:
    """The day beside `day` and the query of the same search on it; None where there is none to search."""
    try:
        other = day + dt.timedelta(days=shift)
    except OverflowError:
        return None
    if other < _earliest_day():
        return None
    moved = query.copy()
    moved["date"] = other.isoformat()
    return other, moved.urlencode()


def _query(origin: str, destination: str) -> str:
    query = QueryDict(mutable=True)
    query.update({"from": origin, "to": destination, "date": in_a_week().isoformat()})
    return query.urlencode()


@reading_only
@with_policy(PAGE_POLICY)
def status_page(request: HttpRequest) -> HttpResponse:
    """`GET /status`: the readiness of this process, for people."""
    found = readiness()
    status = HTTPStatus.SERVICE_UNAVAILABLE if found.missing else HTTPStatus.OK
    context = {"found": found, "now": dt.datetime.now(dt.UTC)}
    return render(request, "flightbook/status.html", context, status=status)
