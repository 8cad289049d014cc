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
_LONGEST_ERROR = 300
_AGENT = "Flightbook-Webhooks/1"


class _Connection(http.client.HTTPConnection):
    """Goes to `address`, whatever the host's name leads to by now; over TLS the certificate is the host's.
    Everything is over at `deadline`, by the monotonic clock."""

    def __init__(self, place: addresses.Place, address: str, deadline: float) -> None:
        super().__init__(place.host, place.port)
        self._place = place
        self._address = address
        self._deadline = deadline

    def seconds_left(self) -> float:
        """
        Raises:
            TimeoutError: none.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        return left

    def connect(self) -> None:
        first = min(CONNECT_SECONDS, self.seconds_left())
        self.sock: Any = socket.create_connection((self._address, self._place.port), first)
        self.sock.settimeout(self.seconds_left())
        if self._place.scheme == "https":
            self.sock = _tls().wrap_socket(
                self.sock, server_hostname=self._place.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()  # by now the watchdog knows the socket


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def call(target: Target) -> Outcome:
    """Sends it once, or not at all after `WHOLE_SECONDS`. Whatever goes wrong is in the outcome."""
    began = time.monotonic()
    status, error = None, ""
    try:
        place = addresses.place(target.url)
        connection = _Connection(place, addresses.resolve(place), began + WHOLE_SECONDS)
        status = _post(connection, place, target)
    except addresses.ForbiddenAddressError as failure:
        return Outcome(None, 0, _text(failure))  # how long it took would tell of names within, too
    except (OSError, http.client.HTTPException, ValueError) as failure:
        error = _text(failure)
    return Outcome(status, round((time.monotonic() - began) * 1000), error)


def _text(failure: Exception) -> str:
    """Some of it is the receiver's own words: what no page can show, the database may refuse."""
    text = f"{type(failure).__name__}: {failure}"[:_LONGEST_ERROR]
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _post(connection: _Connection, place: addresses.Place, target: Target) -> int:
    head = {
        "Host": place.host_header,
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "Connection": "close",
        **signing.headers(target.message_id, int(time.time()), target.body, target.secrets),
    }
    # Each read has its time-out; a server that sends a byte now and then would never run into it.
    watchdog = threading.Timer(connection.seconds_left(), _cut, [connection])
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
        if (sock := connection.sock) is not None:
            sock.shutdown(socket.SHUT_RDWR)
