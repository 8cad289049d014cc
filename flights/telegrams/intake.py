"""Takes telegrams in: each for itself, answered with what it did or why it did nothing.

A telegram is known again by its content and, where its heading has one, its filing time: sent twice it is
applied once. What is of the right form but moves no flight goes to the reject queue (`RejectedTelegram`),
from which staff apply it again or dismiss it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from flightbook.errors import Invalid, Problem, TooLarge
from flights.models import Flight, RejectedTelegram
from flights.operations import record_update
from flights.telegrams.grammar import Chunk, Clock, Telegram, TelegramError, parse, split
from flights.telegrams.mapping import Superseded, reports
from flights.telegrams.matching import UnknownFlightError, first_after, locked_flight
from flights.types import TelegramAnswer, UpdateView

MOST = 500
_MINUTE = dt.timedelta(minutes=1)
Why, State = RejectedTelegram.Why, RejectedTelegram.State


def receive_telegrams(*, text: str, source: str) -> list[TelegramAnswer]:
    """Takes in all telegrams of `text`, in order, each in a transaction of its own.

    Raises:
        Invalid: there is none in it.
        TooLarge: there are more than `MOST`.
    """
    chunks = split(text)
    if not chunks:
        raise Invalid.of("/message", "blank", "There is no telegram in it.")
    if len(chunks) > MOST:
        raise TooLarge(detail=f"At most {MOST} telegrams at once.")
    return [_receive(chunk, source) for chunk in chunks]


def retry_rejected(*, pk: int, by: str) -> TelegramAnswer | None:
    """Applies a telegram of the reject queue as if it came when it came; None where it waits no longer.

    It stays in the queue, with why, where it still moves no flight.
    """
    with transaction.atomic():
        row = RejectedTelegram.objects.select_for_update().filter(pk=pk, state=State.WAITING).first()
        if row is None:
            return None
        telegram = replace(parse(split(row.text)[0]), filed=_filed(row.filed))
        answer = _apply(telegram, row.source, received_at=row.received_at)
        if answer.outcome in ("applied", "not_applied"):
            _settle(row.pk, State.APPLIED, by)
        else:
            RejectedTelegram.objects.filter(pk=pk).update(detail=answer.detail[:500], why=_why(answer))
    return answer


def dismiss_rejected(*, pk: int, by: str) -> bool:
    """Takes a telegram off the reject queue; False where it waits no longer."""
    return _settle(pk, State.DISMISSED, by)


def _receive(chunk: Chunk, source: str) -> TelegramAnswer:
    try:
        telegram = parse(chunk)
    except TelegramError as error:
        return TelegramAnswer(
            line=error.line,
            column=error.column,
            outcome="malformed",
            detail=str(error),
            expected=error.expected,
        )
    answer = _apply(telegram, source)
    if answer.outcome in ("unknown_flight", "refused"):
        _keep(telegram, source, answer)
    return answer


def _apply(telegram: Telegram, source: str, received_at: dt.datetime | None = None) -> TelegramAnswer:
    """All of the telegram's reports in one transaction, or none."""
    answer = TelegramAnswer(
        line=telegram.line,
        kind=telegram.kind,
        flight=f"{telegram.designator}.{telegram.airport}",
        outcome="",
        detail="",
    )
    try:
        with transaction.atomic():
            now = _clock()
            flight = locked_flight(telegram, received_at or now)
            answer = replace(answer, flight_pk=flight.pk)
            occurred_at = _occurred_at(telegram, flight, now, received_at)
            updates = _record(telegram, flight, source, now, occurred_at)
    except UnknownFlightError as error:
        return replace(answer, outcome="unknown_flight", detail=str(error))
    except Superseded:
        return replace(answer, outcome="not_applied", detail="The flight is further on than that.")
    except Problem as problem:
        return replace(answer, outcome="refused", detail=_text(problem))
    if not updates:
        return replace(answer, outcome="not_applied", detail="Repeated, or older than the flight's state.")
    return replace(answer, outcome="applied", detail=f"Now {updates[-1].status}.", updates=updates)


def _record(
    telegram: Telegram, flight: Flight, source: str, now: dt.datetime, occurred_at: dt.datetime | None
) -> tuple[UpdateView, ...]:
    """Raises what `reports` and `record_update` raise; `Invalid` for what is told of and still to come."""
    found = []
    digest = _digest(telegram)
    wanted = reports(telegram, flight)
    for index, report in enumerate(wanted):
        _check_past(report, telegram, now)
        recorded = record_update(
            flight_pk=flight.pk,
            source=f"telegram:{source}",
            occurred_at=occurred_at,
            # The last one has the digest alone, so that a repeated telegram is known whatever it implies.
            report_id=f"telegram:{digest}" + (f":{index}" if index < len(wanted) - 1 else ""),
            **report,
        )
        if recorded.update is not None:
            found.append(recorded.update)
    return tuple(found)


def _check_past(report: dict[str, Any], telegram: Telegram, now: dt.datetime) -> None:
    left = telegram.off_block and report.get("estimated_departure")
    landed = telegram.touchdown and telegram.kind != "DIV" and report.get("estimated_arrival")
    for pointer, moment in (("/estimatedDeparture", left), ("/estimatedArrival", landed)):
        if moment and moment > now + 5 * _MINUTE:
            raise Invalid.of(pointer, "future", f"{moment:%H:%M} UTC on {moment:%d %b} is still to come.")


def _occurred_at(
    telegram: Telegram, flight: Flight, now: dt.datetime, received_at: dt.datetime | None
) -> dt.datetime | None:
    """When it was filed, to the end of that minute; else when it came; None for now."""
    if telegram.filed is None:
        return received_at
    filed = first_after(telegram.filed, received_at or now) + _MINUTE
    return min(filed, received_at or now)


def _keep(telegram: Telegram, source: str, answer: TelegramAnswer) -> None:
    """Puts it on the reject queue, where it may stand already."""
    row = RejectedTelegram(
        text=telegram.text,
        digest=_digest(telegram),
        filed=_filed_text(telegram.filed),
        source=source[:60],
        why=_why(answer),
        detail=answer.detail[:500],
    )
    RejectedTelegram.objects.bulk_create([row], ignore_conflicts=True)


def _settle(pk: int, state: str, by: str) -> bool:
    waiting = RejectedTelegram.objects.filter(pk=pk, state=State.WAITING)
    return waiting.update(state=state, settled_at=Now(), settled_by=by[:150]) == 1


def _digest(telegram: Telegram) -> str:
    content = f"{_filed_text(telegram.filed)}\n{telegram.text}"
    return hashlib.sha256(content.encode()).hexdigest()


def _filed_text(filed: Clock | None) -> str:
    return f"{filed.day:02}{filed.hour:02}{filed.minute:02}" if filed is not None else ""


def _filed(text: str) -> Clock | None:
    return Clock(int(text[:2]), int(text[2:4]), int(text[4:])) if text else None


def _why(answer: TelegramAnswer) -> str:
    return Why.REFUSED if answer.outcome == "refused" else Why.UNKNOWN_FLIGHT


def _text(problem: Problem) -> str:
    errors = [error.detail for error in problem.errors] if isinstance(problem, Invalid) else []
    return " ".join(errors) or str(problem)


def _clock() -> dt.datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: dt.datetime = cursor.fetchone()[0]
    return now
