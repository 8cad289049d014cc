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
from subscriptions import messages, operations, queries
from subscriptions.serializers import (
    DeliveriesResponse,
    FollowedFlightsResponse,
    NewWebhookResponse,
    PingResponse,
    PreferenceRequest,
    PreferenceResponse,
    SecretResponse,
    SubscribeRequest,
    SubscribeResponse,
    WebhookRequest,
    WebhookResponse,
    WebhooksResponse,
)
from subscriptions.webhooks import endpoints

_PREFERENCES = ("kinds", "delay_threshold", "channels")
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
        wish = {name: body[name] for name in _PREFERENCES if name in body}
        if wish:
            operations.change_preference(user_pk=user_pk, flight_pk=flight_pk, **wish)
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
        operation_id="filter-flight",
        summary="What to hear of a flight that one follows, and by which ways",
        tags=["subscriptions"],
        request=PreferenceRequest,
        responses={200: PreferenceResponse},
    )
    def patch(self, request: Request, user_id: str, flight_id: str) -> Response:
        wish = parse_body(PreferenceRequest, request)
        user_pk, flight_pk = _user_pk(request, user_id), flights.parse_flight_id(flight_id)
        found = operations.change_preference(user_pk=user_pk, flight_pk=flight_pk, **wish)
        return Response({"userId": user_id, "flightId": flight_id, **messages.preference_message(found)})

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


def _own_pk(request: Request) -> int:
    user: Any = request.user
    return int(user.pk)


class WebhooksView(APIView):
    @extend_schema(
        operation_id="webhooks", summary="The user's webhooks", tags=["webhooks"], responses=WebhooksResponse
    )
    def get(self, request: Request) -> Response:
        found = endpoints.active(_own_pk(request))
        return Response({"webhooks": [messages.webhook_message(endpoint) for endpoint in found]})

    @extend_schema(
        operation_id="register-webhook",
        summary="Have an address called with each update of the flights that the user follows",
        tags=["webhooks"],
        request=WebhookRequest,
        responses={201: NewWebhookResponse},
    )
    def post(self, request: Request) -> Response:
        endpoint = endpoints.register(user_pk=_own_pk(request), **parse_body(WebhookRequest, request))
        return Response(messages.webhook_message(endpoint) | {"secret": endpoint.secret}, status=201)


class WebhookView(APIView):
    @extend_schema(
        operation_id="webhook", summary="One webhook", tags=["webhooks"], responses=WebhookResponse
    )
    def get(self, request: Request, webhook_id: str) -> Response:
        return Response(messages.webhook_message(endpoints.own(_own_pk(request), webhook_id)))

    @extend_schema(
        operation_id="end-webhook",
        summary="Call an address no longer",
        tags=["webhooks"],
        request=None,
        responses={
            204: OpenApiResponse(description="It is called no longer; what waited for it is dropped.")
        },
    )
    def delete(self, request: Request, webhook_id: str) -> Response:
        endpoint = endpoints.own(_own_pk(request), webhook_id)
        endpoints.end(endpoint_pk=endpoint.pk, reason="Ended by its user.")
        return Response(status=204)


class WebhookTestView(APIView):
    @extend_schema(
        operation_id="test-webhook",
        summary="Send a test message",
        tags=["webhooks"],
        request=None,
        responses={202: PingResponse},
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        endpoint = endpoints.own(_own_pk(request), webhook_id)
        return Response({"messageId": endpoints.ping(endpoint_pk=endpoint.pk)}, status=202)


class WebhookSecretView(APIView):
    @extend_schema(
        operation_id="rotate-webhook-secret",
        summary="Have a new secret; the one before signs too for 24 hours",
        tags=["webhooks"],
        request=None,
        responses={200: SecretResponse},
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        endpoint = endpoints.own(_own_pk(request), webhook_id)
        secret, until = endpoints.rotate_secret(endpoint_pk=endpoint.pk)
        return Response({"secret": secret, "previousSecretUntil": until})


class WebhookDeliveriesView(APIView):
    @extend_schema(
        operation_id="webhook-deliveries",
        summary="What was sent to a webhook, and what came of it",
        tags=["webhooks"],
        parameters=[
            OpenApiParameter("limit", int, description="1 to 200, 50 where absent"),
            OpenApiParameter("cursor", str, description="Opaque; out of a page's `next`"),
        ],
        responses={200: DeliveriesResponse},
    )
    def get(self, request: Request, webhook_id: str) -> Response:
        endpoint = endpoints.own(_own_pk(request), webhook_id)
        page, following = paginate(
            request,
            lambda before, limit: endpoints.deliveries(endpoint.pk, before=before, limit=limit),
            lambda row: row.pk,
        )
        return Response({"deliveries": [messages.delivery_message(row) for row in page], **following})
