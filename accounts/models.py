"""Who: users, their sessions with refresh tokens and socket tickets, and the outbox of mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models, transaction
from django.db.models import Q, Value
from django.db.models.functions import Lower, Now
from django.db.models.lookups import Exact

from accounts.types import SessionHandle
from flightbook.ids import draw_id


def new_public_id() -> str:
    """An opaque, unguessable user id: 12 characters, 58 bits."""
    return draw_id()


class UserManager(BaseUserManager["User"]):
    def named(self, username: str) -> models.QuerySet[User]:
        """Whoever has that username in any case of letters.

        By the expression of the unique index: `iexact` would compare upper case, by which `i` and the dotless
        i of Turkish are one though the index lets both in, and would read the whole table for it.
        """
        return self.filter(Exact(Lower("username"), Lower(Value(username))))

    def addressed(self, email: str) -> models.QuerySet[User]:
        """Whoever has that address, in any case of letters."""
        return self.filter(Exact(Lower("email"), Lower(Value(email))))

    def create_user(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(
            username=self.model.normalize_username(username), email=self.normalize_email(email), **fields
        )
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(username, email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.named(username or "").get()


class User(AbstractBaseUser, PermissionsMixin):
    """A traveller or a member of staff. Usernames and addresses are unique whatever their case."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    username = models.CharField(max_length=150, validators=[UnicodeUsernameValidator()])
    email = models.EmailField()
    given_name = models.CharField(max_length=150, blank=True)
    family_name = models.CharField(max_length=150, blank=True)
    is_staff = models.BooleanField(default=False, help_text="May enter the admin")
    is_active = models.BooleanField(
        default=True, help_text="Switch off in place of deleting: ends the user's sessions"
    )
    date_joined = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="user_username_unique",
                violation_error_message="That username is taken.",
            ),
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                violation_error_message="That address is registered.",
            ),
        ]

    def get_full_name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip() or self.username

    def __str__(self) -> str:
        return self.username


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self) -> SessionQuerySet:
        """Neither ended nor expired by the database's clock, of an active user."""
        return self.filter(ended_at=None, expires_at__gt=Now(), user__is_active=True)

    def end(self, reason: str) -> int:
        """Ends those that are not over yet; how many that were."""
        return self.filter(ended_at=None).update(ended_at=Now(), end_reason=reason)


class Session(models.Model):
    """A login. Tokens carry its `sid`; it is over when `ended_at` is set or `expires_at` has passed."""

    sid = models.CharField(max_length=43, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=40, blank=True, default="")

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def handle(self) -> SessionHandle:
        return SessionHandle(sid=self.sid, user_pk=self.user_id, user_public_id=self.user.public_id)

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"


class RefreshTokenQuerySet(models.QuerySet["RefreshToken"]):
    def take(self, digest: str) -> bool:
        """Marks the token used, if nobody has and it is in time: of any number at once, one is told True."""
        unused = self.filter(token_hash=digest, used_at=None, expires_at__gt=Now())
        return unused.update(used_at=Now()) == 1


class RefreshToken(models.Model):
    """A refresh token by its SHA-256. It serves once; a second use ends its session, so the whole family."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="refresh_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    objects = RefreshTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"of session {self.session_id}"


class SocketTicket(models.Model):
    """A ticket that opens one WebSocket, by its SHA-256; taken by deleting its row."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="socket_tickets")
    ticket_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"of session {self.session_id}"


class MailQuerySet(models.QuerySet["Mail"]):
    def lease(self, duration: timedelta) -> Mail | None:
        """The pending mail that is due longest, past those that others are taking.

        This attempt is counted, and nobody else gets it for `duration`.
        """
        due = self.filter(state=Mail.State.PENDING, due_at__lte=Now()).order_by("due_at")
        with transaction.atomic():
            mail = due.select_for_update(skip_locked=True).first()
            if mail is None:
                return None
            mail.attempts += 1
            self.filter(pk=mail.pk).update(attempts=mail.attempts, due_at=Now() + duration)
        return mail


class Mail(models.Model):
    """One e-mail to be sent, written in the transaction of what it tells of; the worker sends it."""

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        FAILED = "failed"

    key = models.CharField(
        max_length=120, unique=True, help_text="What it tells of; the same news is never queued twice"
    )
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField(blank=True, default="", db_default="", help_text="The same, for who reads it so")
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(
        db_default=Now(), help_text="When to try next; while it is being sent, when its lease ends"
    )
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = MailQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "mail"
        indexes = [models.Index(fields=["due_at"], condition=Q(state="pending"), name="mail_due_idx")]

    def __str__(self) -> str:
        return f"{self.subject} to {self.to}"
