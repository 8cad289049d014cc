"""The ES256 key pairs that access tokens are signed and checked with: `settings.TOKEN_KEYS_DIR`.

`<kid>.public.pem` for each valid key (two during a rotation), `<kid>.private.pem` where this pool signs. A
kid begins with the time at which it was made, so that the greatest is the newest, and the newest private key
signs. The directory is read again when it changes: a rotation needs no restart.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_PUBLIC, _PRIVATE = ".public.pem", ".private.pem"


@dataclass(frozen=True, eq=False)
class KeyRing:
    """The keys that check, by kid, and the one that signs with its kid: None in a pool that signs nothing."""

    public: Mapping[str, ec.EllipticCurvePublicKey]
    signing: tuple[str, ec.EllipticCurvePrivateKey] | None


def key_ring() -> KeyRing:
    """The keys that are valid now.

    Raises:
        ImproperlyConfigured: the directory or a key in it is missing or unusable; says which.
    """
    directory = settings.TOKEN_KEYS_DIR
    try:
        changed = os.stat(directory).st_mtime_ns  # noqa: PTH116 - before every request: a Path costs more
    except OSError as error:
        raise ImproperlyConfigured(_missing(Path(directory), error.strerror)) from error
    return _load(directory, changed)


def signing_key() -> tuple[str, ec.EllipticCurvePrivateKey]:
    """The kid and key to sign with.

    Raises:
        ImproperlyConfigured: this process has no private key.
    """
    signing = key_ring().signing
    if signing is None:
        raise ImproperlyConfigured(
            f"TOKEN_KEYS_DIR {settings.TOKEN_KEYS_DIR} has no private key: this pool cannot sign tokens."
        )
    return signing


def create_keys(*, rotate: bool = False) -> str | None:
    """A new key pair where there is none yet, and with `rotate` in any case: its kid, or None.

    The public key is written first: nothing is ever signed by a key that cannot be checked.
    """
    directory = Path(settings.TOKEN_KEYS_DIR)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not rotate and any(directory.glob(f"*{_PRIVATE}")):
        return None
    kid = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(directory / f"{kid}{_PUBLIC}", public)
    _write(directory / f"{kid}{_PRIVATE}", private)
    return kid


def publish_keys(directory: Path) -> None:
    """Makes `directory` hold the public keys of TOKEN_KEYS_DIR, readable to all, and no others of ours."""
    directory.mkdir(parents=True, exist_ok=True)
    valid = _files(Path(settings.TOKEN_KEYS_DIR), _PUBLIC)
    for path in valid:
        copy = directory / path.name
        _write(copy, path.read_bytes())
        copy.chmod(0o644)
    for path in set(_files(directory, _PUBLIC)) - {directory / path.name for path in valid}:
        path.unlink()


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable to the owner alone (mkstemp makes 0600)."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


@lru_cache(maxsize=4)
def _load(name: str | Path, changed: int) -> KeyRing:
    directory = Path(name)
    public = {_kid(path, _PUBLIC): _public_key(path) for path in _files(directory, _PUBLIC)}
    if not public:
        raise ImproperlyConfigured(_missing(directory, "it holds no *.public.pem"))
    private = _files(directory, _PRIVATE)
    if not private:
        return KeyRing(public, None)
    kid, key = _kid(private[-1], _PRIVATE), _private_key(private[-1])
    if kid not in public or public[kid].public_numbers() != key.public_key().public_numbers():
        raise ImproperlyConfigured(f"TOKEN_KEYS_DIR: {private[-1].name} has no {kid}{_PUBLIC} that fits it.")
    return KeyRing(public, (kid, key))


def _files(directory: Path, suffix: str) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.name.endswith(suffix))
    except OSError as error:
        raise ImproperlyConfigured(_missing(directory, error.strerror)) from error


def _kid(path: Path, suffix: str) -> str:
    return path.name.removesuffix(suffix)


def _public_key(path: Path) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ImproperlyConfigured(f"TOKEN_KEYS_DIR: {path} cannot be read: {error}.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ImproperlyConfigured(f"TOKEN_KEYS_DIR: {path} is no P-256 key, which ES256 wants.")
    return key


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise ImproperlyConfigured(f"TOKEN_KEYS_DIR: {path} cannot be read: {error}.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ImproperlyConfigured(f"TOKEN_KEYS_DIR: {path} is no P-256 key, which ES256 wants.")
    return key


def _missing(directory: Path, why: str | None) -> str:
    return f"TOKEN_KEYS_DIR {directory} has no usable keys ({why}): run `manage.py create_token_keys`."
