"""Where a payment gateway sends its events."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bookings import operations
from bookings.payments.stripe_events import SIGNATURE, read_event


class StripeEvents(APIView):
    """Known by its signature, not by a token."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="stripeEvents",
        auth=[],
        parameters=[OpenApiParameter(SIGNATURE, str, OpenApiParameter.HEADER)],
        request=OpenApiTypes.OBJECT,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        """Take a signed event of Stripe's. 400 where the signature is not right; then nothing is changed."""
        signature = request.headers.get(SIGNATURE, "")
        operations.take_payment_event(read_event(payload=request._request.body, signature=signature))
        return Response(status=204)
