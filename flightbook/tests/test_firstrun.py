"""The command behind ``make run``: its supervisor with small children, its words, its refusals."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flightbook.firstrun.address import Address
from flightbook.firstrun.failures import FirstRunError
from flightbook.firstrun.greeting import greeting
from flightbook.firstrun.preparation import StaffAccount
from flightbook.firstrun.supervisor import Supervisor

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE = 60.0
LASTING = "import time; print('up'); time.sleep(600)"


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


def attend_until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        supervisor.attend(0.02)


def python(program: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", program)


def pids_of(supervisor: Supervisor) -> list[int]:
    return [child.process.pid for child in supervisor.children if child.process]


def test_a_crowd_that_comes_at_once_waits_in_line() -> None:
    """The server listens, and is too busy to accept anybody: no client may be turned away meanwhile."""
    program = """
import sys, time
from twisted.internet import endpoints, protocol, reactor
port = endpoints.serverFromString(reactor, sys.argv[1]).listen(protocol.Factory()).result
print(port.getHost().port, flush=True)
time.sleep(600)
"""
    command = (*python(program), Address("127.0.0.1", 0).endpoint)
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(busy.kill)
        assert busy.stdout is not None
        port = int(busy.stdout.readline())
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=DEADLINE))


def test_the_endpoint_of_an_ipv6_address_is_escaped() -> None:
    assert Address("::1", 80).endpoint.startswith(r"tcp:port=80:interface=\:\:1:")


def test_lines_carry_the_childs_name_and_the_last_needs_no_end() -> None:
    terminal = Terminal()
    program = "import time; print('one'); print('two', end=''); time.sleep(600)"
    with Supervisor({"relay": python(program), "worker": python(LASTING)}, terminal.write) as supervisor:
        attend_until(supervisor, lambda: "one" in terminal.text and "up" in terminal.text)
    assert set(terminal.text.splitlines()) == {"relay  | one", "relay  | two", "worker | up"}


def test_leaving_ends_every_child_also_one_that_ignores_term() -> None:
    terminal = Terminal()
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
    )
    supervisor = Supervisor({"a": python(LASTING), "b": python(stubborn)}, terminal.write, stop_seconds=0.2)
    with supervisor:
        attend_until(supervisor, lambda: terminal.text.count("up") == 2)
        pids = pids_of(supervisor)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_child_that_dies_is_started_again() -> None:
    terminal = Terminal()
    with Supervisor({"relay": python(LASTING)}, terminal.write, first_delay=0.01) as supervisor:
        attend_until(supervisor, lambda: "up" in terminal.text)
        os.kill(pids_of(supervisor)[0], signal.SIGKILL)
        attend_until(supervisor, lambda: terminal.text.count("up") == 2)
    assert "flightbook: the relay was ended by signal 9; it starts again in 0.01 s.\n" in terminal.text


def test_a_child_that_keeps_dying_ends_everything() -> None:
    terminal = Terminal()
    commands = {"relay": python("raise SystemExit('no relay today')"), "worker": python(LASTING)}
    supervisor = Supervisor(commands, terminal.write, first_delay=0.01)
    with supervisor, pytest.raises(FirstRunError, match="it ended with status 1, 5 times in a row"):
        attend_until(supervisor, lambda: False)
    assert terminal.text.count("relay  | no relay today") == 5


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")
def test_no_child_outlives_a_killed_supervisor() -> None:
    program = """
import sys
from flightbook.firstrun.supervisor import Supervisor
child = (sys.executable, "-c", "import os, time; print(os.getpid()); time.sleep(600)")
with Supervisor({"child": child}, lambda text: print(text, end="", flush=True)) as supervisor:
    while True:
        supervisor.attend(1)
"""
    parent = subprocess.Popen(python(program), cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline().removeprefix("child | "))
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + DEADLINE
    while Path(f"/proc/{child}").exists() and "\nState:\tZ" not in Path(f"/proc/{child}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_taken_port_is_one_line_before_anything_is_done() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = subprocess.run(
            [sys.executable, "-m", "flightbook.firstrun", "--port", str(port)],
            cwd=CHECKOUT,
            env=os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == (
        f"flightbook: port {port} of 127.0.0.1 cannot be had (Address already in use): "
        f"choose another, as in `make run PORT={port + 1}`.\n"
    )


def test_a_free_port_is_none_of_our_business() -> None:
    Address("127.0.0.1", 0).check_free()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("::", "http://[::1]:80"),
    ],
)
def test_the_address_that_a_browser_takes(host: str, url: str) -> None:
    assert Address(host, 80).url == url


def test_a_setting_that_will_not_do_is_one_line() -> None:
    without_servers = [sys.executable, "-m", "flightbook.embedded", "--no-servers", "--"]
    refused = subprocess.run(
        [*without_servers, sys.executable, "-m", "flightbook.firstrun", "--port", str(free_port())],
        cwd=CHECKOUT,
        env=os.environ | {"ALLOW_SANDBOX_PAYMENTS": "perhaps"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert refused.returncode == 1
    assert "ALLOW_SANDBOX_PAYMENTS" in refused.stderr
    assert refused.stderr.count("\n") == 1


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_the_greeting_says_what_to_try_with_a_day_that_has_flights() -> None:
    text = greeting(Address("127.0.0.1", 8000), StaffAccount("admin", True, "s3cret"), 12.34)
    today = datetime.now(ZoneInfo("America/New_York")).date()
    found = re.search(r"curl 'http://127.0.0.1:8000/search-flights\?from=JFK&to=LAX&date=([\d-]+)'", text)
    assert found
    assert timedelta(days=6) <= date.fromisoformat(found[1]) - today <= timedelta(days=7)
    assert "user admin, password s3cret (shown only this once)" in text
    for path in ("/\n", "/docs/\n", "/admin/ "):
        assert f"http://127.0.0.1:8000{path}" in text


def test_the_greeting_never_shows_a_password_that_was_there() -> None:
    address = Address("127.0.0.1", 8000)
    assert "DJANGO_SUPERUSER_PASSWORD" in greeting(address, StaffAccount("admin", True, None), 1)
    assert "changepassword admin" in greeting(address, StaffAccount("admin", False, None), 1)
