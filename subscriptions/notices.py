"""Mail to the followers of a flight, of what changes their journey: a delay, the gate, a cancellation, a
diversion, another schedule.

A consumer of its own reads the log every half minute and compares where the flight stands with what each
follower was last told: however many updates came meanwhile, that is one mail or none, and small steps add up.
The mail and what it told are one transaction; the mail's key is the update's id and the user, so that no
repetition sends it twice.

Who follows a flight because of a booking hears of its cancellation by the booking's own letter, with what
comes back, and not here too: whichever process comes first, one mail goes out. Before the letter the follower
still has the booking as a source, and is passed over; with it, `told_by_mail` says what they know now.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.db import transaction
from django.template.loader import render_to_string

from accounts import public as accounts
from flightbook.statements import Statement, run
from flights import public as flights
from subscriptions.filters import brought_by_a_source, followers, wants
from subscriptions.models import MailNotice
from subscriptions.types import DELAY_THRESHOLD

CONSUMER = "mail"
_BATCH = 50
_S = flights.FlightStatus
_BEFORE_DEPARTURE = frozenset({"delay", "gate", "cancellation", "schedule"})
_ON_THE_WAY = frozenset({"cancellation", "diversion"})
_TOLD = """
INSERT INTO subscriptions_mailnotice AS told (user_id, flight_id, sequence) VALUES (%s, %s, %s)
ON CONFLICT ON CONSTRAINT mail_notice_unique
DO UPDATE SET sequence = greatest(told.sequence, excluded.sequence)
"""


def tell_of_changes() -> int:
    """Queues the mails that new updates of some flights call for; how many flights."""
    flights.register_consumer(CONSUMER)
    leases = flights.lease_feeds(consumer=CONSUMER, limit=_BATCH)
    log = flights.log_name() if leases else ""
    for lease in leases:
        state = flights.update_state(lease.flight_pk)
        _tell(lease, state, log)
        flights.advance_feed(lease, done_sequence=state.sequence)
    return len(leases)


def told_by_mail(*, user_pk: int, flight_pk: int, sequence: int) -> None:
    """An app above has queued a mail of its own that tells the user how the flight stands after that update:
    no mail to followers repeats it. In the caller's transaction."""
    run([Statement(_TOLD, (user_pk, flight_pk, sequence))])


def _tell(lease: flights.FeedLease, state: flights.UpdateView, log: str) -> None:
    preferences, with_letters = followers(lease.flight_pk, "mail"), brought_by_a_source(lease.flight_pk)
    matters = _ON_THE_WAY if state.status in (_S.DEPARTED, _S.LANDED, _S.DIVERTED) else _BEFORE_DEPARTURE
    with transaction.atomic():
        told = _told(lease, list(preferences))
        known: dict[int, flights.UpdateView | None] = {0: None}
        for user_pk, preference in preferences.items():
            if told[user_pk] >= state.sequence:
                continue  # the lease was lost meanwhile, and another has told of more
            before = _state_at(lease.flight_pk, told[user_pk], known)
            kinds = wants(preference, before, state, delay_threshold=DELAY_THRESHOLD) & matters
            if user_pk in with_letters:
                kinds = _beside_the_letter(state, kinds)
            if kinds:
                _queue(user_pk, before, state, kinds, log)
                MailNotice.objects.filter(user_id=user_pk, flight_id=lease.flight_pk).update(
                    sequence=state.sequence
                )


def _beside_the_letter(state: flights.UpdateView, kinds: frozenset[str]) -> frozenset[str]:
    """What is left to tell whom a booking's letter tells of the cancellation, or of its end."""
    return frozenset() if state.status == _S.CANCELLED else kinds - {"cancellation"}


def _told(lease: flights.FeedLease, user_pks: list[int]) -> dict[int, int]:
    """What each was last told; who is met for the first time is taken to know what was before this."""
    rows = [
        MailNotice(user_id=pk, flight_id=lease.flight_pk, sequence=lease.done_sequence) for pk in user_pks
    ]
    MailNotice.objects.bulk_create(rows, ignore_conflicts=True)
    mine = MailNotice.objects.filter(flight_id=lease.flight_pk, user_id__in=user_pks)
    return dict(mine.order_by("user_id").select_for_update().values_list("user_id", "sequence"))


def _state_at(
    flight_pk: int, sequence: int, known: dict[int, flights.UpdateView | None]
) -> flights.UpdateView | None:
    """The flight after that update; None before the first."""
    if sequence not in known:
        found = flights.updates_after(flight_pk=flight_pk, sequence=sequence - 1, limit=1)
        known[sequence] = found[0] if found else None
    return known[sequence]


def _queue(
    user_pk: int,
    before: flights.UpdateView | None,
    state: flights.UpdateView,
    kinds: frozenset[str],
    log: str,
) -> None:
    flight = flights.flight(state.flight_pk)
    headline = f"{flight.flight_number} {flight.origin}-{flight.destination}: {_headline(state, kinds)}"
    context = {
        "headline": headline,
        "flight": flight,
        "lines": _lines(before, state, kinds),
        "departure": _local(state.departure, flight.origin_time_zone),
        "arrival": _local(state.arrival, flight.destination_time_zone),
        "expected_departure": _local(state.estimated_departure, flight.origin_time_zone),
        "expected_arrival": _local(state.estimated_arrival, flight.destination_time_zone),
    }
    accounts.queue_mail(
        key=f"flight-changed:{flights.update_id(state, log)}:{user_pk}",
        to=accounts.account(user_pk).email,
        subject=headline,
        text=render_to_string("subscriptions/flight_changed.txt", context),
        html=render_to_string("subscriptions/flight_changed.html", context),
    )


def _headline(state: flights.UpdateView, kinds: frozenset[str]) -> str:
    """The gravest of what there is."""
    if "cancellation" in kinds:
        return "cancelled" if state.status == _S.CANCELLED else "takes place after all"
    if "diversion" in kinds:
        return "diverted"
    if "schedule" in kinds:
        return "another time"
    if "delay" in kinds:
        late = flights.delay_duration(state.delay_minutes)
        return f"{late} late" if late else "on time again"
    return f"gate {state.gate}" if state.gate else "another gate"


def _lines(before: flights.UpdateView | None, state: flights.UpdateView, kinds: frozenset[str]) -> list[str]:
    """What is new, a sentence each."""
    late = flights.delay_duration(state.delay_minutes)
    was_gate = f" (it was {before.gate})" if before and before.gate and before.gate != state.gate else ""
    gate = f"gate {state.gate}" if state.gate else "a gate that is not known yet"
    sentences = {
        "cancellation": "The flight is cancelled."
        if state.status == _S.CANCELLED
        else "The flight takes place after all.",
        "diversion": "The flight is diverted.",
        "schedule": "The flight has another schedule.",
        "delay": f"It is expected to leave {late} late." if late else "It is expected to leave on time.",
        "gate": f"It leaves from {f'terminal {state.terminal}, ' if state.terminal else ''}{gate}{was_gate}.",
    }
    return [sentence for kind, sentence in sentences.items() if kind in kinds]


def _local(moment: dt.datetime | None, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%a %d %b %H:%M}" if moment is not None else ""
