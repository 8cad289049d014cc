"""One call of a webhook: to the address that was judged, within a time, without redirects. Of the answer its
status is read and nothing of its body."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import cache
from typing import Any

from subscriptions.types import Outcome, Target
from subscriptions.webhooks import addresses, signing

CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 15.0
_AGENT = "Flightbook-Webhooks/1"


class _Connection(http.client.HTTPConnection):
    """Goes to `address`, whatever the host's name leads to by now; over TLS the certificate is the host's."""

    def __init__(self, place: addresses.Place, address: str) -> None:
        super().__init__(place.host, place.port, timeout=CONNECT_SECONDS)
        self._place = place
        self._address = address

    def connect(self) -> None:
        self.sock: Any = socket.create_connection((self._address, self._place.port), self.timeout)
        if self._place.scheme == "https":
            self.sock = _tls().wrap_socket(
                self.sock, server_hostname=self._place.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()  # by now the watchdog knows the socket


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def call(target: Target) -> Outcome:
    """Sends it once. Whatever goes wrong is in the outcome; nothing is raised."""
    began = time.monotonic()
    status, error = None, ""
    try:
        place = addresses.place(target.url)
        status = _post(_Connection(place, addresses.resolve(place)), place, target)
    except (OSError, http.client.HTTPException, addresses.ForbiddenAddressError, ValueError) as failure:
        error = f"{type(failure).__name__}: {failure}"[:300]
    return Outcome(status, round((time.monotonic() - began) * 1000), error)


def _post(connection: _Connection, place: addresses.Place, target: Target) -> int:
    head = {
        "Host": place.host_header,
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "Connection": "close",
        **signing.headers(target.message_id, int(time.time()), target.body, target.secrets),
    }
    # Each read has a time-out of its own; a server that sends a byte now and then would never run into it.
    watchdog = threading.Timer(WHOLE_SECONDS, _cut, [connection])
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.request("POST", place.path, target.body, head)
        return connection.getresponse().status
    finally:
        watchdog.cancel()
        connection.close()


def _cut(connection: _Connection) -> None:
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
