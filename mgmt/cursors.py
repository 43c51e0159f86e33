"""Where a list goes on: opaque to clients, signed, and good for one list of one ISP only."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any, Final

import orjson

from mgmt.problems import Problem

_TAG_OCTETS: Final = 16
MAX_CURSOR: Final = 1024  # characters


class CursorSigner:
    """Makes and reads cursors. Each is bound to a place: route and ISP."""

    __slots__ = ("_key",)

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"radiuscore cursors", sha256)

    def sign(self, place: str, position: list[Any]) -> str:
        """Return the cursor that goes on after ``position``, values that JSON has."""
        payload = orjson.dumps(position)
        return urlsafe_b64encode(self._tag(place, payload) + payload).decode().rstrip("=")

    def read(self, place: str, cursor: str) -> list[Any]:
        """Return the position of a cursor made for this place. Raises `Problem` for any other text."""
        try:
            octets = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raise Problem("cursor_invalid") from None
        tag, payload = octets[:_TAG_OCTETS], octets[_TAG_OCTETS:]
        if not hmac.compare_digest(tag, self._tag(place, payload)):
            raise Problem("cursor_invalid")
        position: list[Any] = orjson.loads(payload)
        return position

    def _tag(self, place: str, payload: bytes) -> bytes:
        return hmac.digest(self._key, place.encode() + b"\0" + payload, sha256)[:_TAG_OCTETS]
