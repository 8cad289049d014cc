"""The command line of ``python -m flightbook.firstrun``."""

import argparse
import http.client
import signal
import sys
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

from django.conf import settings

from flightbook.embedded.failures import Stopped
from flightbook.embedded.signals import StopSignals
from flightbook.embedded.terminal import tell
from flightbook.firstrun.address import LAST_PORT, Address
from flightbook.firstrun.failures import FirstRunError
from flightbook.firstrun.greeting import greeting
from flightbook.firstrun.preparation import prepare
from flightbook.firstrun.supervisor import Supervisor, to_terminal

_MANAGE = str(Path(__file__).resolve().parents[2] / "manage.py")
_READY_SECONDS = 120.0


def main() -> int:
    """Exit status: 0 when stopped by a signal while it runs, 1 when the system cannot run."""
    began = time.monotonic()
    address = _parse()
    # Until there are children to end, a signal may end us as it is: the database rolls back.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        address.check_free()
        staff = prepare()
        signals = StopSignals()
        with Supervisor(_commands(address), to_terminal) as supervisor:
            _await_readiness(address, supervisor, signals)
            to_terminal(greeting(address, staff, time.monotonic() - began))
            while signals.received is None:
                supervisor.attend(0.2)
            to_terminal("flightbook: stopping …\n")
    except Stopped:
        return 0
    except FirstRunError as failure:
        tell(str(failure))
        return 1
    return 0


def _parse() -> Address:
    parser = argparse.ArgumentParser(
        prog="python -m flightbook.firstrun", description="Runs the whole system."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    if not 0 < options.port <= LAST_PORT:
        parser.error(f"{options.port} is no port: 1 to {LAST_PORT}")
    return Address(options.host, options.port)


def _commands(address: Address) -> dict[str, Sequence[str]]:
    most = str(settings.SOCKET_FRAME_BYTES)
    limits = ("--websocket-max-frame-size", most, "--websocket-max-message-size", most)
    # Its defaults end every socket after a day, and who waits 5 s to be let in: in a crowd many do.
    times = ("--websocket_timeout", "-1", "--websocket_connect_timeout", "20")
    daphne = ("-m", "daphne", "-e", address.endpoint, *times, *limits)
    return {
        "server": (sys.executable, *daphne, "flightbook.asgi:application"),
        "relay": (sys.executable, _MANAGE, "relay"),
        "worker": (sys.executable, _MANAGE, "worker"),
        "notices": (sys.executable, _MANAGE, "notices"),
    }


def _await_readiness(address: Address, supervisor: Supervisor, signals: StopSignals) -> None:
    """Returns when ``/health/ready`` answers 200; raises ``FirstRunError`` with what it says in the end."""
    deadline = time.monotonic() + _READY_SECONDS
    while (lack := _lack(address)) is not None:
        signals.check()
        if time.monotonic() > deadline:
            raise FirstRunError(f"not ready after {_READY_SECONDS:.0f} s: {lack}")
        supervisor.attend(0.2)


def _lack(address: Address) -> str | None:
    """What keeps the system from being ready, by its own word; None when it is."""
    connection = http.client.HTTPConnection(address.reachable_host, address.port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        said = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()
    return None if answer.status == HTTPStatus.OK else said


if __name__ == "__main__":
    sys.exit(main())
