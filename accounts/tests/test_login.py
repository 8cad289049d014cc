"""POST /login"""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session as AdminSession
from django.db.models import F
from django.test import AsyncClient

from accounts.hashers import BoundedArgon2PasswordHasher
from accounts.models import RefreshToken, Session, User
from accounts.sessions import open_session
from accounts.tests.factories import PASSWORD, JsonClient, api_client, make_user
from flightbook.errors import InvalidCredentials


def log_in(username: str, password: str = PASSWORD, address: str = "192.0.2.1") -> Any:
    return api_client().post("/login", {"username": username, "password": password}, REMOTE_ADDR=address)


@pytest.mark.django_db
def test_the_design_s_sample_logs_in() -> None:
    user = make_user(username="username")
    answer = log_in("username", "password123")
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"message", "userId", "token", "refreshToken", "expiresIn"}
    assert (body["message"], body["userId"], body["expiresIn"]) == ("Login successful", user.public_id, 900)
    assert answer["Cache-Control"] == "no-store"
    client = JsonClient(HTTP_AUTHORIZATION=f"Bearer {body['token']}")
    assert client.post("/ws-ticket").status_code == 201


@pytest.mark.django_db
def test_a_login_is_a_session_of_fourteen_days_with_nothing_secret_in_the_database() -> None:
    user = make_user()
    body = log_in(user.username).json()
    session = Session.objects.get(user=user)
    assert session.expires_at - session.created_at == timedelta(days=14)
    assert body["refreshToken"] not in RefreshToken.objects.get(session=session).token_hash
    assert not AdminSession.objects.exists()


@pytest.mark.django_db
def test_the_username_goes_in_any_case_and_form() -> None:
    user = make_user(username="Ada.Lovelace")
    assert log_in("aDA.lovelace").json()["userId"] == user.public_id
    assert log_in("Ａda.Lovelace").json()["userId"] == user.public_id  # noqa: RUF001 - full-width on purpose


@pytest.mark.django_db
def test_two_names_that_only_upper_case_makes_one_are_two_users() -> None:
    plain, dotless = make_user(username="ida"), make_user(username="\u0131da")
    assert log_in("ida").json()["userId"] == plain.public_id
    assert log_in("\u0131da").json()["userId"] == dotless.public_id


@pytest.mark.django_db
def test_unknown_wrong_and_disabled_cannot_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    known, disabled = make_user(), make_user(is_active=False)
    hashes: list[str] = []
    for name in ("encode", "verify"):
        original = getattr(BoundedArgon2PasswordHasher, name)

        def counted(self: Any, *args: Any, name: str = name, original: Any = original) -> Any:
            hashes.append(name)
            return original(self, *args)

        monkeypatch.setattr(BoundedArgon2PasswordHasher, name, counted)
    seen = []
    for username, password in (
        (known.username, "wrong"),
        ("nobody", PASSWORD),
        (disabled.username, PASSWORD),
    ):
        hashes.clear()
        answer = log_in(username, password)
        problem = answer.json()
        del problem["requestId"]
        seen.append((answer.status_code, problem, len(hashes), sorted(answer.headers)))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0] == 401
    assert seen[0][1]["code"] == "invalid_credentials"
    assert seen[0][2] == 1
    assert not Session.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"password": "x"}, "/username", "required"),
        ({"username": "x"}, "/password", "required"),
        ({"username": ["x"], "password": "x"}, "/username", "invalid"),
        ({"username": "x", "password": 12345678}, "/password", "invalid"),
        ({"username": "x", "password": "y" * 1025}, "/password", "max_length"),
        ({"username": "x\0", "password": "y"}, "/username", "null_characters_not_allowed"),
    ],
)
def test_a_bad_field_is_named(body: dict[str, Any], pointer: str, code: str) -> None:
    answer = api_client().post("/login", body)
    assert answer.status_code == 400
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]


@pytest.mark.django_db
def test_a_token_that_is_sent_along_is_not_looked_at() -> None:
    user = make_user()
    answer = JsonClient(HTTP_AUTHORIZATION="Bearer rubbish").post(
        "/login", {"username": user.username, "password": PASSWORD}
    )
    assert answer.status_code == 200


@pytest.mark.django_db
class TestLockout:
    @pytest.fixture(autouse=True)
    def _three_failures(self, settings: Any) -> None:
        settings.AXES_FAILURE_LIMIT = 3

    def test_too_many_failures_lock_the_user_out_from_that_address_alone(self) -> None:
        user = make_user(username="grace")
        answers = [log_in(name, "wrong") for name in ("grace", "GRACE", "Grace")]
        assert [answer.status_code for answer in answers] == [401, 401, 429]
        answer = log_in("gRaCe")
        assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (429, "throttled", "900")
        assert answer["Content-Type"] == "application/problem+json"
        assert log_in(user.username, address="192.0.2.2").status_code == 200
        assert log_in(make_user().username).status_code == 200

    def test_a_lockout_ends_and_asking_meanwhile_does_not_prolong_it(self) -> None:
        user = make_user()
        for _ in range(4):
            log_in(user.username, "wrong")
        AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=14, seconds=59))
        assert log_in(user.username).status_code == 429
        AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(seconds=2))
        assert log_in(user.username).status_code == 200

    def test_success_forgets_the_failures(self) -> None:
        user = make_user(username="Grace")
        for _ in range(3):
            assert [log_in("grace", "wrong").status_code, log_in("GRACE", "wrong").status_code] == [401, 401]
            assert log_in(user.username).status_code == 200

    def test_unknown_users_are_locked_out_alike(self) -> None:
        assert [log_in("nobody").status_code for _ in range(4)] == [401, 401, 429, 429]

    def test_a_long_name_whose_small_letters_are_longer_is_counted_too(self) -> None:
        assert [log_in("\u0130" * 150).status_code for _ in range(4)] == [401, 401, 429, 429]


@pytest.mark.django_db(transaction=True)
async def test_a_lockout_is_the_same_under_asgi(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    body = {"username": "nobody", "password": "wrong"}
    answers = [await AsyncClient().post("/login", body, content_type="application/json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 429, 429]
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert answers[-1]["Retry-After"] == "900"


@pytest.mark.django_db
@pytest.mark.usefixtures("one_minute")
def test_logins_are_limited_by_address(settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"login": 2}
    user, address = make_user(), "2001:db8:77:1::1"
    first, second, third = (log_in(user.username, address=address) for _ in range(3))
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert first["RateLimit-Policy"] == '"login";q=2;w=60'
    assert first["RateLimit"].startswith('"login";r=1;t=')
    assert third.json()["code"] == "throttled"
    assert 1 <= int(third["Retry-After"]) <= 60
    assert log_in(user.username, address="2001:db8:77:1::2").status_code == 429  # the same network's
    assert log_in(user.username, address="2001:db8:77:2::1").status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("one_minute")
def test_a_dead_redis_keeps_nobody_out_and_the_limit_holds(settings: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"login": 2}
    user = make_user()
    assert [log_in(user.username).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.django_db
def test_a_password_that_changes_during_the_login_opens_no_session() -> None:
    user = make_user()
    checked = User.objects.get(pk=user.pk)
    user.set_password("another password")
    user.save()
    with pytest.raises(InvalidCredentials):
        open_session(user=checked)
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_a_user_who_is_disabled_during_the_login_gets_no_session() -> None:
    user = make_user()
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(InvalidCredentials):
        open_session(user=user)
