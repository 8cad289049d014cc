"""Who is calling, seen through the proxies that we trust."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The client's IP address: behind n trusted proxies the n-th from the right of X-Forwarded-For.

    What stands left of it was written by the client, and is not believed.
    """
    hops = settings.TRUSTED_PROXY_HOPS
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if hops and len(forwarded) >= hops:
        return str(forwarded[-hops])
    return str(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104 - a name for "unknown", nothing is bound
