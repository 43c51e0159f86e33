"""One request on its way through the engine, and an answer that must wait."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasEntry
from radiuscore.wire.errors import Discard
from radiuscore.wire.packet import Packet
from radiuscore.wire.secret import SharedSecret


class Exchange:
    """A request that is decoded and attributed to a NAS. ``signed`` says whether its secret was proved."""

    __slots__ = ("entry", "first", "key", "local", "now", "packet", "secret", "signed", "source")

    def __init__(
        self,
        packet: Packet,
        first: dict[int, bytes],
        entry: NasEntry,
        secret: SharedSecret,
        signed: bool,
        source: bytes,
        local: bytes,
        now: Moment,
        key: bytes,
    ) -> None:
        self.packet = packet
        self.first = first
        self.entry = entry
        self.secret = secret
        self.signed = signed
        self.source = source
        self.local = local
        self.now = now
        self.key = key


class NotDurable(Exception):
    """A record could not be made durable; it must not be acknowledged."""


class Pending:
    """An answer that must wait: for a record to be durable, or for a handler that awaits.

    Whoever sends the reply either awaits this, or waits for ``awaitable`` by itself and then calls `finish` with its
    result, or `fail`. Exactly one of the three, once.
    """

    __slots__ = ("_abandon", "_finish", "awaitable")

    def __init__(
        self,
        awaitable: Awaitable[Any],
        finish: Callable[[Any], bytes | Discard],
        abandon: Callable[[Discard], Discard],
    ) -> None:
        self.awaitable: Final = awaitable
        self._finish = finish
        self._abandon = abandon

    def finish(self, result: object) -> bytes | Discard:
        """Return the reply, given what was waited for."""
        return self._finish(result)

    def fail(self, reason: Discard = Discard.NOT_DURABLE) -> Discard:
        """Give up: the request is forgotten, so that its retransmission is tried afresh."""
        return self._abandon(reason)

    def __await__(self) -> Generator[Any, None, bytes | Discard]:
        try:
            return self.finish((yield from self.awaitable.__await__()))
        except NotDurable:
            return self.fail()
        except BaseException:
            self.fail(Discard.INTERNAL_ERROR)
            raise
