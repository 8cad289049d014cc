"""Access tokens: ES256 JWTs that name a session. They are proof of a login, never of its being alive: that is
a row.

Claims: `iss`, `aud`, `token_type` ("access"), `sub` (the user's public id), `sid`, `iat`, `exp` (15 minutes
on), `jti`; header: `kid`, `alg`. All are checked, the algorithm is pinned, and whatever is wrong with a token
is one and the same `TokenInvalid`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import AccessToken

from accounts.keys import KeyRing, key_ring, signing_key
from flightbook.errors import TokenInvalid

ALGORITHM = "ES256"
_MAX_LENGTH = 2048  # characters; ours have some 500


class KeyRingBackend(TokenBackend):
    """simplejwt's backend knows one key; this one takes the key that the header's `kid` names."""

    def encode(self, payload: dict[str, Any]) -> str:
        kid, key = signing_key()
        claims = payload | {"iss": self.issuer, "aud": self.audience}
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid})

    def get_verifying_key(self, token: Any) -> EllipticCurvePublicKey:
        kid = jwt.get_unverified_header(token).get("kid")
        key = key_ring().public.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenBackendError("The token names no key of ours.")
        return key


class SessionAccessToken(AccessToken):
    """simplejwt's access token, bound to a session."""

    lifetime = settings.ACCESS_TOKEN_LIFETIME
    _required_text: Iterable[str] = ("sub", "sid", "jti")

    def get_token_backend(self) -> TokenBackend:
        return KeyRingBackend(ALGORITHM, audience=settings.TOKEN_AUDIENCE, issuer=settings.TOKEN_ISSUER)

    def verify(self) -> None:
        super().verify()  # exp, jti, token_type
        if "iat" not in self.payload:
            raise TokenError("The token has no iat.")
        for claim in self._required_text:
            if not isinstance(self.payload.get(claim), str) or not self.payload[claim]:
                raise TokenError(f"The token has no {claim}.")


@dataclass(frozen=True)
class AccessClaims:
    """What a valid access token says: the session's id and the user's public id."""

    sid: str
    user_public_id: str


def sign_access_token(claims: AccessClaims) -> str:
    """A token of `settings.ACCESS_TOKEN_LIFETIME` for a session that the caller knows to be alive."""
    token = SessionAccessToken()
    token["sid"] = claims.sid
    token["sub"] = claims.user_public_id
    return str(token)


def read_access_token(token: str) -> AccessClaims:
    """The claims of a token that is ours, whole and in time. Whether its session lives is not looked at.

    A token comes with every request: once checked against the keys that are valid now, its time alone is
    looked at again.

    Raises:
        TokenInvalid: for anything else, however malformed.
    """
    if len(token) > _MAX_LENGTH:
        raise TokenInvalid
    claims, expires = _checked(token, key_ring())
    if expires <= time.time():
        raise TokenInvalid
    return claims


@lru_cache(maxsize=4096)
def _checked(token: str, ring: KeyRing) -> tuple[AccessClaims, float]:
    """`ring` is there so that another one is asked again: it is the same object until the keys change."""
    try:
        checked = SessionAccessToken(token)  # type: ignore[arg-type]  # simplejwt's hint is wrong: it takes the string
    except (TokenError, ValueError, OverflowError) as error:  # the latter two: times beyond all calendars
        raise TokenInvalid from error
    return AccessClaims(sid=checked["sid"], user_public_id=checked["sub"]), checked["exp"]
