"""What django-axes counts failed logins by."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

_LONGEST = 255  # axes' column; lower case may be longer than what it was made of


def lockout_name(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """The username without regard to case and form: `Ada` and `ADA` are one user, and share their failures.

    axes' `AXES_USERNAME_CALLABLE`; without credentials it is asked about a form that was posted.
    """
    given = request.POST.get("username") if credentials is None else credentials.get("username")
    return unicodedata.normalize("NFKC", str(given or "")).lower()[:_LONGEST]
