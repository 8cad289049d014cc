"""Which addresses may be called: public ones alone, so that nobody has us look into our own network.

A name is resolved once, every address that it has is judged, and the call goes to the one that was judged:
resolving it again would let a name server answer otherwise the second time (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from flightbook.errors import Invalid

logger = logging.getLogger(__name__)
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # RFC 4291; nothing else is routed
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LONGEST = 500
_PORTS = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddressError(Exception):
    """What a name leads to is not public, or nothing. The text does not tell which: it is shown to users, who
    must not learn which names there are in our network."""


@dataclass(frozen=True)
class Place:
    """Where a URL leads: `path` with its query, `host` as certificates name it."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


def check_url(url: str) -> None:
    """Raises `Invalid` where `url` could never be called; names are not resolved here."""
    if len(url) > _LONGEST or not url.isascii() or any(character <= " " for character in url):
        raise Invalid.of("/url", "invalid", f"An address of at most {_LONGEST} ASCII characters.")
    try:
        parts = urlsplit(url)
        found, has_user = place(url), parts.username is not None or parts.password is not None
    except ValueError as error:
        raise Invalid.of("/url", "invalid", "It is no URL of a host.") from error
    if has_user or parts.fragment:
        raise Invalid.of("/url", "invalid", "Neither a user nor a fragment belongs into it.")
    if found.scheme != "https" and not settings.WEBHOOK_INSECURE_TARGETS:
        raise Invalid.of("/url", "invalid", "It begins with https://.")
    try:
        literal = ipaddress.ip_address(found.host)
    except ValueError:
        return
    if not is_allowed(literal):
        raise Invalid.of("/url", "forbidden_address", "That address is not a public one.")


def place(url: str) -> Place:
    """
    Raises:
        ValueError: it is no URL of http or https with a host.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("no URL of http or https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme], path)


def resolve(found: Place) -> str:
    """One address of the host, after all of them were judged.

    Raises:
        ForbiddenAddressError: one of them is not public, or there is none.
    """
    try:
        infos = socket.getaddrinfo(found.host, found.port, type=socket.SOCK_STREAM)
    except OSError as error:
        logger.info("webhooks: %s leads nowhere: %s", found.host, error)
        raise _forbidden(found) from error
    resolved = [str(info[4][0]) for info in infos]
    for address in resolved:
        if not is_allowed(ipaddress.ip_address(address.partition("%")[0])):
            logger.info("webhooks: %s leads to %s", found.host, address)
            raise _forbidden(found)
    return resolved[0]


def _forbidden(found: Place) -> ForbiddenAddressError:
    return ForbiddenAddressError(f"{found.host} has no public address")


def is_allowed(address: Address) -> bool:
    return bool(settings.WEBHOOK_INSECURE_TARGETS) or is_public(address)


def is_public(address: Address) -> bool:
    """Whether it is one of the public internet: no private, loopback, link-local, shared, reserved or
    multicast one, nor an IPv6 address that stands for such an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a mapped, 6to4, Teredo or NAT64 address leads to."""
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or int(address) >> 32 == 0:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
