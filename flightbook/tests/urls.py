"""Routes that fail in every way, beside the real ones, for the tests of what a failure looks like."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from flightbook.http.middleware import current_request_id


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret that no client may read")


def away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("could not connect to server at 10.0.0.7")


def denied(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"posted": list(request.POST)})


def connections(request: HttpRequest) -> HttpResponse:
    """How many connections of requests are at work, while each holds its own for a moment.

    One that was just closed by its request may still be listed, but is not active.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.1)")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'requests' AND state = 'active'"
        )
        (count,) = cursor.fetchone()
    return JsonResponse({"connections": count})


class Echo(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        return Response({"body": request.data, "requestId": current_request_id()})

    def put(self, request: Request) -> Response:
        raise RuntimeError("a secret that no client may read")

    def patch(self, request: Request) -> Response:
        raise OperationalError("could not connect to server at 10.0.0.7")


urlpatterns = [
    path("test/broken", broken),
    path("test/away", away),
    path("test/denied", denied),
    path("test/form", form),
    path("test/connections", connections),
    path("test/echo", Echo.as_view()),
    path("", include("flightbook.urls")),
]

handler400 = "flightbook.http.problems.bad_request"
handler403 = "flightbook.http.problems.forbidden"
handler404 = "flightbook.http.problems.not_found"
handler500 = "flightbook.http.problems.server_error"
