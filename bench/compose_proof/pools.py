"""Each pool in turn loses a replica, shrinks and grows, and is rolled out, under steady load on all three."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress

from websockets.exceptions import ConnectionClosed, WebSocketException

from bench.compose_proof.failures import REPLICAS
from bench.compose_proof.load import Load, Request, Steady
from bench.compose_proof.stack import containers, eventually, is_healthy, run, scale
from bench.compose_proof.traveller import Traveller, hear

EACH = {"users": 2, **REPLICAS}
SEATS = 50
CLIENTS = 2  # of each kind
PAUSE = 0.1  # seconds between the requests of one
RESTARTING = 1012
NEXT = "flightbook:next"
PATIENCE = 120.0  # seconds for a replica to become healthy in, on a machine under load

Loads = dict[str, dict[str, Steady]]  # by pool, then by kind


class NewSockets(Steady):
    """Clients that open a socket, follow a flight, hear its state and leave. Who is told that the replica
    goes comes again, as the product's client does."""

    def __init__(self, traveller: Traveller, flight_id: str) -> None:
        super().__init__(CLIENTS)
        self._traveller, self._flight_id = traveller, flight_id

    def _work(self) -> None:
        while not self._over.wait(PAUSE):
            began = time.monotonic()
            self.outcomes[self._one()] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)

    def _one(self) -> str:
        try:
            with self._traveller.socket() as opened:
                self._traveller.follow(opened, self._flight_id)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 0
            return f"{RESTARTING}, sent elsewhere" if code == RESTARTING else f"closed with {code}"
        except (WebSocketException, OSError) as error:
            return type(error).__name__
        return "101"


class OpenSockets(Steady):
    """Clients whose sockets stay open: every end of one counts, and it is opened again."""

    def __init__(self, traveller: Traveller, flight_id: str) -> None:
        super().__init__(CLIENTS * 2)
        self._traveller, self._flight_id = traveller, flight_id

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                with self._traveller.socket() as opened:
                    self._traveller.follow(opened, self._flight_id)
                    self.outcomes["101"] += 1
                    while not self._over.is_set():
                        with suppress(TimeoutError):
                            hear(opened, PAUSE)
            except (WebSocketException, OSError) as error:
                self.outcomes[f"ended by {type(error).__name__}"] += 1


@contextmanager
def steady_load(days: int) -> Iterator[Loads]:
    """On every pool, reads and writes apart; the sale takes flights of the day in so many days."""
    traveller = Traveller()
    flights = [one["flightId"] for one in traveller.search(days=days) if one["seatsLeft"] > SEATS]
    sale = {"userId": traveller.user_id, "paymentMethod": "credit_card"}
    token = traveller.http.headers["Authorization"].removeprefix("Bearer ")

    def followed(_: int) -> Request:
        return ("GET", f"/user-flights/{traveller.user_id}", None)

    def follow(number: int) -> Request:
        flight_id = flights[number % len(flights)]
        return ("POST", "/subscribe-flight", {"userId": traveller.user_id, "flightId": flight_id})

    def look(number: int) -> Request:
        return ("GET", f"/flights/FL{number % 500 + 1}", None)

    def book(number: int) -> Request:
        return ("POST", "/book-flight", sale | {"flightId": flights[number % len(flights)]})

    def load(requests: Callable[[int], Request]) -> Load:
        return Load(requests, token=token, clients=CLIENTS, pause=PAUSE)

    loads: Loads = {
        "users": {"reads": load(followed), "writes": load(follow)},
        "booking": {"reads": load(look), "sales": load(book)},
        "realtime": {
            "new sockets": NewSockets(traveller, flights[0]),
            "open sockets": OpenSockets(traveller, flights[0]),
        },
    }
    with ExitStack() as stack:
        for kinds in loads.values():
            for one in kinds.values():
                stack.enter_context(one)
        yield loads


def each_pool_loses_a_replica() -> str:
    """Killed, with all of its processes. What is safe is tried elsewhere, of the rest at most what it held is
    lost; it comes back by itself."""
    scale(**EACH)
    seen = []
    for number, pool in enumerate(EACH):
        victim = containers(pool)[0]
        with steady_load(days=30 + number) as loads:
            time.sleep(2)
            back = _crash(victim)
            time.sleep(2)
        _no_more_lost(loads, worked_on=[pool], killed=True)
        seen.append(f"{pool} of {EACH[pool]} (back after {back:.0f} s): {_told(loads)}")
    return "; ".join(seen)


def each_pool_shrinks_and_grows() -> str:
    """To one replica and back: nobody notices."""
    scale(**EACH)
    seen = []
    for number, pool in enumerate(EACH):
        with steady_load(days=34 + number) as loads:
            time.sleep(1)
            scale(**{pool: 1})
            time.sleep(2)
            scale(**{pool: EACH[pool]})
            time.sleep(2)
        _no_more_lost(loads, worked_on=[pool])
        seen.append(f"{pool}: {_told(loads)}")
    return "; ".join(seen)


def each_pool_is_rolled_out() -> str:
    """To a new image, one pool after the other, by `docker/rollout`."""
    scale(**EACH)
    new = _next_image()
    pools = [*EACH, "worker"]
    before = {pool: set(containers(pool)) for pool in pools}
    with steady_load(days=38) as loads:
        run("docker/rollout", *pools, FLIGHTBOOK_IMAGE=NEXT)
    _no_more_lost(loads, worked_on=EACH)
    for pool in pools:
        after = containers(pool)
        assert len(after) == len(before[pool]), pool
        assert not before[pool] & set(after), pool
        assert {run("docker", "inspect", "--format", "{{.Image}}", one).strip() for one in after} == {new}
    return f"{sum(map(len, before.values()))} replicas replaced; {_told(loads)}"


def _next_image() -> str:
    """The id of a new one that differs."""
    labels = ("--label", f"release={time.time()}")
    run("sh", "-c", 'echo "FROM flightbook:local" | docker build --quiet --tag "$@" -', "sh", NEXT, *labels)
    return run("docker", "image", "inspect", "--format", "{{.Id}}", NEXT).strip()


def _crash(container: str) -> float:
    """Kills all of its processes; how long until the engine has it back in health."""
    kill_all = "import os; os.kill(-1, 9)"
    with suppress(RuntimeError):  # the command may be gone with them
        run("docker", "exec", container, "python", "-c", kill_all)
    restarts = ("docker", "inspect", "--format", "{{.RestartCount}}", container)
    return eventually(lambda: int(run(*restarts)) > 0 and is_healthy(container), seconds=PATIENCE)


def _no_more_lost(loads: Loads, *, worked_on: Collection[str], killed: bool = False) -> None:
    """No request has failed; but an open socket ends with its replica, and a killed one takes along what it
    held and cannot be sent again."""
    for pool, kinds in loads.items():
        for kind, load in kinds.items():
            allowed = 0
            if pool in worked_on and kind == "open sockets":
                allowed = load.clients * EACH[pool]
            elif pool in worked_on and killed and kind != "reads":
                allowed = load.clients
            assert sum(load.failures.values()) <= allowed, (pool, kind, load.failures)


def _told(loads: Loads) -> str:
    return ", ".join(f"{pool} {kind} {load}" for pool, kinds in loads.items() for kind, load in kinds.items())


CHECKS = (each_pool_loses_a_replica, each_pool_shrinks_and_grows, each_pool_is_rolled_out)
