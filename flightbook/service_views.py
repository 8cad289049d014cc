"""`GET /health/live`, `GET /health/ready`: for machines, without authentication or limits."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flightbook.errors import Unavailable
from flightbook.health import readiness

_NO_STORE = {"Cache-Control": "no-store"}


class LiveSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["alive"])


class CheckSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(["up", "degraded", "down"])
    detail = serializers.CharField(required=False)


class ReadySerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["ready", "degraded"])
    checks = serializers.DictField(child=CheckSerializer())


class ServiceView(APIView):
    """A view that needs neither a user nor Redis nor a database."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


class LiveView(ServiceView):
    @extend_schema(summary="Is the process alive?", tags=["service"], responses=LiveSerializer)
    def get(self, request: Request) -> Response:
        return Response({"status": "alive"}, headers=_NO_STORE)


class ReadyView(ServiceView):
    @extend_schema(
        summary="Has the process all that it needs?",
        description="503 names what is missing. Without Redis it is `degraded` and goes on.",
        tags=["service"],
        responses=ReadySerializer,
    )
    def get(self, request: Request) -> Response:
        found = readiness()
        if found.missing:
            raise Unavailable(
                detail=f"Missing: {', '.join(found.missing)}.",
                extra={"checks": found.as_json()},
                retry_after=5,
            )
        return Response({"status": found.state, "checks": found.as_json()}, headers=_NO_STORE)
