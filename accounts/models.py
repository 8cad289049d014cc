"""Who: users, their sessions with refresh tokens and socket tickets, and the outbox of mail."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

_ID_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"


def new_public_id() -> str:
    """An opaque, unguessable user id: 12 characters, 58 bits."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(username=username, email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(username, email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A traveller or a member of staff. Usernames and addresses are unique whatever their case."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    username = models.CharField(max_length=150)
    email = models.EmailField()
    given_name = models.CharField(max_length=150, blank=True)
    family_name = models.CharField(max_length=150, blank=True)
    is_staff = models.BooleanField(default=False, help_text="May enter the admin")
    is_active = models.BooleanField(default=True, help_text="Switch off in place of deleting: ends the user's sessions")
    date_joined = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="user_username_unique", violation_error_message="That username is taken."
            ),
            models.UniqueConstraint(
                Lower("email"), name="user_email_unique", violation_error_message="That address is registered."
            ),
        ]

    def get_full_name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip() or self.username

    def __str__(self) -> str:
        return self.username


class Session(models.Model):
    """A login. Tokens carry its `sid`; it is over when `ended_at` is set or `expires_at` has passed."""

    sid = models.CharField(max_length=43, unique=True, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.user_id} since {self.created_at:%Y-%m-%d %H:%M}"


class RefreshToken(models.Model):
    """A refresh token by its SHA-256. It serves once; a second use ends its session, and with it the family."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="refresh_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"of session {self.session_id}"


class SocketTicket(models.Model):
    """A ticket that opens one WebSocket, by its SHA-256; taken by deleting its row."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="socket_tickets")
    ticket_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"of session {self.session_id}"


class Mail(models.Model):
    """One e-mail to be sent, written in the transaction of what it tells of; the worker sends it."""

    class State(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        FAILED = "failed"

    key = models.CharField(max_length=120, unique=True, help_text="What it tells of; the same news is never queued twice")
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now(), help_text="When to try next; while it is being sent, when its lease ends")
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "mail"
        indexes = [models.Index(fields=["due_at"], condition=Q(state="pending"), name="mail_due_idx")]

    def __str__(self) -> str:
        return f"{self.subject} to {self.to}"
