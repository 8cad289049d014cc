"""POST /register"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection

from accounts import operations
from accounts.models import User
from accounts.tests.factories import api_client, make_user
from accounts.tests.racing import at_once

SAMPLE = {"username": "username", "password": "password123", "email": "username@example.com"}


def register(**changes: Any) -> Any:
    body = {name: value for name, value in (SAMPLE | changes).items() if value is not ...}
    return api_client().post("/register", body)


@pytest.mark.django_db
def test_the_design_s_sample_is_registered() -> None:
    answer = register()
    assert answer.status_code == 201
    assert set(answer.json()) == {"message", "userId"}
    assert answer.json()["message"] == "User registered successfully"
    user = User.objects.get(public_id=answer.json()["userId"])
    assert (user.username, user.email, user.is_staff, user.is_superuser) == (
        "username", "username@example.com", False, False,
    )  # fmt: skip
    assert user.check_password("password123")
    assert re.match(r"argon2\$argon2id\$v=19\$m=47104,t=1,p=1\$", user.password)


@pytest.mark.django_db
def test_names_are_optional_and_staff_is_not_for_the_asking() -> None:
    answer = register(givenName="Åsa", familyName="Öström", isStaff=True, is_staff=True, isSuperuser=True)
    user = User.objects.get(public_id=answer.json()["userId"])
    assert (user.given_name, user.family_name, user.is_staff, user.is_superuser) == (
        "Åsa",
        "Öström",
        False,
        False,
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"username": ...}, "/username", "required"),
        ({"username": None}, "/username", "null"),
        ({"username": 5}, "/username", "invalid"),
        ({"username": ""}, "/username", "blank"),
        ({"username": "a b"}, "/username", "invalid"),
        ({"username": "a/b"}, "/username", "invalid"),
        ({"username": "x" * 151}, "/username", "max_length"),
        (
            {"username": "\ufdfa" * 20},
            "/username",
            "max_length",
        ),  # short, but 360 characters in its normal form
        ({"username": "a\0b"}, "/username", "null_characters_not_allowed"),
        ({"password": ...}, "/password", "required"),
        ({"password": True}, "/password", "invalid"),
        ({"password": "short77"}, "/password", "password_too_short"),
        ({"password": "x" * 1025}, "/password", "max_length"),
        ({"password": "username@example.com"}, "/password", "password_too_similar"),
        ({"email": ...}, "/email", "required"),
        ({"email": "nobody"}, "/email", "invalid"),
        ({"email": "a@b.example\nBcc: c@d.example"}, "/email", "invalid"),
        ({"email": "x" * 250 + "@example.com"}, "/email", "max_length"),
        ({"givenName": 7}, "/givenName", "invalid"),
        ({"familyName": "y" * 151}, "/familyName", "max_length"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_kept(changes: dict[str, Any], pointer: str, code: str) -> None:
    answer = register(**changes)
    problem = answer.json()
    assert (answer.status_code, problem["code"], answer["Content-Type"]) == (
        400,
        "invalid",
        "application/problem+json",
    )
    assert (pointer, code) in [(error["pointer"], error["code"]) for error in problem["errors"]]
    assert not User.objects.exists()


@pytest.mark.django_db
def test_usernames_are_kept_in_their_normal_form() -> None:
    register(username="ｕｓｅｒ")  # noqa: RUF001 - full-width on purpose
    assert User.objects.get().username == "user"


@pytest.mark.django_db
def test_spaces_belong_to_a_password() -> None:
    register(password="  password  ")
    assert User.objects.get().check_password("  password  ")


@pytest.mark.django_db
def test_common_passwords_are_refused_where_the_setting_says_so(settings: Any) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"}
    ]
    answer = register()
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "password_too_common"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"email": "other@example.com"}, "username_taken"),
        ({"email": "other@example.com", "username": "USERName"}, "username_taken"),
        ({"username": "other"}, "email_taken"),
        ({"username": "other", "email": "UserName@EXAMPLE.com"}, "email_taken"),
    ],
)
def test_what_is_taken_is_taken_in_any_case(changes: dict[str, str], code: str) -> None:
    register()
    answer = register(**changes)
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_an_unknown_constraint_is_not_taken_for_one_of_the_contract() -> None:
    user = make_user()
    twin = User(pk=user.pk, username="another", email="another@example.com")
    with pytest.raises(IntegrityError):
        operations._save_new(twin)


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "status"), [("get", 405), ("put", 405), ("delete", 405)])
def test_other_methods(method: str, status: int) -> None:
    answer = getattr(api_client(), method)("/register")
    assert (answer.status_code, answer.json()["code"]) == (status, "method_not_allowed")


@pytest.mark.django_db
def test_only_json_is_read() -> None:
    answer = api_client().post("/register", "username=a", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    for body in (b"{", b"[]", b'{"username": "a", "username": "b"}', b'"\xff"', b"[" * 5000):
        answer = api_client().post("/register", body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def statuses(bodies: list[dict[str, str]]) -> list[tuple[int, str]]:
    def call(body: dict[str, str]) -> tuple[int, str]:
        answer = api_client().post("/register", body)
        return answer.status_code, answer.json().get("code", "")

    results = at_once([lambda body=body: call(body) for body in bodies])  # type: ignore[misc]
    return sorted(result for result in results if not isinstance(result, Exception))


@pytest.fixture
def without_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """No read before the write: all that stands between two equal registrations is the database."""
    monkeypatch.setattr(operations, "_refuse_taken", lambda user: None)


@pytest.mark.django_db(transaction=True)
def test_of_twenty_equal_registrations_at_once_one_wins() -> None:
    assert statuses([SAMPLE] * 20) == [(201, "")] + [(409, "username_taken")] * 19
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("without_filter")
def test_of_twenty_equal_registrations_that_all_write_one_wins() -> None:
    assert statuses([SAMPLE] * 20) == [(201, "")] + [(409, "username_taken")] * 19


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("without_filter")
def test_of_ten_registrations_of_one_address_at_once_one_wins() -> None:
    bodies = [SAMPLE | {"username": f"user{number}"} for number in range(10)]
    assert statuses(bodies) == [(201, "")] + [(409, "email_taken")] * 9


@pytest.fixture
def without_constraints() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX user_username_unique; DROP INDEX user_email_unique")
    yield
    User.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE UNIQUE INDEX user_username_unique ON accounts_user (lower(username));"
            "CREATE UNIQUE INDEX user_email_unique ON accounts_user (lower(email))"
        )


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("without_constraints", "without_filter")
def test_control_without_the_constraints_all_win() -> None:
    assert statuses([SAMPLE] * 20) == [(201, "")] * 20
