"""The stated rules of the base price, as `flights/data/price_rules.csv` holds them.

A cabin's base price = (fixed + per_mile x miles) x airline x weekday x month x hour of the local departure x
cabin, rounded to cents, half up. A fare's price is that times its family's multiplier.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from flights.importers import tables

CURRENCY = "USD"


@dataclass(frozen=True)
class PriceRules:
    """Factors by rule and key; a key that a rule does not name is 1."""

    values: Mapping[str, Mapping[str, Decimal]]

    def route_price(self, airline: str, miles: int) -> Decimal:
        """What a mean hour of a mean day costs in economy, before rounding."""
        distance = self.values["fixed"][""] + self.values["per_mile"][""] * miles
        return distance * self.values["airline"].get(airline, Decimal(1))

    def series(self, rule: str, keys: range) -> list[Decimal]:
        """The factors of a rule whose keys count: weekday (ISO, 1 is Monday), month, hour."""
        return [self.values[rule].get(str(key), Decimal(1)) for key in keys]

    @property
    def cabins(self) -> Mapping[str, Decimal]:
        return self.values["cabin"]


@cache
def price_rules() -> PriceRules:
    values: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in tables.read("price_rules"):
        values[row["rule"]][row["key"]] = Decimal(row["value"])
    return PriceRules(values)
