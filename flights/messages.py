"""How flights and their updates read outside; an update's JSON is the same over HTTP and WebSocket."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from flights.identifiers import flight_id
from flights.types import (
    CabinView,
    FareOffer,
    FlightView,
    FoundFlight,
    SeatMapCabin,
    TelegramAnswer,
    UpdateView,
)


def update_message(view: UpdateView, log: str) -> dict[str, Any]:
    """The contract's message: the design's four members and what was added to them."""
    return {
        "flightId": flight_id(view.flight_pk),
        "status": view.status,
        "delayDuration": delay_duration(view.delay_minutes),
        "reason": view.reason or None,
        "sequence": view.sequence,
        "log": log,
        "updateId": update_id(view, log),
        "occurredAt": utc_text(view.occurred_at),
        "delayMinutes": view.delay_minutes,
        "departure": utc_text(view.departure),
        "arrival": utc_text(view.arrival),
        "estimatedDeparture": utc_text(view.estimated_departure),
        "estimatedArrival": utc_text(view.estimated_arrival),
        "gate": view.gate or None,
        "terminal": view.terminal or None,
    }


def update_id(view: UpdateView, log: str) -> str:
    """``FL12-x7Kq-5``: what the update goes by on every way that it takes."""
    return f"{flight_id(view.flight_pk)}-{log}-{view.sequence}"


def delay_duration(minutes: int | None) -> str | None:
    """``45 minutes``, ``1 hour``, ``1 hour 30 minutes``; None without a delay."""
    if not minutes:
        return None
    hours, rest = divmod(minutes, 60)
    return " ".join(part for part in (_counted(hours, "hour"), _counted(rest, "minute")) if part)


def utc_text(moment: dt.datetime | None) -> str | None:
    """RFC 3339 in UTC: ``2024-09-10T12:30:00Z``."""
    return None if moment is None else moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def found_message(flight: FoundFlight) -> dict[str, Any]:
    """One flight of a search."""
    return {
        "flightId": flight.flight_id,
        "airline": flight.airline,
        "departure": utc_text(flight.departure),
        "arrival": utc_text(flight.arrival),
        "price": flight.price,
        "flightNumber": flight.flight_number,
        "airlineCode": flight.airline_code,
        "from": flight.origin,
        "to": flight.destination,
        "departureLocal": flight.departure_local.isoformat(),
        "arrivalLocal": flight.arrival_local.isoformat(),
        "durationMinutes": flight.duration_minutes,
        "status": flight.status,
        "cabin": flight.cabin,
        "seatsLeft": flight.seats_left,
        "currency": flight.currency,
        "fares": [fare_message(fare) for fare in flight.fares],
    }


def fare_message(fare: FareOffer) -> dict[str, Any]:
    return {
        "code": fare.code,
        "name": fare.name,
        "cabin": fare.cabin,
        "price": fare.price,
        "currency": fare.currency,
        "seatsLeft": fare.seats_left,
        "refundable": fare.refundable,
        "changeFee": fare.change_fee,
        "seatChoice": fare.seat_choice,
    }


def flight_message(
    flight: FlightView, state: UpdateView, log: str, cabins: Sequence[CabinView], fares: Sequence[FareOffer]
) -> dict[str, Any]:
    """One flight in full: its schedule, its state with the log's place, what is left to sell."""
    return {
        **update_message(state, log),
        "airline": flight.airline_name,
        "airlineCode": flight.airline_code,
        "flightNumber": flight.flight_number,
        "from": flight.origin,
        "to": flight.destination,
        "fromCity": flight.origin_city,
        "toCity": flight.destination_city,
        "departureLocal": _local_text(state.departure, flight.origin_time_zone),
        "arrivalLocal": _local_text(state.arrival, flight.destination_time_zone),
        "durationMinutes": (state.arrival - state.departure) // dt.timedelta(minutes=1),
        "cabins": [
            {"cabin": cabin.cabin, "seatsLeft": cabin.seats_left, "onSale": cabin.on_sale} for cabin in cabins
        ],
        "fares": [fare_message(fare) for fare in fares],
    }


def telegram_message(answer: TelegramAnswer, log: str) -> dict[str, Any]:
    """What became of one telegram."""
    optional = {
        "type": answer.kind or None,
        "flight": answer.flight or None,
        "flightId": flight_id(answer.flight_pk) if answer.flight_pk is not None else None,
        "position": answer.column,
        "expected": answer.expected or None,
    }
    return {
        "line": answer.line,
        "outcome": answer.outcome,
        "detail": answer.detail,
        "updates": [update_message(update, log) for update in answer.updates],
        **{name: value for name, value in optional.items() if value is not None},
    }


def seat_map_message(flight_pk: int, cabins: Sequence[SeatMapCabin]) -> dict[str, Any]:
    """Every seat of the flight, row by row."""
    return {"flightId": flight_id(flight_pk), "cabins": [_seat_map_cabin(cabin) for cabin in cabins]}


def _seat_map_cabin(cabin: SeatMapCabin) -> dict[str, Any]:
    return {
        "cabin": cabin.cabin,
        "seatsLeft": cabin.seats_left,
        "letters": cabin.letters,
        "chargingFares": list(cabin.charging_fares),
        "rows": [
            {"row": row, "seats": [_seat(cabin, row, letter) for letter in cabin.letters]}
            for row in cabin.rows
        ],
    }


def _seat(cabin: SeatMapCabin, row: int, letter: str) -> dict[str, Any]:
    seat = f"{row}{letter}"
    zone = next((zone for zone in cabin.zones if row in zone.rows), None)
    is_at_window = letter in (cabin.letters[0], cabin.letters[-1])
    words = [*(["window"] if is_at_window else []), *(zone.characteristics if zone else ())]
    price = {"price": zone.price, "currency": zone.currency} if zone and cabin.charging_fares else {}
    return {
        "seat": seat,
        "letter": letter,
        "state": "taken" if seat in cabin.taken else "free",
        "characteristics": words,
        **price,
    }


def _local_text(moment: dt.datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).isoformat()


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}" if number else ""
