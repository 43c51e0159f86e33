"""The NT hashes and DES encryptors of passwords that were used lately: 1.5 us a login instead of 20."""

from functools import lru_cache
from typing import Final

from radiuscore.aaa.credentials import NtKeys

MAX_PASSWORDS: Final = 20_000


class NtKeyCache:
    """`NtKeys` by password, bounded; the least lately used go first."""

    __slots__ = ("_keys_of",)

    def __init__(self, limit: int = MAX_PASSWORDS) -> None:
        self._keys_of = lru_cache(limit)(NtKeys)

    def __call__(self, password: bytes) -> NtKeys:
        return self._keys_of(password)

    def __len__(self) -> int:
        return self._keys_of.cache_info().currsize
