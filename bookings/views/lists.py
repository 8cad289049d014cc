"""A user's bookings: all of them, and one in full."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.public import own_user_pk
from bookings import messages, queries, serializers
from bookings.views.base import ACT_FOR_OTHERS, actor
from flightbook.http.pages import paginate

_PAGE = [
    OpenApiParameter("limit", int, description="1 to 200, 50 where absent"),
    OpenApiParameter("cursor", str),
]


class Bookings(APIView):
    @extend_schema(operation_id="bookings", parameters=_PAGE, responses={200: serializers.BookingsAnswer})
    def get(self, request: Request, user_id: str) -> Response:
        """List a user's bookings, newest first, in pages."""
        user_pk = own_user_pk(actor(request), user_id, permission=ACT_FOR_OTHERS)
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
        user_pk = own_user_pk(actor(request), user_id, permission=ACT_FOR_OTHERS)
        booking = queries.booking_in_full(user_pk=user_pk, booking_id=booking_id)
        return Response(messages.booking_message(user_id, booking))
