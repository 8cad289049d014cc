"""Search, a flight with its log, and the airline's reports."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flightbook.errors import Forbidden, Invalid, Problem
from flightbook.http.json import StrictJSONParser, encode
from flightbook.http.problems import document as problem_document
from flightbook.http.problems import field_errors
from flightbook.http.serializers import parse_body, parse_query
from flightbook.http.text import PlainTextParser
from flights import messages, operations, queries, seat_inventory
from flights.identifiers import parse_flight_id
from flights.search import search
from flights.search_cache import search_cache
from flights.seat_map import seat_map
from flights.serializers import (
    BatchesAnswer,
    BatchUpdateBody,
    FlightAnswer,
    FlightMessagesAnswer,
    FlightMessagesBody,
    FlightUpdatesBody,
    NotAppliedAnswer,
    SearchAnswer,
    SearchQuery,
    SeatMapAnswer,
    UpdateAnswer,
    UpdateBody,
    UpdatesAnswer,
    UpdatesQuery,
)
from flights.telegrams.intake import receive_telegrams
from flights.types import SearchCriteria

REPORT_PERMISSION = "flights.report_flight_update"
_FLIGHT_ID = OpenApiParameter("flight_id", str, OpenApiParameter.PATH, pattern="^FL[1-9][0-9]{0,18}$")


class PublicView(APIView):
    """No token is asked for, and one that is sent all the same is not looked at."""

    authentication_classes = []
    permission_classes = [AllowAny]


class SearchFlightsView(PublicView):
    @extend_schema(operation_id="searchFlights", parameters=[SearchQuery], responses={200: SearchAnswer})
    def get(self, request: Request) -> HttpResponseBase:
        """Search direct flights of one day.

        An unknown place or a past date finds nothing. The answer has an `ETag`: 304 where it is unchanged.
        """
        etag, body = _answer(_criteria(parse_query(SearchQuery, request)))
        response = HttpResponse(body, content_type="application/json")
        response["ETag"] = etag
        response["Cache-Control"] = f"public, max-age={settings.SEARCH_CACHE_SECONDS}"
        return get_conditional_response(request._request, etag=etag, response=response) or response


class FlightView(PublicView):
    @extend_schema(operation_id="flight", parameters=[_FLIGHT_ID], responses={200: FlightAnswer})
    def get(self, request: Request, flight_id: str) -> Response:
        """Show a flight: schedule, state with its latest sequence, and what is left to sell."""
        pk = parse_flight_id(flight_id)
        cabins = seat_inventory.cabins(flight_pk=pk)
        on_sale = {cabin.cabin for cabin in cabins if cabin.on_sale}
        fares = [fare for fare in seat_inventory.fare_offers(flight_pk=pk) if fare.cabin in on_sale]
        flight, state = queries.flight_and_state(pk)
        return Response(messages.flight_message(flight, state, queries.log_name(), cabins, fares))


class SeatMapView(PublicView):
    @extend_schema(operation_id="seatMap", parameters=[_FLIGHT_ID], responses={200: SeatMapAnswer})
    def get(self, request: Request, flight_id: str) -> Response:
        """Show the seats of a flight's cabins, and which are taken; by whom is nobody's business."""
        pk = parse_flight_id(flight_id)
        return Response(messages.seat_map_message(pk, seat_map(pk)))


class FlightUpdatesView(APIView):
    """The log of a flight: public to read; to write takes the permission `flights.report_flight_update`."""

    error_statuses = (403, 409)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self._reads else super().get_authenticators()

    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny()] if self._reads else super().get_permissions()  # type: ignore[return-value]  # a list is invariant: the stubs name their own protocol

    @property
    def _reads(self) -> bool:
        return self.request is not None and self.request.method in ("GET", "HEAD", "OPTIONS")

    @extend_schema(
        operation_id="flightUpdates", parameters=[_FLIGHT_ID, UpdatesQuery], responses={200: UpdatesAnswer}
    )
    def get(self, request: Request, flight_id: str) -> Response:
        """List a flight's updates after a sequence, in order, in pages."""
        query = parse_query(UpdatesQuery, request)
        pk = parse_flight_id(flight_id)
        state, log = queries.update_state(pk), queries.log_name()
        updates = queries.updates_after(flight_pk=pk, sequence=query["after"], limit=query["limit"])
        body: dict[str, Any] = {"flightId": flight_id, "log": log}
        body["updates"] = [messages.update_message(update, log) for update in updates]
        if updates and updates[-1].sequence < state.sequence:
            body["next"] = f"{request.path}?after={updates[-1].sequence}&limit={query['limit']}"
        return Response(body)

    @extend_schema(
        operation_id="reportFlightUpdate",
        parameters=[_FLIGHT_ID],
        request=UpdateBody,
        responses={201: UpdateAnswer, 200: NotAppliedAnswer},
    )
    def post(self, request: Request, flight_id: str) -> Response:
        """Report a change of a flight; it is pushed to all who follow it.

        201 with the update; 200 where the report is a repeated one or older than the flight's state.
        """
        _check_reporter(request)
        report = parse_body(UpdateBody, request)
        source = f"api:{request.user.get_username()}"
        recorded = operations.record_update(flight_pk=parse_flight_id(flight_id), source=source, **report)
        if recorded.update is None:
            return Response({"applied": False})
        return Response(messages.update_message(recorded.update, queries.log_name()), status=201)


class FlightUpdatesBatchView(APIView):
    error_statuses = (403,)

    @extend_schema(
        operation_id="reportFlightUpdates",
        request=inline_serializer("FlightUpdatesBatchBody", {"updates": BatchUpdateBody(many=True)}),
        responses={200: BatchesAnswer},
    )
    def post(self, request: Request) -> Response:
        """Report changes of several flights, up to 500, each as `POST /flights/{flightId}/updates` takes it.

        They are recorded in order, each for itself, and each is answered: one that is refused keeps none of
        the others back.
        """
        _check_reporter(request)
        reports = parse_body(FlightUpdatesBody, request)["updates"]
        source, log = f"api:{request.user.get_username()}", queries.log_name()
        answers = [_batch_answer(index, report, source, log) for index, report in enumerate(reports)]
        return Response({"updates": answers})


def _batch_answer(index: int, report: dict[str, Any], source: str, log: str) -> dict[str, Any]:
    try:
        parsed = BatchUpdateBody(data=report)
        if not parsed.is_valid():
            errors = list(field_errors(parsed.errors, f"/updates/{index}"))
            raise Invalid(detail="The report is not valid.", errors=errors)
        fields = dict(parsed.validated_data)
        flight_pk = parse_flight_id(fields.pop("flight_id"))
        recorded = operations.record_update(flight_pk=flight_pk, source=source, **fields)
    except Problem as problem:
        return {"outcome": "refused", "problem": problem_document(problem)}
    if recorded.update is None:
        return {"outcome": "not_applied"}
    return {"outcome": "applied", "update": messages.update_message(recorded.update, log)}


class FlightMessagesView(APIView):
    error_statuses = (403,)
    parser_classes = [StrictJSONParser, PlainTextParser]

    @extend_schema(
        operation_id="flightMessages",
        request={"application/json": FlightMessagesBody, "text/plain": OpenApiTypes.STR},
        responses={200: FlightMessagesAnswer},
    )
    def post(self, request: Request) -> Response:
        """Take in movement telegrams: MVT, MVA (IATA AHM 780) and DIV (AHM 781), one or many in a body.

        Each is answered for itself, in order; a malformed one changes nothing and says where it is wrong.
        """
        _check_reporter(request)
        body: Any = request.data
        text = body if isinstance(body, str) else parse_body(FlightMessagesBody, request)["message"]
        answers = receive_telegrams(text=text, source=f"api:{request.user.get_username()}")
        log = queries.log_name()
        return Response({"messages": [messages.telegram_message(answer, log) for answer in answers]})


def _check_reporter(request: Request) -> None:
    if not request.user.has_perm(REPORT_PERMISSION):
        raise Forbidden(detail=f"This takes the permission {REPORT_PERMISSION}.")


def _criteria(query: dict[str, Any]) -> SearchCriteria:
    """Places by one spelling, so that one answer is cached for all of them."""
    return SearchCriteria(
        origin=" ".join(query["from_"].lower().split()),
        destination=" ".join(query["to"].lower().split()),
        date=query["date"],
        passengers=query["passengers"],
        cabin=query["cabin"],
        airline=query["airline"].upper() if "airline" in query else None,
        max_price=query.get("max_price"),
        sort=query["sort"],
    )


def _answer(criteria: SearchCriteria) -> tuple[str, bytes]:
    """The search's ETag and body, for SEARCH_CACHE_SECONDS out of the cache, which may be away."""
    key = "search:" + hashlib.sha256(repr(criteria).encode()).hexdigest()
    seconds: int = settings.SEARCH_CACHE_SECONDS
    cached = search_cache.get(key) if seconds else None
    if cached is not None:
        return cached
    body = encode({"flights": [messages.found_message(flight) for flight in search(criteria)]})
    answer = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"', body
    if seconds:
        search_cache.keep(key, answer, seconds)
    return answer
