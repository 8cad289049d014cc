"""The settings of a first run: what a newcomer would otherwise have to write into the environment.

None of them is fit for a deployment, which sets its own; a value that the environment already has wins.
"""

import os
import secrets
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

# Port 1 is reserved and nothing listens there: a tool that should need no server fails at once if it tries.
NO_SERVERS = {
    "DATABASE_URL": "postgres://flightbook@127.0.0.1:1/flightbook",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def add_first_run_settings(environment: MutableMapping[str, str], keys: Path) -> None:
    """Fills the gaps of ``environment``; ``keys`` is the directory of the secret key and the tokens' keys."""
    defaults = {
        "TOKEN_KEYS_DIR": str(keys / "tokens"),
        "ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]",
        "EMAIL_URL": "consolemail://",
        "PAYMENT_GATEWAY": "sandbox",
        "ALLOW_SANDBOX_PAYMENTS": "true",
        "COMMON_PASSWORD_CHECK": "false",
        "COOKIE_SECURE": "false",
    }
    for name, value in defaults.items():
        if not environment.get(name):  # the settings take an empty value for an absent one, and so do we
            environment[name] = value
    if not environment.get("SECRET_KEY"):
        environment["SECRET_KEY"] = kept_secret(keys / "secret_key")


def kept_secret(path: Path) -> str:
    """The secret in the file ``path`` (mode 0600), made on the first call and the same ever after."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(50))
    return path.read_text(encoding="ascii").strip()


def _write_once(path: Path, secret: str) -> None:
    """Links a finished file into place: two first runs at once agree on one secret, none reads half of it."""
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".secret-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(handle)
        os.link(unfinished, path)
    except FileExistsError:
        return
    finally:
        Path(unfinished).unlink()
