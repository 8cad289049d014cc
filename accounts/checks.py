"""`manage.py check --deploy` finds unusable token keys before a request does."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from accounts.keys import key_ring


@register(Tags.security, deploy=True)
def token_keys(**options: Any) -> list[CheckMessage]:
    try:
        key_ring()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="accounts.E001")]
    return []
