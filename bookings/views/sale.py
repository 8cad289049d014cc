"""Booking, and paying for a hold."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.public import account_of
from bookings import messages, operations, serializers
from bookings.types import Order, PassengerView, SeatWish
from bookings.views.base import KEY, SaleView, actor
from flightbook.http.serializers import parse_body


class BookFlight(SaleView):
    @extend_schema(
        operation_id="bookFlight",
        parameters=[KEY],
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
                order=_order(user_pk, body, actor(request)), promise=promise
            ),
        )


class PayBooking(SaleView):
    @extend_schema(
        operation_id="payBooking",
        parameters=[KEY],
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


def _order(user_pk: int, body: dict[str, Any], user: Any) -> Order:
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
        holder=account_of(user) if user.pk == user_pk else None,
    )
