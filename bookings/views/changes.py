"""Changing a flight of a booking, its quotes; choosing seats later."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from bookings import messages, operations, serializers
from bookings.types import ChangeOrder, SeatOrder, SeatWish
from bookings.views.base import KEY, SaleView
from flightbook.http.serializers import parse_body


class QuoteChange(SaleView):
    @extend_schema(
        operation_id="quoteChange",
        parameters=[KEY],
        request=serializers.QuoteChangeBody,
        responses={201: serializers.ChangeQuoteAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Say what changing a booked flight to another comes to, by which rule, and until when.

        `POST /change-booking` with the `quoteId` then does exactly that. 409 `not_changeable` where the fare
        does not allow it, and `sold_out`, `flight_departed`, `flight_cancelled` with the `flightId`.
        """
        body = parse_body(serializers.QuoteChangeBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=201,
            message=messages.change_quote_message,
            call=lambda user_pk, promise: operations.quote_change(
                order=_change(user_pk, body), promise=promise
            ),
        )


class ChangeBooking(SaleView):
    @extend_schema(
        operation_id="changeBooking",
        parameters=[KEY],
        request=serializers.ChangeBookingBody,
        responses={200: serializers.ChangedAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Change a booked flight to another, by a quote or at today's price: all of it or nothing.

        409 as for the quote; `quote_expired` where it was used, its time is over or the booking was changed
        since; `price_changed` where something else is due by now.
        """
        body = parse_body(serializers.ChangeBookingBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=200,
            message=messages.changed_message,
            call=lambda user_pk, promise: operations.change_booking(
                order=_change(user_pk, body), promise=promise
            ),
        )


class ChooseSeats(SaleView):
    @extend_schema(
        operation_id="chooseSeats",
        parameters=[KEY],
        request=serializers.ChooseSeatsBody,
        responses={200: serializers.SeatedAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Choose seats of a booking, or others than were chosen: all of them or none.

        In a fare without seat choice a seat costs what the seat map says; to a dearer row the difference is
        paid, a cheaper one gives nothing back. 409 `seat_taken`, `price_changed`, `flight_departed`.
        """
        body = parse_body(serializers.ChooseSeatsBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=200,
            message=messages.seated_message,
            call=lambda user_pk, promise: operations.choose_seats(
                order=_seats(user_pk, body), promise=promise
            ),
        )


def _change(user_pk: int, body: dict[str, Any]) -> ChangeOrder:
    asked = {name: value for name, value in body.items() if name != "user_id"}
    return ChangeOrder(user_pk=user_pk, **asked)


def _seats(user_pk: int, body: dict[str, Any]) -> SeatOrder:
    asked = {name: value for name, value in body.items() if name not in ("user_id", "seats")}
    return SeatOrder(user_pk=user_pk, seats=tuple(SeatWish(**wish) for wish in body["seats"]), **asked)
