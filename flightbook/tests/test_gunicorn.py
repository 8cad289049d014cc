"""gunicorn as a deployment runs it, by docker/gunicorn_settings.py."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightbook.tests.processes import ROOT, eventually


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def _listens(port: int) -> bool:
    try:
        _connect(port).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        found: int = probe.getsockname()[1]
    command = ["gunicorn", "--config", "docker/gunicorn_settings.py", "--bind", f"127.0.0.1:{found}"]
    environment = os.environ | {"TMPDIR": str(tmp_path), "WEB_WORKERS": "1", "WEB_THREADS": "1"}
    server = subprocess.Popen([sys.executable, "-m", *command, "flightbook.wsgi"], cwd=ROOT, env=environment)
    try:
        eventually(lambda: _listens(found))
        yield found
    finally:
        server.terminate()
        server.wait(60)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ("X-Control: \x01\r\n", b"400 Bad Request", "invalid"),
        ("X-Many: a\r\n" * 200, b"431 Request Header Fields Too Large", "too_large"),
    ],
)
def test_what_gunicorn_refuses_is_a_problem_document(
    port: int, headers: str, status: bytes, code: str
) -> None:
    """And does not repeat what was sent."""
    with _connect(port) as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert b"Content-Type: application/problem+json" in head
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (int(status[:3]), code)
    assert "Control" not in body.decode()
