"""What is written once a second and need not be waited for: logins and rejects, and what was learned of devices.

Offering costs an append and never blocks. What does not fit is dropped and counted: a log must not stop the server.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

from radiuscore.aaa.records import NasId
from radiuscore.engine.policy_replica import Login
from radiuscore.server.faultlog import FaultLog
from radiuscore.server.halving import write_parts
from radiuscore.server.link import DatabaseAway, DatabaseLink
from radiuscore.store.pool import Connection

INTERVAL_S: Final = 1.0
CHUNK: Final = 250  # rows per statement; making and encoding them holds up the event loop for about 2 ms
CAPACITY: Final = 20_000
WRITE_TIMEOUT_S: Final = 10.0
LOGINS_PER_NAS: Final = 500  # per second and worker; a login storm of a large router passes, a flood does not

T = TypeVar("T")
Write: TypeAlias = Callable[[Connection, Sequence[T]], Awaitable[object]]

_log: Final = logging.getLogger(__name__)


class DeferredWriter(Generic[T]):
    """Collects items and writes them in chunks. ``run`` is a task of its owner.

    ``written``, ``dropped`` (no room) and ``refused`` (the item itself is at fault) count items.
    """

    def __init__(self, link: DatabaseLink, write: Write[T], what: str, capacity: int = CAPACITY) -> None:
        self._link = link
        self._write = write
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._faults = FaultLog(_log, f"{what} cannot be stored")
        self.written = self.dropped = self.refused = 0

    @property
    def queued(self) -> int:
        """How many items wait to be written."""
        return len(self._items)

    def offer(self, item: T) -> None:
        """Take an item, or count it as dropped."""
        if len(self._items) < self._capacity:
            self._items.append(item)
        else:
            self.dropped += 1

    async def run(self) -> None:
        """Write once a second until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self.flush()

    async def flush(self) -> None:
        """Write what has been offered so far. What the database does not take now stays for the next time."""
        for _ in range(0, len(self._items), CHUNK):
            parts = [[self._items.popleft() for _ in range(min(CHUNK, len(self._items)))]]
            try:
                await write_parts(parts, self._append, self._refuse)
            except DatabaseAway:
                return
            finally:
                for part in parts:
                    self._items.extendleft(reversed(part))

    async def _append(self, items: list[T]) -> None:
        async with self._link.use(WRITE_TIMEOUT_S) as db:
            await self._write(db, items)
        self.written += len(items)

    def _refuse(self, _: T, error: Exception) -> None:
        self.refused += 1
        self._faults.write(error)


class LoginLog(DeferredWriter[Login]):
    """Logins and rejects for the auth log, capped for each NAS: one router's flood leaves room for the others.

    ``last`` is the last one offered, whether it was kept or not.
    """

    def __init__(self, link: DatabaseLink, write: Write[Login]) -> None:
        super().__init__(link, write, "a login")
        self._of_nas: dict[NasId, int] = {}
        self.last: Login | None = None

    def offer(self, item: Login) -> None:
        self.last = item
        nas_id = item.request.nas.id
        count = self._of_nas.get(nas_id, 0)
        if count >= LOGINS_PER_NAS or len(self._items) >= self._capacity:
            self.dropped += 1
            return
        self._of_nas[nas_id] = count + 1
        self._items.append(item)

    async def flush(self) -> None:
        self._of_nas.clear()
        await super().flush()
