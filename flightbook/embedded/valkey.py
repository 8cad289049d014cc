"""The embedded Valkey: a socket that its owner alone can open, bounded memory, nothing on disk."""

import signal
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import redis

from flightbook.embedded import places
from flightbook.embedded.server import Server


class Valkey(Server):
    """Valkey holds nothing that may not be lost, so it evicts when full and starts empty."""

    name = "Valkey"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}?db=0"

    @property
    def pid_file(self) -> Path:
        return self.sockets / "valkey.pid"

    @property
    def marker(self) -> str:
        return str(self._socket)

    @property
    def _socket(self) -> Path:
        return self.sockets / "valkey"

    def command(self) -> Sequence[str | Path]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "pidfile": str(self.pid_file),
            "set-proc-title": "no",  # a stale server is known by its command line
            "save": "",
            "appendonly": "no",
            "databases": "64",  # one for each process of a parallel test run
            "maxmemory": "256mb",
            "maxmemory-policy": "allkeys-lru",
        }
        return [
            places.valkey_binary(),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        ]

    def prepare(self) -> None:
        """Nothing to make: the server keeps no data."""

    def answers(self) -> bool:
        client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=5)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()
