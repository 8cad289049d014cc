"""The product's processes as the race runs them: with kill points, faults and switched-off guards.

    gunicorn bench.race.entry:application        the product's WSGI
    python -m bench.race.entry worker            `manage.py worker`; any other command likewise

The environment tells what to wrap: RACE_DIR, RACE_WITHOUT, RACE_LEASE_SECONDS, RACE_RETRY_SECONDS. Times are
shortened here, so that a run of a minute sees leases end; what they guard must hold for any length.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

from bench.race import gateway_faults, guards, kill_points

ADAPTERS = {
    "sandbox": "bookings.payments.sandbox:SandboxGateway",
    "stripe": "bookings.payments.stripe:StripeGateway",
}


def prepare() -> None:
    """Loads the product and wraps it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    directory, gateway = Path(os.environ["RACE_DIR"]), os.environ["PAYMENT_GATEWAY"]
    _shorten(timedelta(seconds=float(os.environ["RACE_LEASE_SECONDS"])))
    # Faults first, so that a point after a call comes after its fault.
    if gateway == "sandbox":
        gateway_faults.install(directory, seconds=float(os.environ["RACE_LEASE_SECONDS"]) * 1.2)
    without = os.environ.get("RACE_WITHOUT")
    if without:
        guards.GUARDS[without].off()
    kill_points.install(directory, gateway=ADAPTERS[gateway])


def _shorten(lease: timedelta) -> None:
    """Every name that `lease_time` goes by, and how long an unanswered attempt waits for its client."""
    import bookings.public  # noqa: F401, PLC0415  # loads all that may have imported it
    from bookings import idempotency  # noqa: PLC0415
    from bookings.payments import attempts  # noqa: PLC0415

    real = idempotency.lease_time
    for module in [module for name, module in sys.modules.items() if name.startswith("bookings.")]:
        if getattr(module, "lease_time", None) is real:
            module.lease_time = lambda: lease  # type: ignore[attr-defined]
    attempts.RETRY_GRACE = lease * 2


def _application() -> Any:
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415
    from django.urls import get_resolver  # noqa: PLC0415

    prepare()
    application = get_wsgi_application()
    # All that a first request would load, before gunicorn forks: a killed process is back at once.
    get_resolver().url_patterns  # noqa: B018
    return application


if __name__ == "__main__":
    from django.core.management import call_command

    prepare()
    call_command(*sys.argv[1:])
else:
    application = _application()
