"""Which accounting events may be written together: one per session, and a NAS's restart after all that came before it.

A batch is one statement, and PostgreSQL cannot touch a row twice in one: a second event of a session waits for the
next batch. Accounting-On or -Off closes what its NAS had open, so it waits for that NAS's earlier events, and the later
ones wait for it; no other NAS does. Each event costs a few dict operations, however many there are.
"""

import asyncio
from collections import deque
from collections.abc import Hashable, Sequence
from itertools import islice
from typing import Final, TypeAlias

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.records import IspId, NasId
from radiuscore.store.reports import session_key
from radiuscore.wire.codes import AcctStatusType

_RESTARTS: Final = frozenset({AcctStatusType.ACCOUNTING_ON, AcctStatusType.ACCOUNTING_OFF})
_NasKey: TypeAlias = tuple[IspId, NasId]


def is_restart(event: AccountingEvent) -> bool:
    """Tell whether a NAS speaks of itself (Accounting-On, Accounting-Off) and not of a session."""
    return event.status in _RESTARTS


class Waiting:
    """An event, the future its acknowledgement hangs on, and when nobody waits for that any more (loop time)."""

    __slots__ = ("deadline", "event", "future", "key", "nas", "restart")

    def __init__(self, event: AccountingEvent, future: "asyncio.Future[bool]", deadline: float) -> None:
        self.event: Final = event
        self.future: Final = future
        self.deadline: Final = deadline
        self.nas: Final[_NasKey] = (event.isp_id, event.nas_id)
        self.restart: Final = is_restart(event)
        self.key: Final[Hashable] = self.nas if self.restart else session_key(event)


class BatchQueue:
    """Events in the order they came, handed out in batches. One batch may be out at a time."""

    def __init__(self) -> None:
        self._ready: dict[Hashable, Waiting] = {}
        self._later: dict[Hashable, deque[Waiting]] = {}
        self._open: dict[_NasKey, int] = {}
        self._held: dict[_NasKey, deque[Waiting]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many events wait, without those of the batch that is out."""
        return self._count

    def put(self, waiting: Waiting) -> None:
        """Queue an event."""
        self._count += 1
        self._place(waiting)

    def take(self, limit: int) -> list[Waiting]:
        """Return the next batch: at most ``limit`` events, no two of one session. `settle` it before the next."""
        batch = list(islice(self._ready.values(), limit))
        for waiting in batch:
            del self._ready[waiting.key]
        for waiting in batch:
            self._promote(waiting.key)
        self._count -= len(batch)
        return batch

    def settle(self, batch: Sequence[Waiting]) -> None:
        """Let go what waited for a batch, now that it is durable or given up."""
        for waiting in batch:
            self._close_one(waiting.nas)

    def _place(self, waiting: Waiting) -> None:
        nas = waiting.nas
        held = self._held.get(nas)
        if held is not None:
            held.append(waiting)
            return
        if waiting.restart and nas in self._open:
            self._held[nas] = deque((waiting,))
            return
        self._open[nas] = self._open.get(nas, 0) + 1
        if waiting.key in self._ready:
            self._later.setdefault(waiting.key, deque()).append(waiting)
        else:
            self._ready[waiting.key] = waiting

    def _promote(self, key: Hashable) -> None:
        later = self._later.get(key)
        if later is None:
            return
        self._ready[key] = later.popleft()
        if not later:
            del self._later[key]

    def _close_one(self, nas: _NasKey) -> None:
        self._open[nas] -= 1
        if self._open[nas]:
            return
        del self._open[nas]
        for waiting in self._held.pop(nas, ()):
            self._place(waiting)
