from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User

pytestmark = pytest.mark.django_db


def test_makes_the_account_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chief")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "a-long-password")
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "chief@example.com")
    call_command("create_staff")
    call_command("create_staff")
    chief = User.objects.get(username="chief")
    assert chief.is_staff
    assert chief.check_password("a-long-password")
    assert capsys.readouterr().out == "Made chief.\nchief is there already.\n"


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chief")
    monkeypatch.delenv("DJANGO_SUPERUSER_PASSWORD", raising=False)
    monkeypatch.delenv("DJANGO_SUPERUSER_EMAIL", raising=False)
    with pytest.raises(CommandError, match="DJANGO_SUPERUSER_PASSWORD, DJANGO_SUPERUSER_EMAIL not set"):
        call_command("create_staff")
