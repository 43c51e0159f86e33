"""Requests that were seen and what they were answered, so that a retransmission gets the same octets.

Two generations: entries go into the younger one; when that is old or full it becomes the older one, and what was there
is forgotten. An entry therefore lives at least one lifetime, unless the table overflows, and at most three: what comes
again after that is no retransmission. (RFC 5080 §2.2.2)
"""

from typing import Final, TypeAlias

from radiuscore.state.moment import Moment

LIFETIME_S: Final = 6.0
MAX_ENTRIES: Final = 100_000

_Entry: TypeAlias = tuple[bytes, bytes | None]


class DuplicateTable:
    """Requests of one listening port by whatever tells them apart, with their authenticator and their reply.

    The same key with another authenticator is a new request that replaces the old one.
    """

    __slots__ = ("_older", "_turned_at", "_younger")

    def __init__(self) -> None:
        self._younger: dict[bytes, _Entry] = {}
        self._older: dict[bytes, _Entry] = {}
        self._turned_at = 0.0

    def find(self, key: bytes, authenticator: bytes, now: Moment) -> _Entry | None:
        """Return (authenticator, reply) of this very request; the reply is ``None`` while it is being made."""
        if now.monotonic - self._turned_at > LIFETIME_S:
            self._turn(now)
        entry = self._younger.get(key) or self._older.get(key)
        return entry if entry is not None and entry[0] == authenticator else None

    def remember(self, key: bytes, authenticator: bytes, reply: bytes | None, now: Moment) -> None:
        """Keep the reply of a request, or that one is being made."""
        if now.monotonic - self._turned_at > LIFETIME_S or len(self._younger) >= MAX_ENTRIES:
            self._turn(now)
        self._younger[key] = (authenticator, reply)

    def is_replaced(self, key: bytes, authenticator: bytes) -> bool:
        """Tell whether a newer request has taken the key while the answer to this one was being made."""
        entry = self._younger.get(key) or self._older.get(key)
        return entry is not None and entry[0] != authenticator

    def forget(self, key: bytes, authenticator: bytes) -> None:
        """Forget a request that was not answered, so that its retransmission is tried afresh."""
        for generation in (self._younger, self._older):
            entry = generation.get(key)
            if entry is not None and entry[0] == authenticator:
                del generation[key]

    def _turn(self, now: Moment) -> None:
        """Begin a generation. After a pause the last one is forgotten too, for it is older than its entries may be."""
        self._older = self._younger if now.monotonic - self._turned_at <= 2 * LIFETIME_S else {}
        self._younger = {}
        self._turned_at = max(self._turned_at, now.monotonic)

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)
