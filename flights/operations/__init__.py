"""Writes: one function a use case, its own transaction, the contract's errors."""

from flights.operations.aircraft import change_aircraft, preview_aircraft_change
from flights.operations.cabins import change_base_price, set_overbooking
from flights.operations.displaced import reseat, settle_displaced
from flights.operations.log import rename_log
from flights.operations.updates import record_update

__all__ = [
    "change_aircraft",
    "change_base_price",
    "preview_aircraft_change",
    "record_update",
    "rename_log",
    "reseat",
    "set_overbooking",
    "settle_displaced",
]
