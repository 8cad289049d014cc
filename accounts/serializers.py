"""The JSON of accounts."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.validators import EmailValidator

from accounts.models import User
from flightbook.http.serializers import ApiSerializer, IntegerField, LineField, StringField

# Longer ones cost an attacker nothing and us a hash of all of it.
_PASSWORD_LENGTH = 1024


class UsernameField(StringField):
    """A username in its normal form (NFKC), so that what looks alike is alike; so its length counts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=150, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return User.normalize_username(super().to_internal_value(data))


class NewUserBody(ApiSerializer):
    """Who wants to be registered."""

    username = UsernameField(validators=[UnicodeUsernameValidator()])
    password = StringField(
        max_length=_PASSWORD_LENGTH, trim_whitespace=False, help_text="At least 8 characters."
    )
    email = StringField(max_length=254, validators=[EmailValidator()])
    given_name = LineField(max_length=150, required=False, allow_blank=True)
    family_name = LineField(max_length=150, required=False, allow_blank=True)


class NewUserAnswer(ApiSerializer):
    """Who was registered."""

    message = StringField()
    user_id = StringField()


class CredentialsBody(ApiSerializer):
    """Who wants to log in; the username in any case of letters."""

    username = UsernameField()
    password = StringField(max_length=_PASSWORD_LENGTH, trim_whitespace=False)


class RefreshBody(ApiSerializer):
    """What a login or the last refresh handed out."""

    refresh_token = StringField(max_length=200)


class TokensAnswer(ApiSerializer):
    """A pair of tokens."""

    token = StringField(help_text="Send it as `Authorization: Bearer`.")
    refresh_token = StringField(help_text="Serves once, at `POST /token/refresh`.")
    expires_in = IntegerField(help_text="Seconds that `token` is valid for.")


class LoginAnswer(TokensAnswer):
    """Who logged in, and the session's first pair of tokens."""

    message = StringField()
    user_id = StringField()


class TicketAnswer(ApiSerializer):
    """What opens one WebSocket."""

    ticket = StringField(help_text="Serves once, as `/ws/flight-updates?ticket=`.")
    expires_in = IntegerField(help_text="Seconds.")
