"""gunicorn's settings. Threads times workers is what one replica takes of the database's connections."""

from __future__ import annotations

import errno
import gc
import http
import json
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from types import FrameType

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.workers.base import Worker  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

_SERVER_ERROR = http.HTTPStatus.INTERNAL_SERVER_ERROR
_TOO_LARGE = (http.HTTPStatus.REQUEST_URI_TOO_LONG, http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)


class DrainingWorker(ThreadWorker):  # type: ignore[misc]  # its base is untyped
    """Told to stop, takes in what has connected already, and refuses what has not.

    gunicorn's own (27.0) stops accepting, finishes its requests and closes the port last: who connects
    meanwhile sends a request that is thrown away, and the gateway must not repeat a sale. Who is refused is
    sent elsewhere.
    """

    is_told = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.is_told = True
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - gunicorn's signature
        # Not where a worker ends by itself (max_requests): the port is its successor's too.
        if self.is_told and not enabled:
            for listener in self.sockets:
                self._close(listener)
        super().set_accept_enabled(enabled)

    def accept(self, listener: socket.socket) -> None:
        try:
            super().accept(listener)
        except OSError as error:
            if error.errno != errno.EINVAL:  # another worker of this replica has closed it
                raise

    def _close(self, listener: socket.socket) -> None:
        taken = -1
        while taken != self.nr_conns:
            taken = self.nr_conns
            self.accept(listener)
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # for all processes that share it; close() would be for one


def write_problem(client: socket.socket, status: int, reason: str, _message: str) -> None:
    """What gunicorn refuses before the application sees it (a control character in a header, say), in the
    form of all other errors and not as a page of HTML. Its message would repeat what was sent.
    """
    code = "too_large" if status in _TOO_LARGE else "invalid" if status < _SERVER_ERROR else "internal"
    detail = f"{reason}."
    problem: dict[str, object] = {
        "type": f"urn:flightbook:problem:{code}",
        "title": reason,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if code == "invalid":
        problem["errors"] = [{"pointer": "", "code": "malformed", "detail": detail}]
    body = json.dumps(problem)
    lines = (
        f"HTTP/1.1 {status} {reason}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
    )
    util.write_nonblock(client, "\r\n".join([*lines, "", body]).encode())


util.write_error = write_problem


def when_ready(server: object) -> None:
    """gunicorn's hook, with the application loaded and before any worker is forked: what is loaded is there
    to stay. A collection in a worker would write into every object of it, and so copy the pages that the
    workers share (https://docs.python.org/3/library/gc.html#gc.freeze)."""
    gc.collect()
    gc.freeze()


def post_fork(server: object, worker: Worker) -> None:
    """gunicorn's hook: a thread that exports spans would not live through the fork."""
    from flightbook import tracing  # noqa: PLC0415 - with the settings, which only the application needs

    tracing.begin()


def post_worker_init(worker: Worker) -> None:
    """gunicorn's hook, in each worker with the application loaded: the worker adds its threads to what this
    replica can do at once."""
    from flightbook import instruments  # noqa: PLC0415 - not before `_place_for_metrics`

    instruments.places.set(worker.cfg.threads)


def child_exit(server: object, worker: Worker) -> None:
    """gunicorn's hook: what a worker was measuring at its end is over; what it counted stays counted."""
    # Not imported above: when it is, it looks whether the directory is named.
    from prometheus_client import multiprocess  # noqa: PLC0415

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _place_for_metrics() -> None:
    """Where the workers' counters add up: files on the tmpfs, before the application is loaded."""
    default = Path(tempfile.gettempdir()) / "flightbook-metrics"
    directory = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(default)))
    directory.mkdir(parents=True, exist_ok=True)
    for left_over in directory.glob("*.db"):
        left_over.unlink()


_place_for_metrics()
bind = "0.0.0.0:8000"
worker_class = DrainingWorker
# Loaded before the port opens: a replica that accepts can answer, and its workers share the memory.
preload_app = True
control_socket_disable = True
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the root file system is read-only
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than the gateway keeps its connections, so that it is the gateway who closes them
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 8190
accesslog = None  # the application writes a line for each request
errorlog = "-"
if os.environ.get("LOG_FORMAT") == "json":
    logconfig_dict = {
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "flightbook.logs.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}},
    }
