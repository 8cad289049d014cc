"""Requests a minute: counted in Redis, in the process while it is away; and whose they are."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import RequestFactory
from redis import Redis
from rest_framework.request import Request

from flightbook.http import throttling
from flightbook.http.client import client_address, client_network
from flightbook.http.throttling import (
    LocalCounter,
    MinuteThrottle,
    RequestCounter,
    SharedCounter,
    request_counter,
)

FAR = 90_000_000  # minutes that no clock here has reached


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Ten seconds into a minute that no other run has used."""
    clock = Clock((int(time.time() // 60) + 1_000_000) * 60 + 10.0 + time.perf_counter_ns() % 1000 * 60)
    monkeypatch.setattr(throttling, "time", clock)
    return clock


def ask(
    *, scope: str | None = None, address: str = "192.0.2.7", user: int | None = None
) -> tuple[bool, dict[str, str], Any]:
    http = RequestFactory().get("/", REMOTE_ADDR=address)
    request = Request(http)
    user_or_none: Any = None if user is None else SimpleNamespace(pk=user)
    request.user = user_or_none
    view = SimpleNamespace() if scope is None else SimpleNamespace(throttle_scope=scope)
    throttle = MinuteThrottle()
    allowed = throttle.allow_request(request, view)
    return allowed, http.rate_limit_headers, throttle.wait()  # type: ignore[attr-defined]


@pytest.fixture
def limits(settings: Any) -> None:
    settings.RATE_LIMITS = {"register": 1, "login": 2, "sale": 3, "default": 4}


@pytest.mark.usefixtures("limits", "clock")
class TestLimits:
    def test_the_headers_count_down(self) -> None:
        answers = [ask(scope="login") for _ in range(3)]
        assert [allowed for allowed, _, _ in answers] == [True, True, False]
        assert [headers["RateLimit"] for _, headers, _ in answers] == [
            '"login";r=1;t=50', '"login";r=0;t=50', '"login";r=0;t=50',
        ]  # fmt: skip
        assert {headers["RateLimit-Policy"] for _, headers, _ in answers} == {'"login";q=2;w=60'}
        assert answers[-1][2] == 50

    def test_the_next_minute_begins_anew(self, clock: Clock) -> None:
        assert [ask(scope="register")[0], ask(scope="register")[0]] == [True, False]
        clock.now += 49.9
        assert not ask(scope="register")[0]
        clock.now += 0.2
        assert ask(scope="register")[0]

    def test_a_view_that_names_none_has_the_default(self) -> None:
        assert [ask()[0] for _ in range(5)] == [True] * 4 + [False]

    def test_scopes_are_counted_apart(self) -> None:
        assert [ask(scope=scope)[0] for scope in ("register", "login", "sale", "default")] == [True] * 4

    def test_logins_count_by_address_and_the_rest_by_user(self) -> None:
        assert [ask(scope="login", user=number)[0] for number in range(3)] == [True, True, False]
        assert ask(scope="login", address="192.0.2.8")[0]
        assert [ask(scope="sale", user=1, address=f"192.0.2.{n}")[0] for n in range(4)] == [True] * 3 + [
            False
        ]
        assert ask(scope="sale", user=2)[0]

    def test_a_user_s_number_is_no_address(self) -> None:
        assert [ask(user=7)[0] for _ in range(5)] == [True] * 4 + [False]
        assert ask(address="0.0.0.7")[0]

    def test_an_ipv6_network_is_one_caller(self) -> None:
        addresses = ("2001:db8::1", "2001:db8::2", "2001:db8::ffff:1")
        assert [ask(scope="login", address=address)[0] for address in addresses] == [True, True, False]
        assert ask(scope="login", address="2001:db8:0:1::1")[0]


def count_at_once(counter: Any, hits: int) -> list[int]:
    key = f"test-{time.time_ns()}"
    with ThreadPoolExecutor(8) as pool:
        return sorted(pool.map(lambda _: counter.hit(key, FAR), range(hits)))


def test_none_is_lost_and_none_counted_twice() -> None:
    assert count_at_once(SharedCounter(django_settings.REDIS_URL), 200) == list(range(1, 201))
    assert count_at_once(LocalCounter(), 200) == list(range(1, 201))


def test_the_counters_in_redis_go_by_themselves() -> None:
    SharedCounter(django_settings.REDIS_URL).hit("fleeting", FAR)
    with Redis.from_url(django_settings.REDIS_URL) as redis:
        assert 0 < int(redis.ttl(f"flightbook:limits:{FAR}:fleeting")) <= 120


def test_the_process_s_own_forget_with_the_minute() -> None:
    counter = LocalCounter()
    assert [counter.hit("a", 1), counter.hit("a", 1), counter.hit("a", 2)] == [1, 2, 1]
    assert len(counter._counts) == 1


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.usefixtures("limits", "clock")
@pytest.mark.parametrize("where", ["redis://127.0.0.1:{port}/0", "unix:///nonexistent/{port}.sock?db=0"])
def test_without_redis_it_counts_in_the_process(settings: Any, where: str) -> None:
    settings.REDIS_URL = where.format(port=closed_port())
    assert [ask(scope="login")[0] for _ in range(3)] == [True, True, False]


@pytest.mark.usefixtures("limits")
def test_redis_is_asked_again_once_it_may_be_back(
    clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    original = SharedCounter.hit

    def watched(self: SharedCounter, key: str, minute: int) -> int:
        asked.append(minute)
        return original(self, key, minute)

    monkeypatch.setattr(SharedCounter, "hit", watched)
    settings.REDIS_URL = f"redis://127.0.0.1:{closed_port()}/0"
    for _ in range(5):
        ask()
    assert len(asked) == 1
    clock.now += 5.1
    ask()
    assert len(asked) == 2


def test_a_redis_that_takes_connections_and_says_nothing_does_not_hold_us_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        counter = RequestCounter(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        done: list[int] = []
        caller = threading.Thread(target=lambda: done.append(counter.hit("a", FAR)), daemon=True)
        caller.start()
        caller.join(timeout=30)
        assert done == [1]


def test_a_redis_that_restarted_is_used_without_a_miss() -> None:
    """A pooled connection died meanwhile: that alone is no reason to count here."""
    url = django_settings.REDIS_URL
    counter, key = RequestCounter(url), f"restart-{time.time_ns()}"
    assert counter.hit(key, FAR) == 1
    for connection in counter._shared._redis.connection_pool._available_connections:
        connection._sock.shutdown(socket.SHUT_RDWR)
    assert counter.hit(key, FAR) == 2
    assert counter._away_until == 0


def test_redis_over_a_unix_socket(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The URL's own form, `unix://`, is understood: a small server there answers as Redis would."""
    path = str(tmp_path_factory.mktemp("r") / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while received := connection.recv(4096):
                    connection.sendall(
                        b":7\r\n:1\r\n" if b"INCRBY" in received else b"+OK\r\n" * received.count(b"*")
                    )

        threading.Thread(target=serve, daemon=True).start()
        assert SharedCounter(f"unix://{path}").hit("a", FAR) == 7


def test_one_counter_a_process() -> None:
    assert request_counter("redis://127.0.0.1:1/0", ()) is request_counter("redis://127.0.0.1:1/0", ())


@pytest.mark.parametrize(
    ("hops", "forwarded", "remote", "address"),
    [
        (0, "198.51.100.1", "192.0.2.1", "192.0.2.1"),
        (1, "198.51.100.1", "192.0.2.1", "198.51.100.1"),
        (1, "203.0.113.9, 198.51.100.1", "192.0.2.1", "198.51.100.1"),
        (2, "203.0.113.9, 198.51.100.1, 198.51.100.2", "192.0.2.1", "198.51.100.1"),
        (2, "198.51.100.1", "192.0.2.1", "192.0.2.1"),
        (1, "", "192.0.2.1", "192.0.2.1"),
        (1, "unknown", "192.0.2.1", "192.0.2.1"),
        (1, "'; DROP TABLE", "192.0.2.1", "192.0.2.1"),
        (1, "2001:DB8::0:1", "192.0.2.1", "2001:db8::1"),
        (1, "fe80::1%eth0", "192.0.2.1", "fe80::1"),
        (1, "::ffff:198.51.100.1", "192.0.2.1", "198.51.100.1"),
        (0, "", "", "0.0.0.0"),
    ],
)
def test_the_client_s_address(settings: Any, hops: int, forwarded: str, remote: str, address: str) -> None:
    settings.TRUSTED_PROXY_HOPS = hops
    request = RequestFactory().get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == address


def test_the_client_s_network() -> None:
    def network(address: str) -> str:
        return client_network(RequestFactory().get("/", REMOTE_ADDR=address))

    assert network("192.0.2.1") == network("::ffff:192.0.2.1") == "192.0.2.1"
    assert network("2001:db8:1:2:3:4:5:6") == network("2001:db8:1:2::1") == "2001:db8:1:2::/64"
