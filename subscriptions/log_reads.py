"""What a process with sockets reads from the database, and how it gets off the event loop for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from accounts import public as accounts
from flights import public as flights
from subscriptions.messages import EncodedUpdate, encode_update, encode_updates
from subscriptions.threads import DatabaseThreads

PAGE = 200
# What authenticates and reads for all sockets of a process, off its event loop.
threads = DatabaseThreads(4, "sockets-database")
off_loop = threads.run
# The watcher's own: when a crowd comes back, ten thousand calls wait for the others.
watcher_thread = DatabaseThreads(1, "watcher-database")


@dataclass(frozen=True)
class Beginning:
    """What a follower is sent first, and the sequence it has then. `target`: the flight's own by then."""

    log: str
    updates: list[EncodedUpdate]
    sequence: int
    target: int


def begin(flight_pk: int, *, after: int | None = None, log: str | None = None) -> Beginning:
    """The present state; or, `after` a sequence of `log`, the first page of what was missed.

    Where `log` is another one, or `after` beyond the flight's own sequence: the state, marked as a reset.

    Raises:
        NotFound: there is no such flight.
    """
    name = flights.log_name()
    state = flights.update_state(flight_pk)
    if after is None:
        return Beginning(name, [encode_update(state, name)], state.sequence, state.sequence)
    if after > state.sequence or log not in (None, name):
        return Beginning(name, [encode_update(state, name, reset=True)], state.sequence, state.sequence)
    page = encode_updates(flights.updates_after(flight_pk=flight_pk, sequence=after, limit=PAGE), name)
    return Beginning(name, page, page[-1].sequence if page else after, state.sequence)


def missed(flight_pk: int, sequence: int) -> list[EncodedUpdate]:
    """A page of the flight's updates after `sequence`."""
    return encode_updates(
        flights.updates_after(flight_pk=flight_pk, sequence=sequence, limit=PAGE), flights.log_name()
    )


def state_after_reset(flight_pk: int) -> EncodedUpdate:
    return encode_update(flights.update_state(flight_pk), flights.log_name(), reset=True)


@dataclass(frozen=True)
class Pulse:
    """What the watcher compares: the log's name, the flights' sequences, the sessions that live."""

    log: str
    sequences: dict[int, int]
    live_sids: set[str]


def pulse(flight_pks: Collection[int], sids: Collection[str]) -> Pulse:
    return Pulse(flights.log_name(), flights.sequences(flight_pks), accounts.live_sessions(sids))
