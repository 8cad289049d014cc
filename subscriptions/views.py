"""The endpoints of subscriptions."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import public as accounts
from flightbook.http.pages import paginate
from flightbook.http.serializers import parse_body
from flights import public as flights
from subscriptions import operations, queries
from subscriptions.serializers import FollowedFlightsResponse, SubscribeRequest, SubscribeResponse

ACT_FOR_OTHERS = "subscriptions.act_for_others"


def _user_pk(request: Request, user_id: str) -> int:
    actor: Any = request.user
    return accounts.own_user_pk(actor, user_id, permission=ACT_FOR_OTHERS)


class SubscribeFlightView(APIView):
    @extend_schema(
        operation_id="subscribe-flight",
        summary="Follow a flight",
        tags=["subscriptions"],
        request=SubscribeRequest,
        responses={
            201: SubscribeResponse,
            200: OpenApiResponse(SubscribeResponse, description="The user follows that flight already."),
        },
    )
    def post(self, request: Request) -> Response:
        body = parse_body(SubscribeRequest, request)
        user_pk = _user_pk(request, body["user_id"])
        flight_pk = flights.parse_flight_id(body["flight_id"])
        is_new = operations.follow(user_pk=user_pk, flight_pk=flight_pk)
        message = f"Subscribed to flight updates for {flights.flight_id(flight_pk)}"
        return Response({"message": message}, status=201 if is_new else 200)


class UserFlightsView(APIView):
    @extend_schema(
        operation_id="user-flights",
        summary="The flights that a user follows",
        tags=["subscriptions"],
        parameters=[
            OpenApiParameter("limit", int, description="1 to 200, 50 where absent"),
            OpenApiParameter("cursor", str, description="Opaque; out of a page's `next`"),
        ],
        responses={200: FollowedFlightsResponse},
    )
    def get(self, request: Request, user_id: str) -> Response:
        user_pk = _user_pk(request, user_id)
        page, following = paginate(
            request,
            lambda after, limit: queries.followed_flights(user_pk, after=after, limit=limit),
            lambda key: key,
        )
        return Response({"userId": user_id, "flights": [flights.flight_id(pk) for pk in page], **following})


class UserFlightView(APIView):
    @extend_schema(
        operation_id="unsubscribe-flight",
        summary="Follow a flight no longer",
        tags=["subscriptions"],
        request=None,
        responses={
            204: OpenApiResponse(description="The user does not follow that flight, nor through a booking.")
        },
    )
    def delete(self, request: Request, user_id: str, flight_id: str) -> Response:
        user_pk = _user_pk(request, user_id)
        operations.unfollow(user_pk=user_pk, flight_pk=flights.parse_flight_id(flight_id))
        return Response(status=204)
