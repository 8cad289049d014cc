"""Access tokens: what is let in, and what is tried in vain."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db.models import F

from accounts import public
from accounts.keys import signing_key
from accounts.models import Session, User
from accounts.tests.factories import JsonClient, api_client, full_login, login, make_user
from flightbook.errors import TokenInvalid

NOW = int(time.time())


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def signed(claims: dict[str, Any], *, key: Any = None, algorithm: str = "ES256", **header: Any) -> str:
    kid, ours = signing_key()
    return jwt.encode(claims, key or ours, algorithm=algorithm, headers={"kid": kid} | header)


def b64(data: bytes | dict[str, Any]) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def answer_to(token: str) -> Any:
    return JsonClient(HTTP_AUTHORIZATION=f"Bearer {token}").post("/ws-ticket")


@pytest.fixture
def user(db: None) -> User:
    return make_user()


@pytest.fixture
def claims(user: User) -> dict[str, Any]:
    """Those of a valid token."""
    return claims_of(login(user))


def test_what_a_token_says(user: User) -> None:
    token = login(user)
    claims, header = claims_of(token), jwt.get_unverified_header(token)
    assert header == {"alg": "ES256", "typ": "JWT", "kid": signing_key()[0]}
    assert set(claims) == {"iss", "aud", "sub", "sid", "token_type", "iat", "exp", "jti"}
    assert (claims["iss"], claims["aud"], claims["token_type"]) == ("flightbook", "flightbook", "access")
    assert (claims["sub"], claims["sid"]) == (user.public_id, Session.objects.get().sid)
    assert claims["exp"] - claims["iat"] == 15 * 60


def test_the_request_carries_user_and_session(user: User) -> None:
    handle = public.authenticate_access_token(login(user))
    assert handle == public.SessionHandle(Session.objects.get().sid, user.pk, user.public_id)


def test_a_valid_token_made_by_hand_is_let_in(claims: dict[str, Any]) -> None:
    """So that the refusals below are for the one thing that each changes."""
    assert answer_to(signed(claims)).status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"iss": ...},
        {"aud": "another"},
        {"aud": ...},
        {"token_type": "refresh"},
        {"token_type": ...},
        {"sid": "unknown"},
        {"sid": ...},
        {"sid": ""},
        {"sid": 5},
        {"sid": ["a"]},
        {"sub": "nobody"},
        {"sub": ...},
        {"sub": 7},
        {"sub": None},
        {"jti": ...},
        {"jti": {}},
        {"iat": ...},
        {"iat": "yesterday"},
        {"iat": NOW + 3600},
        {"exp": ...},
        {"exp": NOW - 1},
        {"exp": "tomorrow"},
        {"exp": 10**30},
        {"exp": -(10**30)},
        {"exp": 1e300},
        {"exp": True},
        {"nbf": NOW + 3600},
    ],
)
def test_each_claim_is_checked(claims: dict[str, Any], changes: dict[str, Any]) -> None:
    changed = {name: value for name, value in (claims | changes).items() if value is not ...}
    answer = answer_to(signed(changed))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_another_user_s_name_on_one_s_own_session(claims: dict[str, Any]) -> None:
    assert answer_to(signed(claims | {"sub": make_user().public_id})).status_code == 401


def test_algorithm_none(claims: dict[str, Any]) -> None:
    for name in ("none", "None", "NONE"):
        header = {"alg": name, "typ": "JWT", "kid": signing_key()[0]}
        assert answer_to(f"{b64(header)}.{b64(claims)}.").status_code == 401


def test_hs256_with_the_public_key_as_its_secret(claims: dict[str, Any]) -> None:
    kid, key = signing_key()
    for form in (
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    ):
        secret = key.public_key().public_bytes(*form)
        unsigned = f"{b64({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{b64(claims)}"
        signature = hmac.new(secret, unsigned.encode(), hashlib.sha256).digest()
        assert answer_to(f"{unsigned}.{b64(signature)}").status_code == 401


def test_a_key_of_one_s_own(claims: dict[str, Any]) -> None:
    mine = ec.generate_private_key(ec.SECP256R1())
    numbers = mine.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256"} | {
        name: b64(getattr(numbers, name).to_bytes(32, "big")) for name in ("x", "y")
    }
    assert answer_to(signed(claims, key=mine)).status_code == 401
    assert answer_to(signed(claims, key=mine, jwk=jwk)).status_code == 401
    assert (
        answer_to(signed(claims, key=ec.generate_private_key(ec.SECP384R1()), algorithm="ES384")).status_code
        == 401
    )


@pytest.mark.parametrize("kid", ["unknown", "", "../../etc/passwd", None, 5, ["a"], {"a": 1}, "\0"])
def test_a_kid_of_no_key_of_ours(claims: dict[str, Any], kid: Any) -> None:
    header, key = {"alg": "ES256", "typ": "JWT", "kid": kid}, signing_key()[1]
    unsigned = f"{b64(header)}.{b64(claims)}"
    der = key.sign(unsigned.encode(), ec.ECDSA(hashes.SHA256()))
    assert answer_to(f"{unsigned}.{b64(der)}").status_code == 401


def test_a_token_without_kid(claims: dict[str, Any]) -> None:
    assert answer_to(jwt.encode(claims, signing_key()[1], algorithm="ES256")).status_code == 401


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_tampered_with(claims: dict[str, Any], part: int) -> None:
    parts = signed(claims).split(".")
    parts[part] = parts[part][:-2] + ("AA" if parts[part][-2:] != "AA" else "BB")
    assert answer_to(".".join(parts)).status_code == 401


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        ".",
        "é.é.é",
        "a" * 10_000,
        "W1tb" * 400 + ".e30.AA",  # [[[[...
        "eyJhbGciOlsiRVMyNTYiXX0.e30.AA",  # {"alg":["ES256"]}
        "NQ.e30.AA",  # 5
        "__4.e30.AA",  # not UTF-8
        "e30.e30.",
        "two words",
    ],
)
@pytest.mark.django_db
def test_rubbish(token: str) -> None:
    answer = answer_to(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "not_authenticated"),
        ("Basic YTpi", "not_authenticated"),
        ("Bearer", "token_invalid"),
        ("Bearer ", "token_invalid"),
        ("bearer x", "token_invalid"),
    ],
)
def test_the_header(header: str, code: str) -> None:
    answer = JsonClient(HTTP_AUTHORIZATION=header).post("/ws-ticket")
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["\udcff", "\0", "a\nb"])
@pytest.mark.django_db
def test_rubbish_that_no_header_can_carry(token: str) -> None:
    with pytest.raises(TokenInvalid):
        public.authenticate_access_token(token)


def test_a_refresh_token_is_no_access_token(user: User) -> None:
    assert answer_to(full_login(user).refresh_token).status_code == 401


def test_an_expired_session(claims: dict[str, Any]) -> None:
    Session.objects.update(expires_at=F("created_at"))
    assert answer_to(signed(claims)).status_code == 401


def test_an_ended_session(claims: dict[str, Any]) -> None:
    Session.objects.all().end("test")
    assert answer_to(signed(claims)).status_code == 401


def test_a_deleted_session(claims: dict[str, Any]) -> None:
    Session.objects.all().delete()
    assert answer_to(signed(claims)).status_code == 401


def test_a_token_s_check_is_one_read(user: User, django_assert_num_queries: Any) -> None:
    token = login(user)
    with django_assert_num_queries(1):
        public.authenticate_access_token(token)


def test_a_cookie_of_the_admin_is_no_login_to_the_api(user: User) -> None:
    client = api_client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.post("/ws-ticket").status_code == 401
