"""Accounting goes to the database while that keeps up, and to the local spool while it is away, slow or behind.

One of the two at a time: while the spool takes the records, they are replayed in order through the same idempotent
statement, and only when it is empty and a write was fast again do new records go to the database directly. So a NAS is
answered in time whatever the database does, and what was acknowledged is in one of two places that survive us.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Final

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.server.accounting_queue import BatchQueue, Waiting
from radiuscore.server.faultlog import FaultLog
from radiuscore.server.halving import write_parts
from radiuscore.server.ledger import DatabaseLedger
from radiuscore.server.link import DatabaseAway
from radiuscore.store.spool import Spool, SpoolBroken

SLOW_S: Final = 0.15  # RouterOS waits 0.3 s by default: a commit that takes longer than this is not waited for
BEHIND: Final = 5_000  # queued records: more than the database writes while a NAS waits
REPLAY_TIMEOUT_S: Final = 30.0
READ_AT_ONCE: Final = 5_000
BATCH: Final = 1_000
FEW: Final = 500  # so few are replayed in about 20 ms, and what comes meanwhile while new ones wait
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0

_log: Final = logging.getLogger(__name__)


class SpoolingLedger:
    """The accounting database with a local spool before it. `run` is a task of its owner.

    ``queued`` tells how many records wait to be appended. ``spooling`` says where new ones go now, ``broken`` why the
    spool takes none; ``replayed`` and ``set_aside`` count records.
    """

    def __init__(self, database: DatabaseLedger, path: Path, queued: Callable[[], int]) -> None:
        self._database = database
        self._path = path
        self._queued = queued
        self._spool: Spool | None = None
        self._appending = asyncio.Lock()
        self._begun = asyncio.Event()
        self._begun.set()
        self._faults = FaultLog(
            _log, "the accounting spool does not work: without the database nothing is acknowledged"
        )
        self.broken: str | None = None
        self.replayed = self.set_aside = 0

    @property
    def spooling(self) -> bool:
        """Whether new records go to the spool."""
        return self._begun.is_set()

    @property
    def depth(self) -> int:
        """How many records wait in the spool."""
        return self._spool.depth if self._spool is not None else 0

    @property
    def oldest_at(self) -> float | None:
        """When the oldest of them came, in seconds since 1970."""
        return self._spool.oldest_at if self._spool is not None else None

    @property
    def durable(self) -> bool:
        """Whether a record that came now could be acknowledged."""
        return not self.spooling or self.broken is None

    async def append(self, events: Sequence[AccountingEvent]) -> None:
        """Return once all events are durable. Raises `DatabaseAway` when neither place takes them."""
        if not self.spooling and await self._written(events):
            return
        async with self._appending:
            try:
                await (await self._open()).append(events)
            except SpoolBroken as error:
                raise self._broke(error) from error
            self.broken = None

    async def run(self) -> None:
        """Replay what is spooled whenever there is something, until cancelled."""
        pause = FIRST_PAUSE_S
        while True:
            await self._begun.wait()
            try:
                await self._catch_up()
                pause = FIRST_PAUSE_S
            except DatabaseAway:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    async def close(self) -> None:
        """Close the spool; what is in it is replayed after the next start."""
        if self._spool is not None:
            await self._spool.close()

    async def _written(self, events: Sequence[AccountingEvent]) -> bool:
        """Write to the database; where it does not keep up, let the spool take these records and the next ones."""
        if self._queued() > BEHIND:
            self._begin(f"{self._queued()} records wait")
            return False
        try:
            await self._database.append(events, SLOW_S)
        except DatabaseAway as error:
            self._begin(f"the database is away or slow: {error}")
            return False
        return True

    def _begin(self, why: str) -> None:
        self._begun.set()
        _log.warning("accounting goes to the local spool", extra={"why": why})

    async def _catch_up(self) -> None:
        """Replay until the spool is empty and a write was fast, then let new records go to the database."""
        loop = asyncio.get_running_loop()
        while True:
            await self._database.probe(REPLAY_TIMEOUT_S)
            began = loop.time()
            if await self._replay(REPLAY_TIMEOUT_S) >= FEW:
                continue
            if loop.time() - began > SLOW_S:
                await asyncio.sleep(LONGEST_PAUSE_S)
                continue
            async with self._appending:
                await self._replay(SLOW_S)
                self._begun.clear()
            _log.info("accounting goes to the database", extra={"replayed": self.replayed})
            return

    async def _replay(self, timeout_s: float) -> int:
        """Replay the oldest records, and return how many; none where the spool does not work."""
        try:
            replayed, refused = await replay(await self._open(), self._database, timeout_s)
        except SpoolBroken as error:
            self._broke(error)
            return 0
        self.replayed += replayed - refused
        self.set_aside += refused
        return replayed

    async def _open(self) -> Spool:
        if self._spool is None:
            self._spool = await Spool.open(self._path)
        return self._spool

    def _broke(self, error: SpoolBroken) -> DatabaseAway:
        self.broken = str(error)
        self._faults.write(error)
        return DatabaseAway(str(error))


class Orphans:
    """Replays what workers left that are no more, because fewer are started now; `run` ends when that is done."""

    def __init__(self, database: DatabaseLedger, directory: Path, workers: int) -> None:
        self._database = database
        self._directory = directory
        self._own: Final = {f"worker-{slot}.spool" for slot in range(workers)}

    async def run(self) -> None:
        for path in sorted(self._directory.glob("worker-*.spool")):
            if path.name not in self._own:
                await self._replay_all(path)

    async def _replay_all(self, path: Path) -> None:
        try:
            spool = await Spool.open(path)
        except SpoolBroken as error:
            _log.error("a spool that was left behind cannot be replayed", extra={"why": str(error)})
            return
        pause = FIRST_PAUSE_S
        try:
            while spool.depth:
                try:
                    await replay(spool, self._database, REPLAY_TIMEOUT_S)
                    pause = FIRST_PAUSE_S
                except DatabaseAway:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_S)
            _log.info("a spool that was left behind has been replayed", extra={"spool": path.name})
        except SpoolBroken as error:
            _log.error("a spool that was left behind cannot be replayed", extra={"why": str(error)})
        finally:
            await spool.close()


async def replay(spool: Spool, database: DatabaseLedger, timeout_s: float) -> tuple[int, int]:
    """Write the oldest records in their order, at most one of a session in a batch, and forget them.

    Returns how many there were, and how many of them the database refuses: those were acknowledged once, so they are
    kept aside. Raises `DatabaseAway` or `SpoolBroken`; then nothing is forgotten, and writing it again is harmless.
    """
    records = await spool.read(READ_AT_ONCE)
    queue, nobody = BatchQueue(), asyncio.get_running_loop().create_future()
    seq_of: dict[Waiting, int] = {}
    refused: list[int] = []
    for record in records:
        waiting = Waiting(record.event, nobody, inf)
        seq_of[waiting] = record.seq
        queue.put(waiting)

    async def write(part: list[Waiting]) -> None:
        await database.append([one.event for one in part], timeout_s)

    def refuse(one: Waiting, error: Exception) -> None:
        _log.error("a spooled record is refused and kept aside", extra={"seq": seq_of[one]}, exc_info=error)
        refused.append(seq_of[one])

    while batch := queue.take(BATCH):
        await write_parts([batch], write, refuse)
        queue.settle(batch)
    if records:
        await spool.forget(records[-1].seq, refused)
    return len(records), len(refused)
