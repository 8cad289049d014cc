"""The admin's pages of accounts."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.mail import queue_mail
from accounts.models import Mail, RefreshToken, Session, SocketTicket, User
from accounts.sessions import issue_ticket
from accounts.tests.factories import api_client, make_user

pytestmark = pytest.mark.django_db
MODELS = [User, Session, RefreshToken, SocketTicket, Mail]


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def staff() -> Client:
    return client_of(make_user(is_staff=True, is_superuser=True))


@pytest.fixture
def traveller() -> User:
    user = make_user(username="amelia")
    api_client(user)
    issue_ticket(sid=Session.objects.get().sid)
    queue_mail(key="k", to="amelia@example.com", subject="Booked", text="You fly.")
    return user


def page(model: Any, name: str, *args: Any) -> str:
    return reverse(f"admin:accounts_{model._meta.model_name}_{name}", args=args)


@pytest.mark.usefixtures("traveller")
@pytest.mark.parametrize("model", MODELS)
def test_each_model_is_listed_searched_and_shown(staff: Client, model: Any) -> None:
    assert staff.get(page(model, "changelist")).status_code == 200
    assert staff.get(page(model, "changelist"), {"q": "amelia"}).context["cl"].result_count == 1
    assert staff.get(page(model, "changelist"), {"q": "nobody"}).context["cl"].result_count == 0
    shown = staff.get(page(model, "change", model.objects.last().pk))
    assert shown.status_code == 200
    for secret in ("sid", "token_hash", "ticket_hash"):
        if hasattr(model.objects.last(), secret):
            assert getattr(model.objects.last(), secret) not in shown.content.decode()
    assert admin.site._registry[model].list_filter


@pytest.mark.usefixtures("traveller")
@pytest.mark.parametrize("model", MODELS[1:])
def test_what_operations_write_is_not_edited(staff: Client, model: Any) -> None:
    row = model.objects.get()
    assert staff.get(page(model, "add")).status_code == 403
    assert staff.post(page(model, "change", row.pk), {}).status_code == 403
    assert staff.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.get() == row


def test_a_user_is_added_and_changed_and_never_deleted(staff: Client) -> None:
    form = {"username": "ｇrace", "email": "g@example.com", "usable_password": "true"}  # noqa: RUF001 - full-width
    answer = staff.post(
        page(User, "add"), form | {"password1": "password-1234", "password2": "password-1234"}
    )
    user = User.objects.get(username="grace")
    assert (answer.status_code, user.check_password("password-1234")) == (302, True)
    fields = {"username": "grace", "email": "h@example.com", "given_name": "Grace", "is_active": "on"}
    assert staff.post(page(User, "change", user.pk), fields).status_code == 302
    user.refresh_from_db()
    assert (user.email, user.given_name, user.check_password("password-1234")) == (
        "h@example.com",
        "Grace",
        True,
    )
    assert staff.post(page(User, "delete", user.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"username": "AMELIA"}, "already exists"),
        ({"email": "AMELIA@example.com"}, "That address is registered."),
        ({"username": "a b"}, "Enter a valid username"),
        ({"password2": "password-12345"}, "didn’t match"),  # noqa: RUF001 - Django's own sentence
        ({"password1": "short", "password2": "short"}, "too short"),
    ],
)
def test_a_form_says_what_is_wrong(staff: Client, changes: dict[str, str], sentence: str) -> None:
    make_user(username="amelia", email="amelia@example.com")
    form = {"username": "b", "email": "b@example.com", "usable_password": "true"}
    form |= {"password1": "password-1234", "password2": "password-1234"} | changes
    answer = staff.post(page(User, "add"), form)
    assert answer.status_code == 200
    assert sentence in answer.content.decode().replace("&#x27;", "'")


def test_staff_end_sessions(staff: Client, traveller: User) -> None:
    session = Session.objects.get(user=traveller)
    form = {"action": "end_chosen", "_selected_action": [session.pk]}
    assert staff.post(page(Session, "changelist"), form).status_code == 302
    session.refresh_from_db()
    assert (session.end_reason, session.ended_at is not None) == ("staff", True)


def test_staff_have_failed_mail_tried_again(staff: Client, traveller: User) -> None:
    Mail.objects.update(state="failed", attempts=21)
    form = {"action": "try_again", "_selected_action": [Mail.objects.get().pk]}
    assert staff.post(page(Mail, "changelist"), form).status_code == 302
    assert (Mail.objects.get().state, Mail.objects.get().attempts) == ("pending", 0)


@pytest.mark.parametrize(("model", "action"), [(Session, "end_chosen"), (Mail, "try_again")])
def test_who_may_only_look_may_do_neither(traveller: User, model: Any, action: str) -> None:
    viewer = make_user(is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    Mail.objects.update(state="failed")
    client, row = client_of(viewer), model.objects.get()
    assert client.get(page(model, "changelist")).status_code == 200
    client.post(page(model, "changelist"), {"action": action, "_selected_action": [row.pk]})
    assert Session.objects.get().ended_at is None
    assert Mail.objects.get().state == "failed"


def test_the_login_form_counts_failures_whatever_the_case(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    make_user(username="boss", is_staff=True)
    names = ("boss", "Boss", "BOSS")
    answers = [Client().post("/admin/login/", {"username": name, "password": "wrong"}) for name in names]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    answer = Client().post("/admin/login/", {"username": "bOSS", "password": "password123"})
    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")


def test_the_login_form_lets_staff_in() -> None:
    make_user(username="boss", is_staff=True)
    answer = Client().post("/admin/login/?next=/admin/", {"username": "Boss", "password": "password123"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_a_traveller_does_not_come_in() -> None:
    user = make_user()
    answer = Client().post("/admin/login/", {"username": user.username, "password": "password123"})
    assert answer.status_code == 200
    assert client_of(user).get("/admin/").status_code == 302
