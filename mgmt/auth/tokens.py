"""Access tokens, which are signed and short, and refresh tokens, which are random and stored as hashes."""

import hashlib
import secrets
from time import time
from typing import Any, Final, NamedTuple

import jwt

from mgmt.problems import Problem

ALGORITHM: Final = "HS256"
ISSUER: Final = "radiuscore"
AUDIENCE: Final = "radiuscore-api"
ACCESS_S: Final = 900
REFRESH_S: Final = 14 * 86400
MAX_TOKEN: Final = 4096  # octets
_CLAIMS: Final = ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "ver")
REFRESH_PREFIX: Final = "rcref_"


class AccessClaims(NamedTuple):
    """What an access token says and the database is asked to confirm: whose, of which login, of which version."""

    user_id: int
    session: str
    version: int


class TokenSigner:
    """Signs and reads access tokens, by one algorithm whatever a token's header says."""

    __slots__ = ("_key",)

    def __init__(self, secret: str) -> None:
        self._key = secret

    def sign(self, claims: AccessClaims, now: float | None = None) -> str:
        """Return an access token that is good for 15 minutes from ``now`` (seconds since 1970)."""
        issued = int(time() if now is None else now)
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(claims.user_id),
            "iat": issued,
            "nbf": issued,
            "exp": issued + ACCESS_S,
            "jti": secrets.token_urlsafe(12),
            "sid": claims.session,
            "ver": claims.version,
        }
        return jwt.encode(payload, self._key, algorithm=ALGORITHM)

    def read(self, token: str) -> AccessClaims:
        """Return the claims of a token that is ours and has not expired. Raises `Problem`."""
        try:
            if len(token) > MAX_TOKEN:
                raise jwt.InvalidTokenError
            payload: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": list(_CLAIMS), "strict_aud": True},
            )
            lifetime = payload["exp"] - payload["iat"]
            claims = AccessClaims(int(payload["sub"]), str(payload["sid"]), int(payload["ver"]))
        except jwt.ExpiredSignatureError:
            raise Problem("token_expired") from None
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise Problem("token_invalid") from None
        if lifetime > ACCESS_S or not 0 < claims.user_id < 2**63:
            raise Problem("token_invalid")
        return claims


def new_refresh_token() -> str:
    """Return a refresh token of 256 random bits."""
    return REFRESH_PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is stored of a refresh token: its SHA-256 in hex. It is random, so no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
