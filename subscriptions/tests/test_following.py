"""A followed flight over `/ws/flight-updates`: state, updates, resuming, gaps. Against the real layer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from channels_redis.pubsub import RedisPubSubChannelLayer

from accounts.tests.factories import make_user
from flights import public as flights
from subscriptions import log_reads
from subscriptions.hub import Hub
from subscriptions.log_reads import off_loop
from subscriptions.messages import group_name
from subscriptions.tests.factories import (
    Client,
    hub,
    make_flights,
    open_client,
    publish,
    register_relay,
    rename_log,
    report,
    until,
)
from subscriptions.tests.servers import Valkey

pytestmark = pytest.mark.django_db(transaction=True)


def user_and_flights(count: int = 1) -> Any:
    register_relay()
    return make_user(), make_flights(count)


async def report_later(flight_pk: int, count: int = 1) -> int:
    return await off_loop(report, flight_pk, count)


async def follow(client: Client, user: Any, flight: Any, **more: Any) -> None:
    await client.say(userId=user.public_id, flightId=flight.public_id, **more)


async def test_state_then_each_update() -> None:
    user, [flight] = await off_loop(user_and_flights)
    async with open_client(user) as client:
        await follow(client, user, flight)
        state = await client.hear()
        assert (state["flightId"], state["status"]) == (flight.public_id, "Scheduled")
        assert (state["delayDuration"], state["reason"], state["sequence"]) == (None, None, 0)
        await off_loop(
            flights.record_update,
            flight_pk=flight.pk,
            status="Delayed",
            delay_minutes=90,
            reason="Technical issue",
            gate="B7",
            source="test",
        )
        await publish()
        update = await client.hear()
    assert (update["status"], update["delayDuration"]) == ("Delayed", "1 hour 30 minutes")
    assert (update["reason"], update["gate"], update["delayMinutes"]) == ("Technical issue", "B7", 90)
    assert (update["sequence"], update["log"]) == (1, state["log"])
    assert update["occurredAt"].endswith("Z")
    assert "reset" not in update


async def test_many_flights_many_followers() -> None:
    user, rows = await off_loop(user_and_flights, 3)
    other = await off_loop(make_user)
    async with open_client(user) as one, open_client(other) as two:
        for row in rows:
            await follow(one, user, row)
            await one.hear()
        await follow(two, other, rows[1])
        await two.hear()
        for row in rows:
            await report_later(row.pk, 2)
        await publish()
        heard = [await one.hear() for _ in range(6)]
        heard_by_two = [await two.hear() for _ in range(2)]
        assert await two.hears_nothing()
    for row in rows:
        of_row = [message for message in heard if message["flightId"] == row.public_id]
        assert [message["sequence"] for message in of_row] == [1, 2]
    assert [(message["flightId"], message["sequence"]) for message in heard_by_two] == [
        (rows[1].public_id, 1),
        (rows[1].public_id, 2),
    ]


async def test_resumes_after_a_sequence() -> None:
    user, [flight] = await off_loop(user_and_flights)
    await report_later(flight.pk, 5)
    async with open_client(user) as client:
        await follow(client, user, flight, afterSequence=2, log=await off_loop(flights.log_name))
        assert [(await client.hear())["sequence"] for _ in range(3)] == [3, 4, 5]
        await report_later(flight.pk)
        await publish()  # 1 to 6: what was sent is dropped
        assert (await client.hear())["sequence"] == 6
        assert await client.hears_nothing()


async def test_resumes_where_nothing_was_missed() -> None:
    user, [flight] = await off_loop(user_and_flights)
    await report_later(flight.pk, 2)
    async with open_client(user) as client:
        await follow(client, user, flight, afterSequence=2)
        assert await client.hears_nothing()
        await report_later(flight.pk)
        await publish()
        assert (await client.hear())["sequence"] == 3


async def test_resumes_over_several_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subscriptions.log_reads.PAGE", 3)
    user, [flight] = await off_loop(user_and_flights)
    await report_later(flight.pk, 8)
    async with open_client(user) as client:
        await follow(client, user, flight, afterSequence=0)
        assert [(await client.hear())["sequence"] for _ in range(8)] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    "where", [{"afterSequence": 3}, {"afterSequence": 10**30}, {"afterSequence": 1, "log": "another"}]
)
async def test_reset_where_it_cannot_resume(where: dict[str, Any]) -> None:
    user, [flight] = await off_loop(user_and_flights)
    await report_later(flight.pk, 2)
    async with open_client(user) as client:
        await follow(client, user, flight, **where)
        message = await client.hear()
        assert (message["reset"], message["sequence"], message["status"]) == (True, 2, "Delayed")
        await report_later(flight.pk)
        await publish()
        assert (await client.hear())["sequence"] == 3


async def test_following_again_begins_anew() -> None:
    user, [flight] = await off_loop(user_and_flights)
    await report_later(flight.pk, 2)
    async with open_client(user) as client:
        await follow(client, user, flight)
        await follow(client, user, flight, afterSequence=0)
        await follow(client, user, flight)
        assert [(await client.hear())["sequence"] for _ in range(4)] == [2, 1, 2, 2]
        await report_later(flight.pk)
        await publish()
        assert (await client.hear())["sequence"] == 3
        assert await client.hears_nothing()


async def test_unfollow_and_leave_the_group() -> None:
    user, [flight] = await off_loop(user_and_flights)
    async with open_client(user) as client:
        await follow(client, user, flight)
        await client.hear()
        assert hub().topics[flight.pk].joined
        await client.say(unfollow=flight.public_id)
        await client.say(unfollow=flight.public_id)
        await until(lambda: hub().topics[flight.pk].is_empty)
        await hub().look_round()
        assert hub().topics == {}
        await report_later(flight.pk)
        await publish()
        assert await client.hears_nothing()
        await follow(client, user, flight, afterSequence=0)
        assert (await client.hear())["sequence"] == 1


async def lose_one_of_the_layer(monkeypatch: pytest.MonkeyPatch, sequence: int) -> None:
    """The layer drops the update `sequence` on its way to us, as it may."""
    layer = hub()._layer._get_layer()
    receive = layer.receive

    async def lossy(channel: str) -> Any:
        while (message := await receive(channel))["sequence"] == sequence:
            pass
        return message

    monkeypatch.setattr(layer, "receive", lossy)


async def test_a_gap_is_filled_from_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    user, [flight] = await off_loop(user_and_flights)
    async with open_client(user) as client:
        await lose_one_of_the_layer(monkeypatch, 2)
        await follow(client, user, flight)
        await client.hear()
        await report_later(flight.pk, 4)
        await publish()
        assert [(await client.hear())["sequence"] for _ in range(4)] == [1, 2, 3, 4]
        assert await client.hears_nothing()


async def test_a_lost_last_update_is_found_by_the_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    user, [flight] = await off_loop(user_and_flights)
    async with open_client(user) as client:
        await lose_one_of_the_layer(monkeypatch, 1)
        await follow(client, user, flight)
        await client.hear()
        await report_later(flight.pk)
        await publish()
        assert (await client.hear())["sequence"] == 1


async def test_control_without_the_watcher_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async def blind(self: Hub) -> None:
        """Sees nothing."""

    monkeypatch.setattr(Hub, "look_round", blind)
    monkeypatch.setattr("subscriptions.hub.WATCH_SECONDS", 0.02)
    user, [flight] = await off_loop(user_and_flights)
    async with open_client(user) as client:
        await lose_one_of_the_layer(monkeypatch, 1)
        await follow(client, user, flight)
        await client.hear()
        await report_later(flight.pk)
        await publish()
        assert await client.hears_nothing(0.5)


async def test_updates_while_the_state_is_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Join before fetch: what comes between the state's reading and its sending is not lost, nor doubled."""
    user, [flight] = await off_loop(user_and_flights)
    begin = log_reads.begin

    def slow_begin(*args: Any, **kwargs: Any) -> Any:
        beginning = begin(*args, **kwargs)
        report(flight.pk, 3)
        return beginning

    async with open_client(user) as client:
        monkeypatch.setattr("subscriptions.hub.begin", slow_begin)
        await follow(client, user, flight)
        await until(lambda: flight.pk in hub().topics and hub().topics[flight.pk].joined)
        monkeypatch.setattr("subscriptions.hub.begin", begin)
        await until_recorded(flight.pk, 3)
        await publish()
        assert [(await client.hear())["sequence"] for _ in range(4)] == [0, 1, 2, 3]
        assert await client.hears_nothing()


async def test_control_joined_after_the_reading_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Hub, topic: Any = None) -> None:
        """Neither joins nor looks."""

    join = Hub._join
    monkeypatch.setattr(Hub, "_join", nothing)
    monkeypatch.setattr(Hub, "look_round", nothing)
    user, [flight] = await off_loop(user_and_flights)
    async with open_client(user) as client:
        await follow(client, user, flight)
        assert (await client.hear())["sequence"] == 0
        await off_loop(report, flight.pk)
        await publish()
        await join(hub(), hub().topics[flight.pk])
        assert await client.hears_nothing(0.5)


async def until_recorded(flight_pk: int, sequence: int) -> None:
    while (await off_loop(flights.sequences, [flight_pk]))[flight_pk] < sequence:
        pass


async def test_the_layer_serves_again_after_a_restart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def blind(self: Hub) -> None:
        """Sees nothing: what is heard comes from the layer."""

    valkey = Valkey(tmp_path)
    address = f"redis://127.0.0.1:{valkey.port}/0"
    layer: Any = RedisPubSubChannelLayer(hosts=[address])
    monkeypatch.setattr("subscriptions.hub.get_channel_layer", lambda: layer)
    monkeypatch.setattr("subscriptions.relay.get_channel_layer", lambda: layer)
    monkeypatch.setattr(Hub, "look_round", blind)
    user, [flight] = await off_loop(user_and_flights)
    try:
        async with open_client(user) as client:
            await follow(client, user, flight)
            await client.hear()
            valkey.kill()
            valkey.start()
            async with asyncio.timeout(20):
                while not await layer_members(address, flight.pk):
                    pass
            await off_loop(report, flight.pk)
            await publish()
            assert (await client.hear())["sequence"] == 1
    finally:
        valkey.kill()


async def layer_members(address: str, flight_pk: int) -> int:
    """How many processes the layer would deliver the flight's updates to."""
    async with redis.asyncio.Redis.from_url(address) as client:
        [(_, count)] = await client.pubsub_numsub(f"asgi__group__{group_name(flight_pk)}")
        return int(count)


async def test_another_log_resets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    user, [flight] = await off_loop(user_and_flights)
    await report_later(flight.pk, 2)
    async with open_client(user) as client:
        await follow(client, user, flight)
        before = await client.hear()
        await hub().look_round()
        await off_loop(rename_log, "restored")
        await report_later(flight.pk)
        await publish()  # betrays the new name; the watcher would find it by itself
        message = await client.hear()
        assert (message["reset"], message["log"], message["sequence"]) == (True, "restored", 3)
        assert before["log"] != "restored"
        await report_later(flight.pk)
        await publish()
        assert (await client.hear())["sequence"] == 4


async def test_the_message_is_the_one_of_http() -> None:
    user, [flight] = await off_loop(user_and_flights)
    async with open_client(user) as client:
        await follow(client, user, flight)
        await client.hear()
        await report_later(flight.pk)
        await publish()
        heard = await client.hear()
    view = (await off_loop(flights.updates_after, flight_pk=flight.pk, sequence=0))[0]
    assert heard == json.loads(json.dumps(flights.update_message(view, await off_loop(flights.log_name))))
