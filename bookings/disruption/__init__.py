"""What the airline does to a booking: cancels a flight of it, or moves it.

`rules` says what a traveller is then entitled to, and by which law; `entitlements` applies it to a booking;
`choices` is what the operations ask and write; `forecast` what staff sees before; `letter` what the traveller
reads; `oversold` whom to ask to stay behind. Bookings are disrupted by
`operations.disrupt`, out of the log of flight updates.
"""

from bookings.disruption import letter
from bookings.disruption.choices import free_change_reason, settle, significantly_moved
from bookings.disruption.entitlements import Event, entitlements, is_news, rights_due, unused, unused_value
from bookings.disruption.forecast import Forecast, forecast
from bookings.disruption.oversold import OversoldCabin, oversold

__all__ = [
    "Event",
    "Forecast",
    "OversoldCabin",
    "entitlements",
    "forecast",
    "free_change_reason",
    "is_news",
    "letter",
    "oversold",
    "rights_due",
    "settle",
    "significantly_moved",
    "unused",
    "unused_value",
]
