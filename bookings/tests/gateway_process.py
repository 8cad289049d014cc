"""The gateway of `bench.gateway` as a process, and what a test may ask of it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightbook.http.json import encode
from flightbook.settings import BASE_DIR

SECRET = "whsec_test"


@dataclass(frozen=True)
class GatewayProcess:
    address: str

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        return self._call("/ledger")

    def payments(self, key: object) -> list[dict[str, Any]]:
        return [payment for payment in self.ledger()["payments"] if payment["key"] == str(key)]

    def statuses(self, key: object) -> list[str]:
        """What the gateway has under our key: one, where all is well."""
        return [payment["status"] for payment in self.payments(key)]

    def faults(self, **rates: float) -> None:
        self._call("/faults", encode(rates))

    def _call(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(self.address + path, data=body, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def gateway_process(directory: Path, *options: str) -> Iterator[GatewayProcess]:
    command = [sys.executable, "-m", "bench.gateway", "--port", "0", "--ledger", str(directory / "ledger")]
    command += ["--secret", SECRET, *options]
    process = subprocess.Popen(command, cwd=BASE_DIR, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield GatewayProcess(process.stdout.readline().removeprefix("gateway: ").strip())
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
