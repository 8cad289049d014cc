"""POST /logout and POST /ws-ticket"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from accounts import public
from accounts.models import Session, SocketTicket
from accounts.tests.factories import JsonClient, api_client, full_login, make_user
from accounts.tests.racing import at_once
from flightbook.errors import TokenInvalid


@pytest.mark.django_db
def test_logout_ends_this_session_and_no_other() -> None:
    user = make_user()
    here, elsewhere = api_client(user), api_client(user)
    answer = here.post("/logout")
    assert (answer.status_code, answer.content) == (204, b"")
    assert here.post("/ws-ticket").json()["code"] == "token_invalid"
    assert here.post("/logout").status_code == 401
    assert elsewhere.post("/ws-ticket").status_code == 201
    assert sorted(Session.objects.values_list("end_reason", flat=True)) == ["", "logout"]


@pytest.mark.django_db
def test_logout_takes_the_refresh_token_and_open_tickets_with_it() -> None:
    login = full_login(make_user())
    client = JsonClient(HTTP_AUTHORIZATION=f"Bearer {login.token}")
    ticket = client.post("/ws-ticket").json()["ticket"]
    client.post("/logout")
    assert client.post("/token/refresh", {"refreshToken": login.refresh_token}).status_code == 401
    with pytest.raises(TokenInvalid):
        public.redeem_socket_ticket(ticket)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/logout", "/ws-ticket"])
def test_both_want_a_token(path: str) -> None:
    answer = api_client().post(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_a_ticket_serves_once() -> None:
    user = make_user()
    answer = api_client(user).post("/ws-ticket")
    assert answer.status_code == 201
    assert set(answer.json()) == {"ticket", "expiresIn"}
    assert answer.json()["expiresIn"] == 30
    ticket = answer.json()["ticket"]
    assert ticket not in SocketTicket.objects.get().ticket_hash
    handle = public.redeem_socket_ticket(ticket)
    assert (handle.user_pk, handle.user_public_id) == (user.pk, user.public_id)
    assert public.live_sessions([handle.sid]) == {handle.sid}
    with pytest.raises(TokenInvalid):
        public.redeem_socket_ticket(ticket)


@pytest.mark.django_db
def test_a_ticket_lives_thirty_seconds_by_the_database_s_clock() -> None:
    ticket = api_client(make_user()).post("/ws-ticket").json()["ticket"]
    assert not SocketTicket.objects.filter(expires_at__gt=Now() + timedelta(seconds=30)).exists()
    SocketTicket.objects.update(expires_at=Now())
    with pytest.raises(TokenInvalid):
        public.redeem_socket_ticket(ticket)


@pytest.mark.django_db
@pytest.mark.parametrize("ticket", ["", "unknown", "\udcff", "\0", "x" * 100_000])
def test_no_ticket_at_all(ticket: str) -> None:
    with pytest.raises(TokenInvalid):
        public.redeem_socket_ticket(ticket)


@pytest.mark.django_db(transaction=True)
def test_of_several_that_come_with_one_ticket_one_enters() -> None:
    client = api_client(make_user())
    for _ in range(5):
        ticket = client.post("/ws-ticket").json()["ticket"]
        results = at_once([lambda ticket=ticket: public.redeem_socket_ticket(ticket)] * 8)  # type: ignore[misc]
        assert len([result for result in results if isinstance(result, public.SessionHandle)]) == 1
        assert len([result for result in results if isinstance(result, TokenInvalid)]) == 7
