"""The configuration as it changes: a snapshot, then every change, each once, none missed, for as long as one asks.

NOTIFY only wakes; what changed is read from ``control.change_log`` as the difference between two transaction
snapshots. A row is new if its transaction was not visible in the last snapshot and is in this one: that is exact
whatever the order of commits, and waits for no transaction that is still open elsewhere. (``seq > last`` misses what
commits late; a mark at the oldest open transaction stalls behind it.)
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from radiuscore.aaa.changes import Change, Snapshot
from radiuscore.store.pool import Connection, DirectConnection
from radiuscore.store.sealing import Keyring
from radiuscore.store.snapshot import read_all, read_customers, read_isps, read_nases, read_plans, read_pools

CHANNEL: Final = "radiuscore_changes"
POLL_S: Final = 2.0  # also without a NOTIFY, so that the replica's age is known and a dead connection is noticed
PROBE_TIMEOUT_S: Final = 2.0
MAX_MARK_AGE: Final = timedelta(hours=47)  # control.prune_change_log() keeps 48
MAX_BACKOFF_S: Final = 5.0
AT_ONCE: Final = 2000  # changes handed over together; more come in several parts, so that packets are answered

_OUTAGES: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

_log: Final = logging.getLogger("radiuscore.store")

READ_MARK: Final = """
SELECT pg_current_snapshot()::text AS snapshot, now() AS at,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_xid,
       (SELECT system_identifier FROM pg_control_system())::text
         || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) AS history
"""
# The upper bound passes over what a restored backup brought along: numbers of another server's transactions.
READ_CHANGES: Final = """
SELECT isp_id, tbl, pk, key, old_key
  FROM control.change_log
 WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
   AND xid < pg_snapshot_xmax(pg_current_snapshot())
   AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
 ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since the last time, each key once; empty when nothing has: the replica is current."""

    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where the log has been read: which transactions were visible, on which server's history, and when.

    ``history`` names the cluster and its timeline: after a failover or a restore the same numbers may mean other
    transactions.
    """

    snapshot: str
    at: datetime
    next_xid: int
    history: str

    def leads_to(self, now: "Mark") -> bool:
        """Tell whether the log still holds every change between this mark and ``now``."""
        return self.history == now.history and self.next_xid <= now.next_xid and now.at - self.at < MAX_MARK_AGE


@dataclass(slots=True)
class _Touched:
    """The keys that a stretch of the log names."""

    isps: set[int] = field(default_factory=set)
    plans: set[tuple[int, int]] = field(default_factory=set)
    pools: set[tuple[int, int]] = field(default_factory=set)
    nases: set[tuple[int, int]] = field(default_factory=set)
    customers: set[tuple[int, str]] = field(default_factory=set)

    def add(self, row: Any) -> None:
        isp_id = row["isp_id"]
        match row["tbl"]:
            case "isps":
                self.isps.add(isp_id)
            case "service_plans":
                self.plans.add((isp_id, row["pk"]))
            case "address_pools":
                self.pools.add((isp_id, row["pk"]))
            case "devices":
                self.nases.add((isp_id, row["pk"]))
            case "customers":
                self.customers |= {(isp_id, key) for key in (row["key"], row["old_key"]) if key is not None}


async def follow(
    connect: Callable[[], Awaitable[DirectConnection]], keyring: Keyring
) -> AsyncGenerator[Snapshot | Changes, None]:
    """Yield the whole configuration once, then what changes, at least every two seconds, without end.

    ``connect`` makes a connection that is used for this alone (LISTEN needs its own; role ``radiuscore_system``).
    Database failures are logged and waited out, and nothing is missed; a whole `Snapshot` comes again when the log no
    longer reaches back, or when another server answers. Close it with ``contextlib.aclosing``.
    """
    mark: Mark | None = None
    failures = 0
    while True:
        try:
            async with _listening(connect) as (db, woken):
                while True:
                    woken.clear()
                    now, news = await _read_news(db, keyring, mark)
                    for part in news:
                        yield part
                    mark, failures = now, 0
                    await _wait(woken)
        except _OUTAGES as error:
            failures += 1
            _log.warning("The change log is not being read, trying again: %s", error or type(error).__name__)
        await asyncio.sleep(_backoff_s(failures))


@asynccontextmanager
async def _listening(
    connect: Callable[[], Awaitable[DirectConnection]],
) -> AsyncIterator[tuple[DirectConnection, asyncio.Event]]:
    """Give a connection that listens, and the event that a NOTIFY or the connection's end sets."""
    woken = asyncio.Event()
    db = await connect()
    try:
        db.add_termination_listener(lambda *_: woken.set())
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await db.add_listener(CHANNEL, lambda *_: woken.set())
        yield db, woken
    finally:
        db.terminate()  # at once: a polite goodbye to a host that is gone takes long


async def _read_news(db: Connection, keyring: Keyring, mark: Mark | None) -> tuple[Mark, Iterator[Snapshot | Changes]]:
    """Read, in one transaction, what is new since the mark, and the mark for the next time."""
    transaction = db.transaction(isolation="repeatable_read", readonly=True)
    async with asyncio.timeout(PROBE_TIMEOUT_S):
        await transaction.start()
        (row,) = await db.fetch(READ_MARK)
    now = Mark(**row)
    if mark is None or not mark.leads_to(now):
        news: Iterator[Snapshot | Changes] = iter([await read_all(db, keyring)])
    else:
        touched = _Touched()
        for row in await db.fetch(READ_CHANGES, mark.snapshot):
            touched.add(row)
        news = _parts(await _read_touched(db, keyring, touched))
    await transaction.commit()
    return now, news


async def _read_touched(db: Connection, keyring: Keyring, touched: _Touched) -> list[Change]:
    """Read what the touched keys hold now, plans before those who have them."""
    changes: list[Change] = []
    if touched.isps:
        changes += await read_isps(db, touched.isps)
    if touched.plans:
        changes += await read_plans(db, touched.plans)
    if touched.pools:
        changes += await read_pools(db, touched.pools)
    if touched.nases or touched.isps:
        changes += await read_nases(db, keyring, touched.nases, touched.isps)
    if touched.customers:
        changes += await read_customers(db, keyring, touched.customers)
    return changes


def _parts(changes: list[Change]) -> Iterator[Changes]:
    for start in range(0, max(len(changes), 1), AT_ONCE):
        yield Changes(tuple(changes[start : start + AT_ONCE]))


async def _wait(woken: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(POLL_S):
            await woken.wait()


def _backoff_s(failures: int) -> float:
    """Return how long to wait: not at all after a first failure, then longer, and never all workers at once."""
    if failures <= 1:
        return 0.0
    return min(0.1 * 2.0 ** min(failures, 10), MAX_BACKOFF_S) * random.uniform(0.5, 1.0)
