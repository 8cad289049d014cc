"""A changed password and a disabled user end the sessions, whichever way the row was changed."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from accounts.hashers import BoundedArgon2PasswordHasher
from accounts.models import Session, User
from accounts.sessions import open_session
from accounts.tests.factories import JsonClient, api_client, login, make_user
from accounts.tests.racing import at_once
from flightbook.errors import InvalidCredentials

NEW = "a wholly new password"


def by_save(user: User) -> None:
    user.set_password(NEW)
    user.save()


def by_update(user: User) -> None:
    User.objects.filter(pk=user.pk).update(password="!")


def by_bulk_update(user: User) -> None:
    user.set_password(NEW)
    User.objects.bulk_update([user], ["password"])


def by_sql(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET password = 'x' WHERE id = %s", [user.pk])


def by_command(user: User) -> None:
    call_command("changepassword", user.username)


def by_admin(user: User) -> None:
    staff = api_client()
    staff.force_login(
        make_user(is_staff=True, is_superuser=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    fields = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    answer = staff.post(f"/admin/accounts/user/{user.pk}/password/", fields, format="multipart")
    assert answer.status_code == 302, answer.content


def switched_off(user: User) -> None:
    user.is_active = False
    user.save()


def switched_off_by_update(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (by_save, "password_changed"),
        (by_update, "password_changed"),
        (by_bulk_update, "password_changed"),
        (by_sql, "password_changed"),
        (by_command, "password_changed"),
        (by_admin, "password_changed"),
        (switched_off, "user_disabled"),
        (switched_off_by_update, "user_disabled"),
    ],
)
def test_every_way_ends_them(
    change: Callable[[User], None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt="": NEW)
    user, neighbour = make_user(), make_user()
    tokens, other = [login(user), login(user)], login(neighbour)
    change(User.objects.get(pk=user.pk))
    statuses = [
        JsonClient(HTTP_AUTHORIZATION=f"Bearer {token}").post("/ws-ticket").status_code
        for token in (*tokens, other)
    ]
    assert statuses == [401, 401, 201]
    ended = Session.objects.filter(user=user)
    assert {(session.end_reason, session.ended_at is not None) for session in ended} == {(reason, True)}


@pytest.mark.django_db
def test_a_user_who_is_switched_on_again_must_log_in_anew() -> None:
    user = make_user()
    client = api_client(user)
    switched_off(user)
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert client.post("/ws-ticket").status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(
    "changes",
    [{"email": "new@example.com"}, {"is_staff": True}, {"is_active": True}, {"given_name": "Grace"}],
)
def test_other_changes_end_nothing(changes: dict[str, Any]) -> None:
    user = make_user()
    client = api_client(user)
    User.objects.filter(pk=user.pk).update(**changes)
    user.save()
    assert client.post("/ws-ticket").status_code == 201


@pytest.mark.django_db
def test_logging_in_again_ends_nothing() -> None:
    user = make_user()
    client = api_client(user)
    client.post("/login", {"username": user.username, "password": "password123"})
    assert client.post("/ws-ticket").status_code == 201


@pytest.mark.django_db
def test_a_hash_that_is_renewed_on_login_ends_the_others_and_not_the_login_s_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = make_user()
    before = api_client(user)
    monkeypatch.setattr(BoundedArgon2PasswordHasher, "memory_cost", 48 * 1024)
    body = before.post("/login", {"username": user.username, "password": "password123"}).json()
    assert User.objects.get().password.startswith("argon2$argon2id$v=19$m=49152,")
    assert JsonClient(HTTP_AUTHORIZATION=f"Bearer {body['token']}").post("/ws-ticket").status_code == 201
    assert before.post("/ws-ticket").status_code == 401


@pytest.mark.django_db
def test_control_without_the_trigger_they_live_on() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user DISABLE TRIGGER accounts_user_end_sessions")
    user = make_user()
    client = api_client(user)
    by_save(user)
    assert client.post("/ws-ticket").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_a_login_that_checked_the_old_password_opens_nothing_after_the_change() -> None:
    """The change holds the user's row when the login opens its session: which waits, and is refused."""
    user, changed, waiting = make_user(), Event(), Event()

    def change() -> None:
        with transaction.atomic():
            by_save(User.objects.get(pk=user.pk))
            changed.set()
            assert waiting.wait(20)

    def late_login() -> Any:
        assert changed.wait(20)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend = cursor.fetchone()[0]
        pids.append(backend)
        return open_session(user=user)

    def watch() -> None:
        """Lets the change commit once the login is seen to wait for its lock."""
        assert changed.wait(20)
        for _ in range(10_000):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ANY(%s)",
                    [pids],
                )
                if cursor.fetchone():
                    break
        waiting.set()

    pids: list[int] = []
    result = at_once([change, late_login, watch])[1]
    assert isinstance(result, InvalidCredentials)
    assert not Session.objects.exists()
