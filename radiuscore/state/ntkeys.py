"""The NT hashes and DES encryptors of passwords that were used lately: 1.5 us a login instead of 20."""

from typing import Final

from cachetools import LRUCache

from radiuscore.aaa.credentials import NtKeys

MAX_PASSWORDS: Final = 20_000


class NtKeyCache:
    """`NtKeys` by password, bounded; the least lately used go first."""

    __slots__ = ("_keys",)

    def __init__(self, limit: int = MAX_PASSWORDS) -> None:
        self._keys: LRUCache[bytes, NtKeys] = LRUCache(limit)

    def __call__(self, password: bytes) -> NtKeys:
        keys = self._keys.get(password)
        if keys is None:
            keys = self._keys[password] = NtKeys(password)
        return keys

    def __len__(self) -> int:
        return len(self._keys)
