"""The endpoints of the sale. What moves money or seats goes by an idempotency key: see `SaleView`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.public import own_user_pk
from bookings import messages, operations, queries, serializers
from bookings.idempotency import Answer, Promise, Replayed, decide, fingerprint
from bookings.types import Order, PassengerView, SeatWish
from flightbook.errors import Invalid, NotFound, Problem
from flightbook.http import problems
from flightbook.http.json import encode
from flightbook.http.pages import paginate
from flightbook.http.serializers import parse_body

ACT_FOR_OTHERS = "bookings.act_for_others"
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 visible characters. The same request under the same key has one effect and one "
    "answer, replayed for 24 hours with `Idempotent-Replayed: true`.",
)
_PAGE = [
    OpenApiParameter("limit", int, description="1 to 200, 50 where absent"),
    OpenApiParameter("cursor", str),
]


class SaleView(APIView):
    """A call that moves money or seats: throttled as such, and answered once a key."""

    throttle_scope = "sale"
    error_statuses = (402, 409, 422)

    def answer_once(
        self,
        request: Request,
        *,
        user_id: str,
        status: int,
        message: Callable[[Any], Any],
        call: Callable[[int, Promise], Any],
    ) -> HttpResponse:
        """Answers with what `call(user_pk, promise)` did, or with what was answered under its key before."""
        promise = _promise(request, _renderer(status, message))
        try:
            done = call(_owner(request, user_id, promise), promise)
        except Replayed as replayed:
            response = _response(replayed.answer)
            response["Idempotent-Replayed"] = "true"
            return response
        return _response(promise.answer or _renderer(status, message)(done))


class BookFlight(SaleView):
    @extend_schema(
        operation_id="bookFlight",
        parameters=[_KEY],
        request=serializers.BookFlightBody,
        responses={201: serializers.BookedAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Book flights, all or none: paid at once, or held without payment.

        Flights may lie apart or overlap as the traveller likes; only the same one twice is refused.
        Without a fare the cheapest open one of the cabin is taken. `paymentMethod` `hold` answers with
        `paymentDueBy`.
        """
        body = parse_body(serializers.BookFlightBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=201,
            message=messages.booked_message,
            call=lambda user_pk, promise: operations.book_flight(
                order=_order(user_pk, body), promise=promise
            ),
        )


class PayBooking(SaleView):
    @extend_schema(
        operation_id="payBooking",
        parameters=[_KEY],
        request=serializers.PayBookingBody,
        responses={200: serializers.BookedAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Pay for a hold before its `paymentDueBy`, at the price that was held.

        409 `hold_expired`, `already_cancelled`, or `invalid_transition` where it is paid already.
        """
        body = parse_body(serializers.PayBookingBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=200,
            message=messages.booked_message,
            call=lambda user_pk, promise: operations.pay_booking(
                user_pk=user_pk,
                booking_id=body["booking_id"],
                payment_method=body["payment_method"],
                payment_token=body.get("payment_token", ""),
                promise=promise,
            ),
        )


class CancelBooking(SaleView):
    @extend_schema(
        operation_id="cancelBooking",
        parameters=[_KEY],
        request=serializers.CancelBookingBody,
        responses={200: serializers.CancelledAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Cancel a booking on today's terms; the answer says what comes back.

        409 `already_cancelled`, or `not_cancellable` where a flight has left or the hold had expired.
        """
        body = parse_body(serializers.CancelBookingBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=200,
            message=messages.cancelled_message,
            call=lambda user_pk, promise: operations.cancel_booking(
                user_pk=user_pk, booking_id=body["booking_id"], promise=promise
            ),
        )


class Bookings(APIView):
    @extend_schema(operation_id="bookings", parameters=_PAGE, responses={200: serializers.BookingsAnswer})
    def get(self, request: Request, user_id: str) -> Response:
        """List a user's bookings, newest first, in pages."""
        user_pk = own_user_pk(_actor(request), user_id, permission=ACT_FOR_OTHERS)
        lines, following = paginate(
            request,
            lambda before, count: queries.booking_lines(user_pk=user_pk, before=before, count=count),
            lambda line: line.key,
        )
        return Response(
            {"userId": user_id, "bookings": [messages.line_message(line) for line in lines], **following}
        )


class BookingInFull(APIView):
    @extend_schema(operation_id="booking", responses={200: OpenApiResponse(serializers.BookingAnswer)})
    def get(self, request: Request, user_id: str, booking_id: str) -> Response:
        """Show one booking in full: who travels, where they sit, what was paid and given back."""
        user_pk = own_user_pk(_actor(request), user_id, permission=ACT_FOR_OTHERS)
        booking = queries.booking_in_full(user_pk=user_pk, booking_id=booking_id)
        return Response(messages.booking_message(user_id, booking))


def _actor(request: Request) -> Any:
    return request.user


def _owner(request: Request, user_id: str, promise: Promise) -> int:
    """Whose things are asked for. Not finding them is an answer like any other, kept under the key."""
    try:
        return own_user_pk(_actor(request), user_id, permission=ACT_FOR_OTHERS)
    except NotFound as problem:
        refusal = problem
    return decide(promise, lambda: _raise(refusal))


def _raise(problem: Problem) -> int:
    raise problem


def _promise(request: Request, render: Callable[[object], Answer]) -> Promise:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _VISIBLE.fullmatch(key):
        raise Invalid.of("Idempotency-Key", "invalid", "1 to 255 visible ASCII characters.")
    asked = fingerprint(method=request.method or "", path=request.path, body=request._request.body)
    return Promise(user_pk=_actor(request).pk, key=key, fingerprint=asked, render=render)


def _renderer(status: int, message: Callable[[Any], Any]) -> Callable[[object], Answer]:
    def render(outcome: object) -> Answer:
        if isinstance(outcome, Problem):
            return Answer(outcome.status, problems.CONTENT_TYPE, encode(problems.document(outcome)))
        return Answer(status, "application/json", encode(message(outcome)))

    return render


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)
    response["Cache-Control"] = "no-store"
    return response


def _order(user_pk: int, body: dict[str, Any]) -> Order:
    ids = serializers.flight_ids(body)
    fares = [body["fare"]] * len(ids) if "fare" in body else body.get("fares")
    passengers = body.get("passengers")
    return Order(
        user_pk=user_pk,
        flight_ids=tuple(ids),
        payment_method=body["payment_method"],
        cabin=body["cabin"],
        fares=None if fares is None else tuple(fares),
        one_fare_for_all="fare" in body,
        passengers=None
        if passengers is None
        else tuple(PassengerView(**passenger) for passenger in passengers),
        seats=tuple(SeatWish(**wish) for wish in body.get("seats", [])),
        expected_price=body.get("expected_price"),
        payment_token=body.get("payment_token", ""),
    )
