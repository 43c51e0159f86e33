"""One-time passwords: six digits every 30 seconds (RFC 6238), each good once, and recovery codes beside them."""

import hmac
import io
import secrets
from collections.abc import Sequence
from time import time
from typing import Final

import pyotp
import segno

STEP_S: Final = 30
LEEWAY: Final = (0, -1, 1)  # steps; clocks of telephones are not exact
RECOVERY_CODES: Final = 10
ISSUER: Final = "RadiusCore"
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing to mistake


def new_secret() -> str:
    """Return a new secret of 160 random bits in base 32."""
    return pyotp.random_base32(32)


def provisioning_uri(secret: str, email: str) -> str:
    """Return what an authenticator app reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def qr_code(uri: str) -> str:
    """Return a provisioning URI as an SVG image."""
    image = io.BytesIO()
    segno.make(uri, micro=False).save(image, kind="svg", scale=4, xmldecl=False)
    return image.getvalue().decode()


def step_of(secret: str, otp: str, now: float | None = None) -> int | None:
    """Return the step whose password this is, among the current one and its neighbours; ``None`` if it is none."""
    current = int((time() if now is None else now) // STEP_S)
    clock = pyotp.TOTP(secret)
    steps = [current + offset for offset in LEEWAY]
    found = [step for step in steps if hmac.compare_digest(clock.at(step * STEP_S).encode(), otp.encode())]
    return found[0] if found else None


def is_recovery_code(text: str) -> bool:
    """Tell whether a text has the form of a recovery code, which no one-time password has."""
    return len(text) == 19 and text.count("-") == 3


def new_recovery_codes() -> Sequence[str]:
    """Return new codes of 79 random bits each, in groups of four."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4)) for _ in range(RECOVERY_CODES)
    ]
