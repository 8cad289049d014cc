"""Who is calling, seen through the proxies that we trust."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

# A connection over a unix socket has no address: all of those are one caller.
UNKNOWN = "0.0.0.0"  # noqa: S104 - a name, nothing is bound


def client_address(request: HttpRequest) -> str:
    """The client's IP address: behind n trusted proxies the n-th from the right of X-Forwarded-For.

    What stands left of it was written by the client, and is not believed; nor is what is no address.
    """
    hops = settings.TRUSTED_PROXY_HOPS
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
    ]
    if hops and len(forwarded) >= hops:
        address = _plain(forwarded[-hops])
        if address is not None:
            return address
    return _plain(str(request.META.get("REMOTE_ADDR") or "")) or UNKNOWN


def client_network(request: HttpRequest) -> str:
    """What one caller has: an IPv4 address, or an IPv6 /64 to choose from (RFC 6177: at least that)."""
    address = client_address(request)
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def _plain(text: str) -> str | None:
    """The address in its one form: no zone, and IPv4 also where it comes wrapped in IPv6."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
