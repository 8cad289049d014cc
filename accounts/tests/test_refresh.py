"""POST /token/refresh"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from accounts import sessions
from accounts.models import RefreshToken, RefreshTokenQuerySet, Session
from accounts.queries import live_sessions
from accounts.tests.factories import JsonClient, api_client, full_login, make_user
from accounts.tests.racing import at_once
from flightbook.errors import TokenInvalid


def refresh(token: Any) -> Any:
    return api_client().post("/token/refresh", {"refreshToken": token})


def status_of(token: str) -> int:
    """What a protected call answers to an access token."""
    return int(JsonClient(HTTP_AUTHORIZATION=f"Bearer {token}").post("/ws-ticket").status_code)


@pytest.mark.django_db
def test_a_refresh_answers_the_next_pair_of_the_same_session() -> None:
    login = full_login(make_user())
    answer = refresh(login.refresh_token)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"token", "refreshToken", "expiresIn"}
    assert body["expiresIn"] == 900
    assert body["refreshToken"] != login.refresh_token
    assert answer["Cache-Control"] == "no-store"
    assert status_of(body["token"]) == 201
    assert Session.objects.count() == 1
    assert refresh(body["refreshToken"]).status_code == 200


@pytest.mark.django_db
def test_each_refresh_moves_the_session_s_end() -> None:
    login = full_login(make_user())
    Session.objects.update(expires_at=Now() + timedelta(minutes=1))
    refresh(login.refresh_token)
    assert Session.objects.filter(expires_at__gt=Now() + timedelta(days=13, hours=23)).exists()


@pytest.mark.django_db
def test_a_second_use_ends_the_whole_family() -> None:
    login = full_login(make_user())
    following = refresh(login.refresh_token).json()
    answer = refresh(login.refresh_token)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert Session.objects.get().end_reason == "token_reused"
    assert status_of(following["token"]) == 401
    assert refresh(following["refreshToken"]).status_code == 401
    assert RefreshToken.objects.count() == 2


@pytest.mark.django_db
def test_a_second_use_ends_no_other_session_of_the_user() -> None:
    user = make_user()
    stolen, other = full_login(user), full_login(user)
    refresh(stolen.refresh_token)
    refresh(stolen.refresh_token)
    assert status_of(other.token) == 201


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", 5, None, "x" * 201, "a\0"])
def test_a_malformed_one_is_a_bad_request(token: Any) -> None:
    answer = refresh(token)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/refreshToken")


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["unknown", "ünknown", "🂡"])
def test_an_unknown_one_is_invalid(token: str) -> None:
    answer = refresh(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


@pytest.mark.django_db
def test_an_access_token_is_no_refresh_token() -> None:
    assert refresh(full_login(make_user()).token[:200]).status_code == 401


@pytest.mark.django_db
def test_an_expired_one_is_invalid_and_ends_nothing() -> None:
    login = full_login(make_user())
    RefreshToken.objects.update(expires_at=Now() - timedelta(seconds=1))
    assert refresh(login.refresh_token).status_code == 401
    assert status_of(login.token) == 201


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{"ended_at": Now()}, {"expires_at": F("created_at")}])
def test_a_session_that_is_over_is_not_carried_on(changes: dict[str, Any]) -> None:
    login = full_login(make_user())
    Session.objects.update(**changes)
    assert refresh(login.refresh_token).status_code == 401
    assert not RefreshToken.objects.filter(used_at__isnull=False).exists()


@pytest.mark.django_db
def test_a_disabled_user_is_not_carried_on() -> None:
    user = make_user()
    login = full_login(user)
    user.is_active = False
    user.save()
    assert refresh(login.refresh_token).status_code == 401


def race(count: int) -> tuple[int, set[str]]:
    """How many of `count` refreshes with one token win, and which sessions live on."""
    login = full_login(make_user())
    results = at_once([lambda: sessions.refresh(refresh_token=login.refresh_token)] * count)
    losers = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(loser, TokenInvalid) for loser in losers), losers
    return count - len(losers), live_sessions(Session.objects.values_list("sid", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("count", [2, 8])
def test_of_several_at_once_one_wins_and_the_session_ends(count: int) -> None:
    for _ in range(5):
        assert race(count) == (1, set())


@pytest.mark.django_db(transaction=True)
def test_control_with_a_take_that_reads_before_it_writes_several_win(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_then_write(self: RefreshTokenQuerySet, digest: str) -> bool:
        unused = self.filter(token_hash=digest, used_at=None).exists()
        self.filter(token_hash=digest).update(used_at=Now())
        return unused

    def unlocked(self: QuerySet[Any], **options: Any) -> QuerySet[Any]:
        return self

    monkeypatch.setattr(RefreshTokenQuerySet, "take", read_then_write)
    monkeypatch.setattr(QuerySet, "select_for_update", unlocked)
    assert max(race(8)[0] for _ in range(10)) > 1
