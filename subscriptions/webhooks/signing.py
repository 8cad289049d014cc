"""Signatures of Standard Webhooks: HMAC-SHA256 over id, timestamp and body, symmetric, version v1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

_PREFIX = "whsec_"
_KEY_BYTES = 32  # the specification wants 24 to 64


def new_secret() -> str:
    """``whsec_`` and the key in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def headers(message_id: str, timestamp: int, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """What goes with `body`. During a rotation there are two signatures, of which a receiver needs to know
    one."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in keys),
    }


def _signature(key: str, signed: bytes) -> str:
    digest = hmac.new(base64.b64decode(key.removeprefix(_PREFIX)), signed, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
