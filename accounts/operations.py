"""Who may come in: registering, logging in, staff accounts; and clearing away what is over."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

from axes.utils import reset as forget_failures
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, Value
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.lockout import lockout_name
from accounts.models import RefreshToken, Session, SocketTicket, User
from accounts.sessions import open_session
from accounts.types import Login
from flightbook.errors import (
    EmailTaken,
    FieldError,
    Invalid,
    InvalidCredentials,
    Problem,
    Throttled,
    UsernameTaken,
    constraint_name,
)
from flightbook.http.client import client_address

KEEP_SESSIONS = timedelta(days=30)  # how long one can still look up when a login ended, and why
_TAKEN: dict[str | None, type[Problem]] = {
    "user_username_unique": UsernameTaken,
    "user_email_unique": EmailTaken,
}


def register(*, username: str, password: str, email: str, given_name: str = "", family_name: str = "") -> str:
    """A new user; the public id.

    Raises:
        Invalid: the password is too weak, by `settings.AUTH_PASSWORD_VALIDATORS`.
        UsernameTaken, EmailTaken: in any case of letters, also where another registration was faster.
    """
    user = User(
        username=User.normalize_username(username),
        email=User.objects.normalize_email(email),
        given_name=given_name,
        family_name=family_name,
    )
    _check_password(password, user)
    _refuse_taken(user)
    user.set_password(password)
    _save_new(user)
    return user.public_id


def create_staff_account(*, username: str, password: str, email: str) -> bool:
    """A superuser; False where the username exists already, which is left as it is.

    Raises:
        EmailTaken: another user has the address.
    """
    user = User(
        username=User.normalize_username(username),
        email=User.objects.normalize_email(email),
        is_staff=True,
        is_superuser=True,
    )
    user.set_password(password)
    try:
        _refuse_taken(user)
        _save_new(user)
    except UsernameTaken:
        return False
    return True


def log_in(*, request: HttpRequest, username: str, password: str) -> Login:
    """Opens a session. `request` is Django's own: failures are counted by its address and the username.

    An unknown user costs the same hash as a wrong password, and nothing tells a disabled one apart.

    Raises:
        InvalidCredentials: unknown, wrong or disabled.
        Throttled: too many failures; wait.
        Unavailable: too many logins at once.
    """
    user = authenticate(request, username=username, password=password)
    if getattr(request, "axes_locked_out", False):
        wait: timedelta = settings.AXES_COOLOFF_TIME
        raise Throttled(detail="Too many failed logins; wait a while.", retry_after=int(wait.total_seconds()))
    if not isinstance(user, User):
        raise InvalidCredentials
    forget_failures(ip=client_address(request), username=lockout_name(request, {"username": username}))
    return open_session(user=user)


def purge_expired() -> int:
    """Removes what nothing asks for any more; the number of rows.

    Used refresh tokens stay until they would have expired: until then, a second use tells of a theft.
    """
    old = Now() - KEEP_SESSIONS
    over = Session.objects.filter(Q(ended_at__lt=old) | Q(expires_at__lt=old))
    with transaction.atomic():
        purged = SocketTicket.objects.filter(Q(expires_at__lt=Now()) | Q(session__in=over)).delete()[0]
        purged += RefreshToken.objects.filter(Q(expires_at__lt=Now()) | Q(session__in=over)).delete()[0]
        purged += over.delete()[0]
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()  # the admin's own
    return purged


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        found = [FieldError("/password", e.code or "invalid", " ".join(e.messages)) for e in error.error_list]
        raise Invalid(detail="Choose a stronger password.", errors=found) from error


def _refuse_taken(user: User) -> None:
    """Spares the hash where the answer is known already. No guard: that is the database's.

    One statement, so that equal registrations at once all hear the same: of two, the second could find what
    came between them.
    """
    named = User.objects.named(user.username).values_list(Value("username"))
    addressed = User.objects.addressed(user.email).values_list(Value("email"))
    taken = {what for (what,) in named.order_by().union(addressed.order_by())}
    if "username" in taken:
        raise UsernameTaken
    if taken:
        raise EmailTaken


def _save_new(user: User) -> None:
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        taken = _TAKEN.get(constraint_name(error))
        if taken is None:
            raise
        raise taken from error
