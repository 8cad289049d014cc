"""Staff after the race: each refund that the gateway refused is tried again: `python -m bench.race.refused`.

Prints how many. To the auditor a refused refund is a violation for as long as nobody has looked at it.
"""

from __future__ import annotations

import os
import sys

import django

from bench.race.seed import STAFF


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flightbook.settings")
    django.setup()
    from bookings.models import Refund  # noqa: PLC0415  # the settings must be there
    from bookings.operations import try_refund_again  # noqa: PLC0415

    refused = list(Refund.objects.filter(state=Refund.State.FAILED).values_list("pk", flat=True))
    for refund_pk in refused:
        try_refund_again(refund_pk=refund_pk, staff=STAFF)
    sys.stdout.write(str(len(refused)))


if __name__ == "__main__":
    main()
