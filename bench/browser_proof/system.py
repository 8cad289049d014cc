"""The system as `make run` starts it, on a port and with data of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

HOME = Path("var/browser-proof").resolve()
AIRPORT, ZONE = "JFK", ZoneInfo("America/New_York")
STAFF = ("admin", "browser-proof-only")
TRAVELLER = ("ada", "password123")
_READY_SECONDS, _STOP_SECONDS = 180.0, 60.0
_OURS = {
    "DJANGO_SUPERUSER_USERNAME": STAFF[0],
    "DJANGO_SUPERUSER_PASSWORD": STAFF[1],
    "SCHEDULE_DAYS": "3",
    "WEBHOOK_INSECURE_TARGETS": "true",
}
_THEIRS = ("DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "REDIS_SENTINELS")


class System:
    """`product` is the Python that the product's packages are installed for."""

    def __init__(self, product: str) -> None:
        self.port = _free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._python = product
        self._embedded = [product, "-m", "flightbook.embedded", "--var", str(HOME / "data")]
        self._environment = {name: value for name, value in os.environ.items() if name not in _THEIRS} | _OURS
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Returns when it is ready; the seconds that this took."""
        began = time.monotonic()
        command = ("-m", "flightbook.firstrun", "--port", str(self.port))
        self._process = self._spawn(*command)
        eventually(self._is_ready, _READY_SECONDS)
        return time.monotonic() - began

    def stop(self) -> None:
        """As Ctrl-C or a service manager does."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_STOP_SECONDS)
        self._process = None

    def reset(self) -> None:
        """Removes the data."""
        subprocess.run(  # noqa: S603 - of our own
            [*self._embedded, "--reset"], env=self._environment, check=True
        )

    def manage(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begins what `make manage` does: beside the running system, or with the databases alone."""
        return self._spawn("manage.py", *arguments)

    def replay(self) -> subprocess.Popen[bytes]:
        """Begins `make demo`: the real delays of the day that the board shows, 20 minutes in a second."""
        day = (datetime.now(ZONE) + timedelta(hours=2)).date()
        return self.manage("replay_delays", "--date", day.isoformat(), "--speed", "1200")

    def _spawn(self, *command: str) -> subprocess.Popen[bytes]:
        HOME.mkdir(parents=True, exist_ok=True)
        with (HOME / "system.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - of our own
                [*self._embedded, "--", self._python, *command],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended: see {HOME / 'system.log'}"
        try:
            return httpx.get(f"{self.base}/health/ready", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


class Account:
    """Somebody who is logged in to the API."""

    def __init__(self, system: System, username: str, password: str) -> None:
        self._http = httpx.Client(base_url=system.base, timeout=20)
        login = self.call("POST", "/login", {"username": username, "password": password})
        self.user_id: str = login["userId"]
        self._http.headers["Authorization"] = f"Bearer {login['token']}"

    def call(self, method: str, path: str, body: Any = None, **parts: Any) -> Any:
        answer = self._http.request(method, path, json=body, **parts)
        assert answer.is_success, (method, path, answer.status_code, answer.text[:500])
        return answer.json() if answer.content else None

    def report(self, flight_id: str, **update: Any) -> int:
        """As the airline's staff; the update's sequence."""
        return int(self.call("POST", f"/flights/{flight_id}/updates", update)["sequence"])

    def log(self, flight_id: str) -> list[Any]:
        """All updates of the flight."""
        found: list[Any] = self.call("GET", f"/flights/{flight_id}/updates")["updates"]
        return found


def registered(system: System) -> Account:
    """The traveller, new."""
    name, password = TRAVELLER
    who = {"username": name, "password": password, "email": f"{name}@example.com"}
    assert httpx.post(f"{system.base}/register", json=who, timeout=20).is_success
    return Account(system, name, password)


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.2)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
