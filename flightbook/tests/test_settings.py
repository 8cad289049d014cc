"""A missing or malformed setting stops the start with a sentence that names it; a document lists them all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from flightbook.env import Environment

ROOT = Path(__file__).resolve().parents[2]
SOUND = {
    "SECRET_KEY": "x" * 50,
    "ALLOWED_HOSTS": "127.0.0.1",
    "DATABASE_URL": "postgres://flightbook@127.0.0.1:1/flightbook",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "TOKEN_KEYS_DIR": "/nowhere/keys",
    "EMAIL_URL": "consolemail://",
    "PAYMENT_GATEWAY": "sandbox",
    "ALLOW_SANDBOX_PAYMENTS": "true",
}
READ = "import flightbook.settings as s; print(s.DATABASES['default']['NAME'])"


def start(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    whole = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "flightbook.settings"} | environment
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=whole,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def complaint(environment: dict[str, str]) -> str:
    """The last line of a start that these variables stop."""
    outcome = start(environment, "-c", READ)
    assert outcome.returncode != 0
    return outcome.stderr.strip().splitlines()[-1]


def test_sound_settings_start() -> None:
    outcome = start(SOUND, "-c", READ)
    assert (outcome.returncode, outcome.stdout) == (0, "flightbook\n"), outcome.stderr


def test_the_command_line_shows_the_sentence() -> None:
    outcome = start(
        {name: value for name, value in SOUND.items() if name != "REDIS_URL"}, "manage.py", "check"
    )
    assert outcome.returncode != 0
    assert "REDIS_URL is not set." in outcome.stderr.strip().splitlines()[-1]


def test_everything_that_is_missing_is_named_at_once() -> None:
    line = complaint({})
    for name in SOUND:
        if name != "ALLOW_SANDBOX_PAYMENTS":
            assert f"{name} is not set." in line


def test_no_secret_is_shown() -> None:
    line = complaint(
        SOUND | {"SECRET_KEY": "hunter2", "DATABASE_URL": "mysql://u:hunter3@h/d", "LOG_LEVEL": "loud"}
    )
    assert "SECRET_KEY" in line
    assert "DATABASE_URL" in line
    assert "hunter" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("ALLOWED_HOSTS", " , "),
        ("DATABASE_URL", "sqlite:///x"),
        ("DATABASE_URL", "postgres://u@h:port/d"),
        ("DATABASE_URL", "postgres://u@h:5432/"),
        ("REDIS_URL", "http://h"),
        ("REDIS_URL", "redis://h:port/0"),
        ("EMAIL_URL", "pigeon://loft"),
        ("PAYMENT_GATEWAY", "barter"),
        ("STRIPE_API_BASE", "api.stripe.com"),
        ("ALLOW_SANDBOX_PAYMENTS", "perhaps"),
        ("ALLOW_SANDBOX_PAYMENTS", ""),
        ("HTTP_CONCURRENCY", "many"),
        ("HTTP_CONCURRENCY", "0"),
        ("HTTP_QUEUE_SECONDS", "-1"),
        ("RATE_LIMIT_SALE", "3.5"),
        ("RATE_LIMIT_LOGIN", "٣"),
        ("PASSWORD_HASHES_AT_ONCE", "0"),
        ("SCHEDULE_DAYS", "0"),
        ("SCHEDULE_DAYS", "99999999999999"),
        ("COOKIE_SECURE", "1"),
        ("COMMON_PASSWORD_CHECK", "on"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("DATABASE_REPLICA_URL", "mysql://u@h/d"),
        ("REDIS_SENTINELS", "sentinel"),
        ("REDIS_SENTINELS", "a:1,b:port"),
        ("REDIS_SENTINELS", "redis://a:1"),
        ("REDIS_SENTINELS", "user@a:1"),
        ("DATABASE_CONN_MAX_AGE", "forever"),
        ("SOCKET_ORIGINS", "example.com"),
        ("CSRF_TRUSTED_ORIGINS", "example.com"),
    ],
)
def test_a_malformed_setting_is_named(name: str, value: str) -> None:
    line = complaint(SOUND | {name: value})
    assert line.startswith("django.core.exceptions.ImproperlyConfigured: ")
    assert name in line or (name == "ALLOW_SANDBOX_PAYMENTS" and "PAYMENT_GATEWAY" in line)


def test_stripe_does_not_start_without_its_secrets() -> None:
    line = complaint(SOUND | {"PAYMENT_GATEWAY": "stripe"})
    assert "STRIPE_SECRET_KEY is not set." in line
    assert "STRIPE_WEBHOOK_SECRET is not set." in line
    keys = {"PAYMENT_GATEWAY": "stripe", "STRIPE_SECRET_KEY": "sk", "STRIPE_WEBHOOK_SECRET": "whsec"}
    assert start(SOUND | keys, "-c", READ).returncode == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://u:p%40ss@h:5433/d",
            {"USER": "u", "PASSWORD": "p@ss", "HOST": "h", "PORT": 5433, "NAME": "d"},
        ),
        ("postgres://u@/d?host=/run/pg%20sql", {"HOST": "/run/pg sql", "NAME": "d", "USER": "u"}),
        ("postgresql:///d?host=/run/pg&port=5499", {"HOST": "/run/pg", "PORT": "5499", "NAME": "d"}),
        ("postgres://u@[::1]:5432/d", {"HOST": "::1", "NAME": "d"}),
        (
            "postgres://u:p@/d?host=a,b,c&port=5432&target_session_attrs=read-write",
            {"HOST": "a,b,c", "PORT": "5432", "NAME": "d", "PASSWORD": "p"},
        ),
    ],
)
def test_database_urls(monkeypatch: pytest.MonkeyPatch, url: str, expected: dict[str, object]) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    environment = Environment()
    config = environment.database("DATABASE_URL")
    environment.check()
    assert {name: config[name] for name in expected} == expected
    assert "statement_timeout" in config["OPTIONS"]["options"]


def test_sentinels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SENTINELS", "one:26379, [::1]:26380")
    environment = Environment()
    assert environment.addresses("REDIS_SENTINELS") == (("one", 26379), ("::1", 26380))
    environment.check()


def test_with_sentinels_the_url_names_a_master() -> None:
    changed = {"REDIS_SENTINELS": "one:26379", "REDIS_URL": "unix:///run/redis?db=0"}
    assert "REDIS_URL does not begin with redis://." in complaint(SOUND | changed)
    assert "REDIS_URL names no master" in complaint(SOUND | changed | {"REDIS_URL": "redis:///0"})
    assert start(SOUND | changed | {"REDIS_URL": "redis://flightbook/0"}, "-c", READ).returncode == 0


def test_libpq_options_of_the_url_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u@h/d?sslmode=verify-full&application_name=booking")
    options = Environment().database("DATABASE_URL")["OPTIONS"]
    assert (options["sslmode"], options["application_name"]) == ("verify-full", "booking")


def test_faults_are_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "x")
    monkeypatch.setenv("B", "maybe")
    environment = Environment()
    environment.number("A", default=1)
    environment.flag("B", default=True)
    with pytest.raises(ImproperlyConfigured, match=r"A is 'x', .* B is 'maybe', .*"):
        environment.check()


def test_the_document_lists_exactly_the_settings_that_are_read() -> None:
    source = (ROOT / "flightbook" / "settings.py").read_text() + (ROOT / "flightbook" / "env.py").read_text()
    read = set(re.findall(r'(?:env|self)\.\w+\(\s*"([A-Z_]+)"', source))
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert listed == read
