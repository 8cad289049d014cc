"""The API's limit for what a page asks of the database, too."""

from __future__ import annotations

from django.http import HttpRequest
from rest_framework.request import Request

from flightbook.errors import Throttled
from flightbook.http.throttling import MinuteThrottle


def count_page(request: HttpRequest) -> None:
    """Counts `request` against its address's limit of "anything else".

    Raises:
        Throttled: the address is over it.
    """
    throttle = MinuteThrottle()
    if not throttle.allow_request(Request(request), None):
        raise Throttled(retry_after=max(1, round(throttle.wait())))
