"""The key ring and `manage.py create_token_keys`."""

from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from accounts.checks import token_keys
from accounts.keys import create_keys, key_ring, publish_keys, signing_key
from accounts.tokens import AccessClaims, read_access_token, sign_access_token
from flightbook.errors import TokenInvalid

CLAIMS = AccessClaims(sid="s", user_public_id="u")


@pytest.fixture
def directory(settings: Any, tmp_path: Path) -> Path:
    settings.TOKEN_KEYS_DIR = tmp_path / "keys"
    return tmp_path / "keys"


def run(**options: Any) -> str:
    out = StringIO()
    call_command("create_token_keys", stdout=out, **options)
    return out.getvalue()


def test_the_command_makes_one_pair_and_then_none(directory: Path) -> None:
    assert run().startswith("Made ")
    files = sorted(directory.iterdir())
    assert run() == "The keys are there already.\n"
    assert sorted(directory.iterdir()) == files
    assert [path.name.split(".", 1)[1] for path in files] == ["private.pem", "public.pem"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert read_access_token(sign_access_token(CLAIMS)) == CLAIMS


def test_a_rotation_signs_with_the_new_key_and_believes_both(directory: Path) -> None:
    create_keys()
    old_kid, old = signing_key()[0], sign_access_token(CLAIMS)
    run(rotate=True)
    new_kid, new = signing_key()[0], sign_access_token(CLAIMS)
    assert new_kid > old_kid
    assert set(key_ring().public) == {old_kid, new_kid}
    assert read_access_token(old) == read_access_token(new) == CLAIMS
    for path in directory.glob(f"{old_kid}.*"):
        path.unlink()
    assert read_access_token(new) == CLAIMS
    with pytest.raises(TokenInvalid):
        read_access_token(old)


def test_a_pool_with_public_keys_alone_checks_and_cannot_sign(directory: Path) -> None:
    create_keys()
    token = sign_access_token(CLAIMS)
    next(directory.glob("*.private.pem")).unlink()
    assert read_access_token(token) == CLAIMS
    with pytest.raises(ImproperlyConfigured, match="has no private key"):
        sign_access_token(CLAIMS)


def pem(key: Any) -> bytes:
    return bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.mark.parametrize(
    ("suffix", "content", "sentence"),
    [
        (".public.pem", b"rubbish", "cannot be read"),
        (".private.pem", b"rubbish", "cannot be read"),
        (".private.pem", pem(ec.generate_private_key(ec.SECP256R1())), "has no .* that fits it"),
        (".private.pem", pem(ec.generate_private_key(ec.SECP384R1())), "is no P-256 key"),
    ],
)
def test_an_unusable_key_is_a_clear_error(
    directory: Path, suffix: str, content: bytes, sentence: str
) -> None:
    create_keys()
    next(directory.glob(f"*{suffix}")).write_bytes(content)
    (directory / "touched").touch()
    with pytest.raises(ImproperlyConfigured, match=sentence):
        key_ring()
    assert [error.id for error in token_keys()] == ["accounts.E001"]


def test_a_missing_or_empty_directory_is_a_clear_error(directory: Path) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"TOKEN_KEYS_DIR .*keys has no usable keys .*create_token_keys"
    ):
        read_access_token("eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.e30.AA")  # {"alg":"ES256","kid":"x"}
    directory.mkdir()
    with pytest.raises(ImproperlyConfigured, match=r"holds no \*\.public\.pem"):
        key_ring()
    create_keys()
    assert token_keys() == []


def test_published_keys_are_the_valid_public_ones_alone(directory: Path, tmp_path: Path) -> None:
    create_keys()
    shared = tmp_path / "shared"
    publish_keys(shared)
    old = {path.name for path in shared.iterdir()}
    assert old == {path.name for path in directory.glob("*.public.pem")}
    assert {path.stat().st_mode & 0o777 for path in shared.iterdir()} == {0o644}
    next(directory.glob("*.private.pem")).unlink()
    next(directory.glob("*.public.pem")).unlink()
    create_keys()
    publish_keys(shared)
    assert old.isdisjoint(path.name for path in shared.iterdir())
