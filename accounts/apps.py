from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who: users, sessions, tokens, tickets for WebSockets; the outbox of mail."""

    name = "accounts"

    def ready(self) -> None:
        for module in ("accounts.checks", "accounts.schema"):
            import_module(module)  # each registers what it holds
