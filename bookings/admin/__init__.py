"""Bookings in the admin: to look up, and to act on by the API's own operations. Nothing is edited by hand."""

from bookings.admin import booking, disruption, money, requests

__all__ = ["booking", "disruption", "money", "requests"]
