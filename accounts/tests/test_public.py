"""accounts.public, as the other apps see it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models.functions import Now

from accounts import public
from accounts.models import Session, User
from accounts.tests.factories import login, make_user
from flightbook.errors import EmailTaken, NotFound

pytestmark = pytest.mark.django_db


def test_an_account_s_facts() -> None:
    user = make_user(given_name="Ada", family_name="Lovelace", is_active=False)
    facts = public.Account(user.pk, user.public_id, user.username, user.email, "Ada", "Lovelace", False)
    assert public.account(user.pk) == public.account_by_public_id(user.public_id) == facts
    assert public.account_by_public_id("nobody") is None
    with pytest.raises(NotFound):
        public.account(user.pk + 1)


class TestOwnUserPk:
    permission = "accounts.view_user"

    def test_one_s_own(self) -> None:
        user = make_user()
        assert public.own_user_pk(user, user.public_id) == user.pk

    @pytest.mark.parametrize("permission", [None, permission])
    def test_another_s_is_the_same_as_none(self, permission: str | None) -> None:
        user, other = make_user(), make_user()
        problems = []
        for name in (other.public_id, "nobody", "", "x" * 5000, "\0"):
            with pytest.raises(NotFound) as caught:
                public.own_user_pk(user, name, permission=permission)
            problems.append((caught.value.detail, caught.value.extra))
        assert len({str(problem) for problem in problems}) == 1

    def test_another_s_with_the_permission(self) -> None:
        user, other = make_user(), make_user()
        user.user_permissions.add(Permission.objects.get(codename="view_user"))
        user = User.objects.get(pk=user.pk)
        assert public.own_user_pk(user, other.public_id, permission=self.permission) == other.pk
        for name in ("nobody", "\0"):
            with pytest.raises(NotFound):
                public.own_user_pk(user, name, permission=self.permission)
        with pytest.raises(NotFound):
            public.own_user_pk(user, other.public_id)

    def test_to_be_staff_is_no_permission(self) -> None:
        with pytest.raises(NotFound):
            public.own_user_pk(make_user(is_staff=True), make_user().public_id, permission=self.permission)


def test_live_sessions(django_assert_num_queries: Any) -> None:
    user, disabled = make_user(), make_user()
    for _ in range(3):
        login(user)
    login(disabled)
    live, ended, expired, of_disabled = Session.objects.order_by("pk")
    Session.objects.filter(pk=ended.pk).end("test")
    Session.objects.filter(pk=expired.pk).update(expires_at=Now() - timedelta(seconds=1))
    User.objects.filter(pk=disabled.pk).update(is_active=False)
    sids = [session.sid for session in (live, ended, expired, of_disabled)]
    with django_assert_num_queries(1):
        assert public.live_sessions([*sids, "unknown"]) == {live.sid}
    assert public.live_sessions([]) == set()


def test_a_staff_account_is_made_once() -> None:
    assert public.create_staff_account(username="admin", password="secret-1234", email="admin@example.com")
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.check_password("secret-1234")) == (True, True, True)
    assert not public.create_staff_account(
        username="Admin", password="another-1234", email="admin@example.com"
    )
    assert User.objects.get().password == user.password
    with pytest.raises(EmailTaken):
        public.create_staff_account(username="root", password="secret-1234", email="ADMIN@example.com")


def test_public_ids_are_opaque() -> None:
    ids = {make_user().public_id for _ in range(50)}
    assert len(ids) == 50
    assert all(len(name) == 12 and name.isalnum() for name in ids)
