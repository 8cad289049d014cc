"""Where the system is served."""

import socket
from dataclasses import dataclass

from flightbook.firstrun.failures import FirstRunError

LAST_PORT = 65535
# Connections that may wait to be accepted: Twisted's own 50 refuse some of a few hundred that come at once.
_BACKLOG = 2048
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what the person may have asked for


@dataclass(frozen=True)
class Address:
    """A host, by name or number, and a TCP port."""

    host: str
    port: int

    @property
    def reachable_host(self) -> str:
        """The host, or this machine's own where the host stands for every address."""
        return _EVERY_ADDRESS.get(self.host, self.host)

    @property
    def url(self) -> str:
        """How this machine reaches it, without a slash at the end."""
        host = self.reachable_host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """The same in Twisted's words (`twisted.internet.endpoints.serverFromString`)."""
        host = self.host.replace(":", r"\:")
        return f"tcp:port={self.port}:interface={host}:backlog={_BACKLOG}"

    def check_free(self) -> None:
        """Raises ``FirstRunError`` if nothing can be served here, before anything is done in vain."""
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
                probe.listen(1)
        except OSError as error:
            raise FirstRunError(
                f"port {self.port} of {self.host} cannot be had ({error.strerror}): "
                f"choose another, as in `make run PORT={self.port + 1 if self.port < LAST_PORT else 8000}`."
            ) from error
