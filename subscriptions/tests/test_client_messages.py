"""What a client may say on its socket."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from accounts.tests.factories import login, make_user
from accounts.tokens import SessionAccessToken
from flights.tests.factories import make_flight
from subscriptions.log_reads import off_loop
from subscriptions.rates import Rate
from subscriptions.sockets import CloseCode
from subscriptions.tests.factories import Client, bearer, http, hub, make_flights, open_client, until

pytestmark = pytest.mark.django_db(transaction=True)


async def expect_problem(client: Client, code: str, status: int) -> dict[str, Any]:
    problem = await client.hear()
    assert (problem["code"], problem["status"]) == (code, status)
    assert {"type", "title", "detail"} <= problem.keys()
    return problem


async def expect_alive(client: Client, user: Any, flight: Any) -> None:
    await client.say(userId=user.public_id, flightId=flight.public_id)
    assert (await client.hear())["flightId"] == flight.public_id


async def test_a_problem_carries_the_handshakes_id() -> None:
    user = await off_loop(make_user)
    token = await off_loop(login, user)
    said = []
    for given in (b"an-id-of-the-gateway", b"no id\xff", None):
        client = Client(headers=[*bearer(token), *([(b"x-request-id", given)] if given else [])])
        assert await client.open()
        await client.say_text("hello")
        said.append((await expect_problem(client, "invalid", 400))["requestId"])
        await client.leave()
    assert said[0] == "an-id-of-the-gateway"
    assert all(re.fullmatch("[0-9a-f]{32}", made) for made in said[1:])
    assert said[1] != said[2]


NONE_OF_OURS = [
    "",
    "hello",
    "[1]",
    "null",
    "{",
    "1",
    '{"a": NaN}',
    '{"userId": "a", "userId": "b", "flightId": "FL1"}',
    "[" * 5000,
    "{}",
    '{"userId": "x"}',
    '{"flightId": "FL1"}',
    '{"userId": 1, "flightId": "FL1"}',
    '{"userId": "x", "flightId": 1}',
    '{"userId": "x", "flightId": "FL1", "afterSequence": -1}',
    '{"userId": "x", "flightId": "FL1", "afterSequence": "1"}',
    '{"userId": "x", "flightId": "FL1", "afterSequence": 1.5}',
    '{"userId": "x", "flightId": "FL1", "afterSequence": true}',
    '{"userId": "x", "flightId": "FL1", "afterSequence": ' + "9" * 5000 + "}",
    '{"userId": "x", "flightId": "FL1", "log": 1}',
    '{"unfollow": 1}',
    '{"unfollow": "FL1", "flightId": "FL1"}',
]


async def test_none_of_ours_is_answered_and_the_socket_stays(settings: Any) -> None:
    settings.SOCKET_MESSAGES_PER_SECOND = 1000
    user, flight = await off_loop(make_user), await off_loop(make_flight)
    async with open_client(user) as client:
        for text in NONE_OF_OURS:
            await client.say_text(text)
            assert (await expect_problem(client, "invalid", 400))["errors"], text[:60]
        await expect_alive(client, user, flight)


async def test_binary_frames() -> None:
    user, flight = await off_loop(make_user), await off_loop(make_flight)
    async with open_client(user) as client:
        await client.say_bytes(json.dumps({"unfollow": "FL1"}).encode())
        await expect_problem(client, "invalid", 400)
        await expect_alive(client, user, flight)


async def test_unknown_flight() -> None:
    user, flight = await off_loop(make_user), await off_loop(make_flight)
    async with open_client(user) as client:
        for flight_id in ("FL999999999", "FL" + "9" * 30, "x", "FL\u0000"):
            await client.say(userId=user.public_id, flightId=flight_id)
            assert (await expect_problem(client, "not_found", 404))["flightId"] == flight_id
        await expect_alive(client, user, flight)
        await hub().look_round()
        assert list(hub().topics) == [flight.pk]


async def test_somebody_elses_user_id() -> None:
    user, flight = await off_loop(make_user), await off_loop(make_flight)
    other = await off_loop(make_user)
    async with open_client(user) as client:
        for user_id in (other.public_id, "nobody"):
            await client.say(userId=user_id, flightId=flight.public_id)
            await expect_problem(client, "not_found", 404)
        await expect_alive(client, user, flight)


async def test_too_many_flights(settings: Any) -> None:
    settings.FLIGHTS_PER_SOCKET = 2
    user, rows = await off_loop(make_user), await off_loop(make_flights, 3)
    async with open_client(user) as client:
        for row in [*rows[:2], rows[0]]:  # again is no further one
            await expect_alive(client, user, row)
        await client.say(userId=user.public_id, flightId=rows[2].public_id)
        await expect_problem(client, "throttled", 429)
        assert await client.closed_with() == 4429


async def test_too_many_messages(settings: Any) -> None:
    settings.SOCKET_MESSAGES_PER_SECOND = 5
    user = await off_loop(make_user)
    async with open_client(user) as client:
        for _ in range(6):
            await client.say(hello="world")
        await expect_problem(client, "throttled", 429)
        assert await client.closed_with() == 4429


async def test_what_a_flooder_asked_for_is_not_done(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SOCKET_MESSAGES_PER_SECOND = 5
    user, flight = await off_loop(make_user), await off_loop(make_flight)
    follows = []

    async def follow(*given: Any, **_: Any) -> None:
        follows.append(given)
        await asyncio.sleep(0.05)

    async with open_client(user) as client:
        await until(lambda: bool(hub().sockets))
        monkeypatch.setattr(hub(), "follow", follow)
        for _ in range(100):
            await client.say(userId=user.public_id, flightId=flight.public_id)
        assert await client.closed_with() == 4429
        await asyncio.sleep(0.2)
    assert len(follows) <= 1


async def test_too_large_a_frame(settings: Any) -> None:
    settings.SOCKET_FRAME_BYTES = 100
    user = await off_loop(make_user)
    async with open_client(user) as client:
        await client.say_text("\u00e4" * 51)
        assert await client.closed_with() == 4413
    async with open_client(user) as client:
        await client.say_bytes(b"x" * 101)
        assert await client.closed_with() == 4413


async def test_too_many_sockets(settings: Any) -> None:
    settings.SOCKETS_PER_USER = 2
    user, other = await off_loop(make_user), await off_loop(make_user)
    async with open_client(user):
        async with open_client(user), open_client(other):
            third = Client(headers=bearer(await off_loop(login, user)))
            assert await third.open()
            await expect_problem(third, "throttled", 429)
            assert await third.closed_with() == 4429
            await third.leave()
        await until(lambda: len(hub().sockets) == 1)
        async with open_client(user):
            await until(lambda: len(hub().sockets) == 2)
    await until(lambda: not hub().sockets)


async def test_the_database_does_not_answer() -> None:
    """The flights' table is locked for longer than a read waits."""
    user, flight = await off_loop(make_user), await off_loop(make_flight)
    locked, done = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE flights_flight")
            locked.set()
            done.wait(30)

    async with open_client(user) as client:
        locking = asyncio.create_task(off_loop(lock))
        await asyncio.to_thread(locked.wait, 10)
        await client.say(userId=user.public_id, flightId=flight.public_id)
        await expect_problem(client, "unavailable", 503)
        done.set()
        await locking
        await expect_alive(client, user, flight)


def test_rate_is_of_any_second() -> None:
    rate = Rate(3)
    assert [rate.allows(at) for at in (0.0, 0.5, 0.9, 1.0, 1.2)] == [True, True, True, True, False]


def test_the_contracts_limits() -> None:
    assert (django_settings.SOCKETS_PER_USER, django_settings.FLIGHTS_PER_SOCKET) == (100, 100)
    assert (django_settings.SOCKET_MESSAGES_PER_SECOND, django_settings.SOCKET_FRAME_BYTES) == (20, 65536)
    assert {code.name: int(code) for code in CloseCode} == {
        "RESTARTING": 1012, "SESSION_ENDED": 4401, "TOO_SLOW": 4408, "TOO_LARGE": 4413, "TOO_MANY": 4429,
    }  # fmt: skip


async def test_a_socket_outlives_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SessionAccessToken, "lifetime", timedelta(seconds=1))
    user, flight = await off_loop(make_user), await off_loop(make_flight)
    token = await off_loop(login, user)
    client = Client(headers=bearer(token))
    assert await client.open()
    await asyncio.sleep(1.2)
    assert not await Client(headers=bearer(token)).open()
    await hub().look_round()
    await expect_alive(client, user, flight)
    await client.leave()


@pytest.mark.parametrize("how", ["logout", "disabled", "password"])
async def test_an_ended_session_closes_its_sockets_alone(how: str) -> None:
    user, other = await off_loop(make_user), await off_loop(make_user)
    flight = await off_loop(make_flight)
    token = await off_loop(login, user)
    gone = Client(headers=bearer(token))
    assert await gone.open()
    async with open_client(other) as staying:
        await off_loop(end, user, token, how)
        assert await gone.closed_with(5) == 4401
        await gone.leave()
        await expect_alive(staying, other, flight)


def end(user: Any, token: str, how: str) -> None:
    if how == "logout":
        assert http(token).post("/logout").status_code == 204
    elif how == "password":
        user.set_password("another password")
        user.save()
    else:
        get_user_model().objects.filter(pk=user.pk).update(is_active=False)
