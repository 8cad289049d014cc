"""Cancelling, its quotes, and correcting a name."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from bookings import messages, operations, serializers
from bookings.views.base import KEY, SaleView
from flightbook.http.serializers import parse_body


class QuoteCancellation(SaleView):
    @extend_schema(
        operation_id="quoteCancellation",
        parameters=[KEY],
        request=serializers.QuoteCancellationBody,
        responses={201: serializers.QuoteAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Say what cancelling a booking, or some travellers of it, would bring back, by which rules, and
        until when.

        `POST /cancel-booking` with the `quoteId` then gives exactly that. 409 as there.
        """
        body = parse_body(serializers.QuoteCancellationBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=201,
            message=messages.quote_message,
            call=lambda user_pk, promise: operations.quote_cancellation(
                user_pk=user_pk,
                booking_id=body["booking_id"],
                passengers=body.get("passengers"),
                promise=promise,
            ),
        )


class CancelBooking(SaleView):
    @extend_schema(
        operation_id="cancelBooking",
        parameters=[KEY],
        request=serializers.CancelBookingBody,
        responses={200: serializers.CancelledAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Cancel a booking, or some travellers of it, on today's terms or on a quote's; the answer says what
        comes back.

        409 `already_cancelled`; `not_cancellable` where a flight has left, the hold had expired, or those who
        stay would travel without an adult; `quote_expired` where the quote was used, its time is over, the
        booking was changed since, or it would bring back more by now.
        """
        body = parse_body(serializers.CancelBookingBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=200,
            message=messages.cancelled_message,
            call=lambda user_pk, promise: operations.cancel_booking(
                user_pk=user_pk,
                booking_id=body["booking_id"],
                passengers=body.get("passengers"),
                quote_id=body.get("quote_id"),
                promise=promise,
            ),
        )


class CorrectName(SaleView):
    @extend_schema(
        operation_id="correctName",
        parameters=[KEY],
        request=serializers.CorrectNameBody,
        responses={200: serializers.BookedAnswer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Correct the spelling of a traveller's name, free of charge, before the first flight leaves.

        At most three letters, and of the given and the family name as booked no more than one in three each;
        order, accents, blanks and titles do not count. Anything more is another traveller: 409
        `not_changeable`. The tickets keep their numbers.
        """
        body = parse_body(serializers.CorrectNameBody, request)
        return self.answer_once(
            request,
            user_id=body["user_id"],
            status=200,
            message=messages.corrected_message,
            call=lambda user_pk, promise: operations.correct_name(
                user_pk=user_pk,
                booking_id=body["booking_id"],
                passenger=body["passenger"],
                given_name=body["given_name"],
                family_name=body["family_name"],
                promise=promise,
            ),
        )
