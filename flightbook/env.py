"""Reads settings from the environment and collects every complaint, so that one start names all that is wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

# A lost network is noticed by the socket, a stuck statement by the server: `statement_timeout` alone covers only the latter.
CONNECTION_OPTIONS = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s",
}


class Environment:
    """Typed reads of environment variables. `check` raises `ImproperlyConfigured` with one sentence for each fault."""

    def __init__(self) -> None:
        self._faults: list[str] = []

    def refuse(self, sentence: str) -> None:
        self._faults.append(sentence)

    def check(self) -> None:
        if self._faults:
            raise ImproperlyConfigured(" ".join(self._faults))

    def _raw(self, name: str, default: str | None) -> str | None:
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
        """Words between commas."""
        value = self._raw(name, None if default is None else ",".join(default)) or ""
        return [word.strip() for word in value.split(",") if word.strip()]

    def number(self, name: str, *, default: int) -> int:
        value = self._raw(name, str(default)) or ""
        if value.isascii() and value.isdigit():
            return int(value)
        self.refuse(f"{name} is {value!r}, not a whole number from 0.")
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
        value = self._raw(name, None) or ""
        if value and urlsplit(value).scheme not in schemes:
            self.refuse(f"{name} does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
        return value

    def database(self, name: str) -> dict[str, Any]:
        """A PostgreSQL URL: ``postgres://user:password@host:port/name``, a socket's directory as ``?host=``."""
        url = self.url(name, schemes=("postgres", "postgresql"))
        if not url or self._faults:
            return {"ENGINE": "django.db.backends.postgresql"}
        parts = urlsplit(url)
        config: dict[str, Any] = dict(environ.Env.db_url_config(parts._replace(query="").geturl()))
        query = dict(parse_qsl(parts.query))
        config["HOST"] = query.pop("host", config.get("HOST", ""))
        config["PORT"] = query.pop("port", config.get("PORT", ""))
        config["ENGINE"] = "django.db.backends.postgresql"
        config["OPTIONS"] = CONNECTION_OPTIONS | query
        config["CONN_MAX_AGE"] = self.number("DATABASE_CONN_MAX_AGE", default=0)
        config["CONN_HEALTH_CHECKS"] = True
        config["DISABLE_SERVER_SIDE_CURSORS"] = True  # PgBouncer in transaction mode may stand between
        return config

    def mail(self, name: str) -> dict[str, Any]:
        """Django's e-mail settings out of ``smtp+tls://user:password@host:port`` or ``consolemail://``."""
        url = self._raw(name, None)
        if not url:
            return {}
        try:
            return dict(environ.Env.email_url_config(url))
        except ImproperlyConfigured as error:
            self.refuse(f"{name} is not usable: {error}.")
            return {}
