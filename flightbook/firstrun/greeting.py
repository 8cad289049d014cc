"""What to try next, for somebody who sees the system for the first time."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flightbook.firstrun.address import Address
from flightbook.firstrun.preparation import StaffAccount


def greeting(address: Address, staff: StaffAccount, seconds: float) -> str:
    """The text for the terminal; ``seconds`` is what the start took."""
    day = datetime.now(ZoneInfo("America/New_York")).date() + timedelta(days=7)
    return f"""
Flightbook is ready, after {seconds:.1f} s. Ctrl-C stops it.

  the page      {address.url}/
  API docs      {address.url}/docs/
  admin         {address.url}/admin/   {_access(staff)}
  a search      curl '{address.url}/search-flights?from=JFK&to=LAX&date={day}'

"""


def _access(staff: StaffAccount) -> str:
    if staff.password:
        return f"user {staff.username}, password {staff.password} (shown only this once)"
    if staff.created:
        return f"user {staff.username}, with the password of DJANGO_SUPERUSER_PASSWORD"
    change = f"make manage ARGS='changepassword {staff.username}'"
    return f"user {staff.username}, as before (for a new password: {change})"
