"""Money as Stripe counts it: whole numbers of a currency's smallest unit.

Source: https://docs.stripe.com/currencies (zero-decimal, three-decimal and special-case currencies). Not
ISO 4217 throughout: Stripe counts ISK and UGX in hundredths, for compatibility.
"""

from __future__ import annotations

from decimal import Decimal

_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
}


def minor_units(amount: Decimal, currency: str) -> int:
    """`amount` whole units of `currency`, in its smallest one.

    Raises:
        ValueError: the currency has no such fraction.
    """
    units = amount.scaleb(_DECIMALS.get(currency.upper(), 2))
    if units != units.to_integral_value():
        raise ValueError(f"{currency} has no such fraction as {amount}.")
    return int(units)
