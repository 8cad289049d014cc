"""Register, log in, carry on, log out; and tickets for browsers' WebSockets."""

from __future__ import annotations

from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import operations, sessions
from accounts.serializers import (
    CredentialsBody,
    LoginAnswer,
    NewUserAnswer,
    NewUserBody,
    RefreshBody,
    TicketAnswer,
    TokensAnswer,
)
from accounts.types import Login, SessionHandle
from flightbook.http.serializers import parse_body


class PublicView(APIView):
    """Whoever calls has no token yet; one that is sent all the same is not looked at."""

    authentication_classes = []
    permission_classes = [AllowAny]


class RegisterView(PublicView):
    throttle_scope = "register"
    error_statuses = (409,)

    @extend_schema(operation_id="register", request=NewUserBody, responses={201: NewUserAnswer})
    def post(self, request: Request) -> Response:
        """Register a new user."""
        user_id = operations.register(**parse_body(NewUserBody, request))
        return Response({"message": "User registered successfully", "userId": user_id}, status=201)


class LoginView(PublicView):
    throttle_scope = "login"

    @extend_schema(operation_id="login", request=CredentialsBody, responses={200: LoginAnswer})
    def post(self, request: Request) -> Response:
        """Log in: an access token for 15 minutes and a refresh token for 14 days."""
        login = operations.log_in(request=request._request, **parse_body(CredentialsBody, request))
        return _secret({"message": "Login successful", "userId": login.user_public_id, **_tokens(login)})


class RefreshView(PublicView):
    @extend_schema(operation_id="refreshToken", request=RefreshBody, responses={200: TokensAnswer})
    def post(self, request: Request) -> Response:
        """The next pair of tokens. A refresh token serves once: its second use ends the session."""
        return _secret(_tokens(sessions.refresh(**parse_body(RefreshBody, request))))


class LogoutView(APIView):
    @extend_schema(operation_id="logout", request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """End this session, its sockets included."""
        sessions.end_sessions(sids=[_sid(request)], reason="logout")
        return Response(status=204)


class SocketTicketView(APIView):
    @extend_schema(operation_id="createSocketTicket", request=None, responses={201: TicketAnswer})
    def post(self, request: Request) -> Response:
        """A ticket that opens one WebSocket within 30 seconds, for clients that cannot set headers there."""
        ticket = sessions.issue_ticket(sid=_sid(request))
        return _secret({"ticket": ticket.ticket, "expiresIn": ticket.expires_in}, status=201)


def _sid(request: Request) -> str:
    """The session of an authenticated request."""
    return cast("SessionHandle", request.auth).sid


def _tokens(login: Login) -> dict[str, str | int]:
    return {"token": login.token, "refreshToken": login.refresh_token, "expiresIn": login.expires_in}


def _secret(body: dict[str, str | int], status: int = 200) -> Response:
    """No cache may keep it (RFC 6749, 5.1)."""
    return Response(body, status=status, headers={"Cache-Control": "no-store"})
