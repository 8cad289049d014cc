"""What nothing asks for any more goes; what a theft would be known by stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session as AdminSession
from django.db.models.functions import Now

from accounts import public
from accounts.models import RefreshToken, Session, SocketTicket
from accounts.sessions import issue_ticket, refresh
from accounts.tests.factories import full_login, make_user
from flightbook.errors import TokenInvalid


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({}, False),
        ({"ended_at": Now() - timedelta(days=29)}, False),
        ({"ended_at": Now() - timedelta(days=31)}, True),
        ({"expires_at": Now() - timedelta(days=29)}, False),
        ({"expires_at": Now() - timedelta(days=31)}, True),
    ],
)
def test_sessions_go_thirty_days_after_their_end_with_all_that_is_theirs(
    changes: dict[str, Any], gone: bool
) -> None:
    login = full_login(make_user())
    issue_ticket(sid=Session.objects.get().sid)
    refresh(refresh_token=login.refresh_token)
    Session.objects.update(**changes)
    assert public.purge_expired() == (4 if gone else 0)
    counts = [model.objects.count() for model in (Session, RefreshToken, SocketTicket)]
    assert counts == ([0, 0, 0] if gone else [1, 2, 1])


@pytest.mark.django_db
def test_expired_tickets_and_refresh_tokens_go() -> None:
    login = full_login(make_user())
    issue_ticket(sid=Session.objects.get().sid)
    SocketTicket.objects.update(expires_at=Now() - timedelta(seconds=1))
    RefreshToken.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert public.purge_expired() == 2
    with pytest.raises(TokenInvalid):
        refresh(refresh_token=login.refresh_token)


@pytest.mark.django_db
def test_a_used_refresh_token_still_tells_of_a_theft() -> None:
    login = full_login(make_user())
    refresh(refresh_token=login.refresh_token)
    public.purge_expired()
    with pytest.raises(TokenInvalid):
        refresh(refresh_token=login.refresh_token)
    assert Session.objects.get().end_reason == "token_reused"


@pytest.mark.django_db
def test_the_admin_s_own_expired_sessions_go_too() -> None:
    AdminSession.objects.create(session_key="old", session_data="", expire_date="2020-01-01T00:00:00Z")
    public.purge_expired()
    assert not AdminSession.objects.exists()
