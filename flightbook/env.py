"""Reads settings from the environment and collects every complaint: one start names all that is wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

# A lost network is noticed by the socket, a stuck statement by the server: `statement_timeout` covers
# only the latter.
CONNECTION_OPTIONS = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
}

_STANDBY_OPTIONS = "-c statement_timeout=5s -c default_transaction_read_only=on"


_MOST = 10**9


class Environment:
    """Typed reads of environment variables; an empty one counts as absent.

    `check` raises `ImproperlyConfigured` with one sentence for each fault; none shows what may hold a secret.
    """

    def __init__(self) -> None:
        self._faults: list[str] = []

    def refuse(self, sentence: str) -> None:
        self._faults.append(sentence)

    def check(self) -> None:
        if self._faults:
            raise ImproperlyConfigured(" ".join(self._faults))

    def _raw(self, name: str, default: str | None) -> str | None:
        """The variable, or what stands in the file that `<name>_FILE` names (a mounted secret)."""
        if file := os.environ.get(f"{name}_FILE"):
            try:
                return Path(file).read_text().strip()
            except OSError as error:
                self.refuse(f"{name}_FILE cannot be read: {error.strerror}.")
                return default
        value = os.environ.get(name, "")
        if value:
            return value
        if default is None:
            self.refuse(f"{name} is not set.")
        return default

    def text(self, name: str, *, default: str | None = None, min_length: int = 0) -> str:
        value = self._raw(name, default) or ""
        if value and len(value) < min_length:
            self.refuse(f"{name} is shorter than {min_length} characters.")
        return value

    def words(self, name: str, *, default: Sequence[str] | None = None) -> list[str]:
        """Words between commas; at least one where there is no default."""
        value = self._raw(name, None if default is None else ",".join(default)) or ""
        words = [word.strip() for word in value.split(",") if word.strip()]
        if value and not words and default is None:
            self.refuse(f"{name} names nothing.")
        return words

    def origins(self, name: str) -> list[str]:
        """Full origins between commas, such as ``https://example.com``; none where absent."""
        found = self.words(name, default=[])
        for origin in found:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
                self.refuse(f"{name} has {origin!r}, not an origin like https://example.com.")
        return found

    def number(self, name: str, *, default: int, least: int = 1) -> int:
        """A whole number from `least` to a thousand million."""
        value = self._raw(name, str(default)) or ""
        if (
            value.isascii()
            and value.isdigit()
            and len(value) <= len(str(_MOST))
            and least <= int(value) <= _MOST
        ):
            return int(value)
        self.refuse(f"{name} is {value!r}, not a whole number from {least} to {_MOST}.")
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        value = (self._raw(name, str(default)) or "").lower()
        if value not in ("true", "false"):
            self.refuse(f"{name} is {value!r}, neither true nor false.")
        return value == "true"

    def choice(self, name: str, values: Sequence[str], *, default: str | None = None) -> str:
        value = self._raw(name, default) or ""
        if value and value not in values:
            self.refuse(f"{name} is {value!r}, not one of {', '.join(values)}.")
        return value

    def path(self, name: str) -> Path:
        return Path(self._raw(name, None) or "/nonexistent")

    def url(self, name: str, *, schemes: Sequence[str]) -> str:
        """The URL; an empty text where it was refused."""
        value = self._raw(name, None) or ""
        return value if value and self._parts(name, value, schemes) else ""

    def addresses(self, name: str) -> tuple[tuple[str, int], ...]:
        """``host:port`` between commas, as pairs; none where absent."""
        found = []
        for word in self.words(name, default=[]):
            parts = self._parts(name, f"tcp://{word}", ("tcp",))
            if parts is None:
                continue
            if parts.hostname and parts.port and parts.netloc == word and "@" not in word:
                found.append((parts.hostname, parts.port))
            else:
                self.refuse(f"{name} has {word!r}, not an address like sentinel:26379.")
        return tuple(found)

    def _parts(self, name: str, value: str, schemes: Sequence[str]) -> SplitResult | None:
        """The URL's parts; None, having complained, where it has another scheme or cannot be read."""
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            self.refuse(f"{name} is no URL: its host or port cannot be read.")
            return None
        if parts.scheme in schemes and port != 0:
            return parts
        self.refuse(f"{name} does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
        return None

    def database(self, name: str) -> dict[str, Any]:
        """A PostgreSQL URL: ``postgres://user:password@host:port/name``, a socket's directory as ``?host=``.

        Further parameters of the query are libpq's own (``sslmode`` …).
        """
        value = self._raw(name, None)
        parts = self._parts(name, value, ("postgres", "postgresql")) if value else None
        config: dict[str, Any] = {
            "ENGINE": "flightbook.database",
            "CONN_MAX_AGE": self.number("DATABASE_CONN_MAX_AGE", default=0, least=0),
            "CONN_HEALTH_CHECKS": True,
            "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer in transaction mode may stand between
        }
        if parts is None:
            return config
        if not parts.path.strip("/"):
            self.refuse(f"{name} names no database.")
        return config | _place(parts)

    def standby(self, name: str) -> dict[str, Any]:
        """As `database`, for one that is only read: it is given up sooner, since the primary can answer."""
        config = self.database(name)
        if "OPTIONS" in config:
            config["OPTIONS"] = config["OPTIONS"] | {"connect_timeout": 2, "options": _STANDBY_OPTIONS}
        return config | {"TEST": {"MIRROR": "default"}}

    def mail(self, name: str) -> dict[str, Any]:
        """Django's e-mail settings out of ``smtp+tls://user:password@host:port`` or ``consolemail://``."""
        url = self._raw(name, None)
        if not url:
            return {}
        try:
            return dict(environ.Env.email_url_config(url))  # type: ignore[no-untyped-call]
        except (ImproperlyConfigured, ValueError):
            self.refuse(f"{name} is no e-mail URL like smtp+tls://user:password@host:587 or consolemail://.")
            return {}


def _place(parts: SplitResult) -> dict[str, Any]:
    """Where the database of a URL is, and who enters it."""
    query = dict(parse_qsl(parts.query))
    return {
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": query.pop("port", parts.port or ""),
        "OPTIONS": CONNECTION_OPTIONS | query,
    }
