"""Accounting events in, durable records out: one batch in flight, and the next takes what has queued meanwhile.

There is no timer: a lone event is written at once, and under load the batches grow by themselves. An acknowledgement is
a promise, so an event's future is done after the commit and fails with `NotDurable` otherwise; the NAS then asks again.
"""

import asyncio
import logging
from typing import Final

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.engine.exchange import NotDurable
from radiuscore.server.accounting_queue import BatchQueue, Waiting
from radiuscore.server.faultlog import FaultLog
from radiuscore.server.halving import write_parts
from radiuscore.server.ledger import Ledger
from radiuscore.server.link import DatabaseAway

MAX_BATCH: Final = 500  # records per statement: 29 us of PostgreSQL each at 500, 44 at 50; more only adds latency
MAX_QUEUED: Final = 20_000  # a second's work for one writer; who comes later would not be answered in time anyway
GIVE_UP_S: Final = 10.0  # no NAS waits longer for an acknowledgement
FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0

_log: Final = logging.getLogger(__name__)


class AccountingWriter:
    """Writes events to a ledger. `run` is a task of its owner; `submit` may be called at any time, also before it.

    ``recorded``, ``given_up`` (the ledger was away for too long) and ``refused`` (the event itself is at fault) count
    events, ``batches`` successful appends.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._queue = BatchQueue()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._faults = FaultLog(_log, "an accounting record cannot be stored")
        self.recorded = self.given_up = self.refused = self.batches = 0

    @property
    def queued(self) -> int:
        """How many events wait for a batch."""
        return len(self._queue)

    def submit(self, event: AccountingEvent) -> "asyncio.Future[bool]":
        """Return a future: True once the event is durable, `NotDurable` if it cannot be made so."""
        future: asyncio.Future[bool] = self._loop.create_future()
        if self._closed or len(self._queue) >= MAX_QUEUED:
            self.given_up += 1
            future.set_exception(NotDurable("too many events wait"))
            return future
        self._queue.put(Waiting(event, future, self._loop.time() + GIVE_UP_S))
        self._idle.clear()
        self._wake.set()
        return future

    async def run(self) -> None:
        """Write batches until cancelled; then fail what is left."""
        batch: list[Waiting] = []
        try:
            while True:
                batch = self._queue.take(MAX_BATCH)
                if not batch:
                    self._wake.clear()
                    self._idle.set()
                    await self._wake.wait()
                    continue
                await self._write(batch)
                self._queue.settle(batch)
        finally:
            self._close(batch)

    async def drained(self) -> None:
        """Wait until nothing is queued or in flight. Safe to cancel."""
        await self._idle.wait()

    async def _write(self, batch: list[Waiting]) -> None:
        """Make a batch durable, or as much of it as the ledger takes before nobody waits for it any more."""
        parts = [batch]
        pause = FIRST_PAUSE_S
        while parts:
            parts = [self._still_awaited(part) for part in parts]
            try:
                await write_parts(parts, self._append, self._refuse)
            except DatabaseAway:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _append(self, part: list[Waiting]) -> None:
        await self._ledger.append([waiting.event for waiting in part])
        self.batches += 1
        self.recorded += len(part)
        for waiting in part:
            if not waiting.future.done():
                waiting.future.set_result(True)

    def _still_awaited(self, part: list[Waiting]) -> list[Waiting]:
        now = self._loop.time()
        late = [waiting for waiting in part if waiting.deadline <= now]
        self.given_up += len(late)
        for waiting in late:
            _fail(waiting)
        return [waiting for waiting in part if waiting.deadline > now] if late else part

    def _refuse(self, waiting: Waiting, error: Exception) -> None:
        self.refused += 1
        event = waiting.event
        self._faults.write(error, isp_id=event.isp_id, nas_id=event.nas_id, acct_session_id=event.acct_session_id)
        _fail(waiting)

    def _close(self, batch: list[Waiting]) -> None:
        self._closed = True
        while batch or len(self._queue):
            for waiting in batch:
                _fail(waiting)
            self._queue.settle(batch)
            batch = self._queue.take(MAX_BATCH)
        self._idle.set()


def _fail(waiting: Waiting) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(NotDurable("not durable in time"))
