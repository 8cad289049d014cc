"""`make updates-abuse`: what four kinds of abuse of a server do to the others on it, and to its memory.

Five hundred sockets on one daphne hear an update every 0.6 s: first in peace, then while each abuser is at
it. The flight of the silent ones has a thousand updates a second meanwhile, so that what they do not read
piles up. Says the 99th percentile of each phase and its ratio to the peace before it, what the abuser was
answered, and how far the server's memory rose. The abuser shares the cores: its own work is in the ratio.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import time
from contextlib import suppress
from typing import Any

from bench.updates.servers import Servers, end_on_signals, hear, say
from flightbook.embedded.failures import EmbeddedError

KINDS = ("silent", "large", "flood", "many")
_SOCKETS, _USERS, _MESSAGES = 500, 5, 25
_STORM = "layer 15000 0.001"


class Abuse:
    def __init__(self, servers: Servers) -> None:
        self.servers = servers

    def prepare(self) -> None:
        world = self.servers.seed(2, _USERS + 1)
        (self.flight, self.other), (*users, self.user) = world["flights"], world["users"]
        self.servers.start_server(0)
        path = self.servers.directory / "crowd.json"
        first = [json.dumps({"userId": user["id"], "flightId": f"FL{self.flight}"}) for user in users]
        headers = [{"Authorization": f"Bearer {user['token']}"} for user in users]
        settings = {"port": self.servers.ports[0], "count": _SOCKETS, "path": "/ws/flight-updates"}
        path.write_text(json.dumps(settings | {"headers": headers, "first": first}), encoding="utf-8")
        self.crowd = self.servers.start_client("crowd", "bench.updates.crowd", str(path))
        hear(self.crowd, "following")
        self.publisher = self.servers.start_client("publisher", "bench.updates.publisher", str(self.flight))
        self.measure()  # warms up

    def measure(self) -> tuple[float, int]:
        """The 99th percentile over all messages, in milliseconds, and how many were lost."""
        say(self.crowd, f"expect {_MESSAGES}")
        hear(self.crowd, "ready")
        say(self.publisher, f"layer {_MESSAGES}")
        assert self.crowd.stdout is not None
        found = json.loads(self.crowd.stdout.readline())
        hear(self.publisher, "published")
        each = [sorted(latencies) for latencies in found["latencies"]]
        return statistics.median(latencies[int(len(latencies) * 0.99)] for latencies in each), found["lost"]

    def suffer(self, kind: str) -> dict[str, Any]:
        peace, _ = self.measure()
        before = self.servers.memory("server-0")
        path = self.servers.directory / "abuser.json"
        settings = {"port": self.servers.ports[0], "user": self.user["id"], "token": self.user["token"]}
        path.write_text(json.dumps(settings | {"flight": f"FL{self.other}"}), encoding="utf-8")
        abuser = self.servers.start_client(f"abuser-{kind}", "bench.updates.abuser", kind, str(path))
        hear(abuser, "at it")
        time.sleep(1.0)
        if kind == "silent":
            storm = self.servers.start_client("storm", "bench.updates.publisher", str(self.other))
            say(storm, _STORM)
        war, lost = self.measure()
        after = self.servers.memory("server-0")
        self.servers.tell(f"abuser-{kind}", signal.SIGTERM)
        assert abuser.stdout is not None
        answered = json.loads(abuser.stdout.readline())
        self.servers.end(f"abuser-{kind}", signal.SIGTERM)
        return {"peace": peace, "war": war, "lost": lost, "rise": (after - before) / 2**20, **answered}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make updates-abuse", description=__doc__)
    parser.add_argument("--port", type=int, default=8381)
    options = parser.parse_args()
    servers = Servers(end_on_signals(), first_port=options.port, drop=0.0, without=None)
    abuse = Abuse(servers)
    lost = 0
    try:
        servers.start_databases()
        abuse.prepare()
        for kind in KINDS:
            seen = abuse.suffer(kind)
            lost += seen["lost"]
            ratio = seen["war"] / seen["peace"]
            sys.stdout.write(
                f"{kind:7} p99 {seen['peace']:.0f} ms, under it {seen['war']:.0f} ms, {ratio:.2f} times; "
                f"lost {seen['lost']}; memory +{seen['rise']:.1f} MiB; opened {seen['opened']:,}, "
                f"refused {seen['refused']}\n"
            )
            sys.stdout.flush()
    finally:
        with suppress(EmbeddedError):
            servers.stop()
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
