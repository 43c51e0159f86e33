"""Accounting that PostgreSQL cannot take now: appended to a local file, durable then, and replayed in order.

SQLite in WAL mode with ``synchronous=FULL`` and one commit per batch: a record that was acknowledged survives kill -9
and a power cut. One process has a spool open at a time. What cannot be written is not acknowledged, and that is said.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import orjson

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.plain import from_plain, to_plain

T = TypeVar("T")

_CREATE: Final = """
CREATE TABLE IF NOT EXISTS records (
  seq   INTEGER PRIMARY KEY AUTOINCREMENT,
  at    REAL NOT NULL,
  event BLOB NOT NULL
)"""
_CREATE_ASIDE: Final = _CREATE.replace("records", "aside")
_KEEP_ASIDE: Final = "INSERT OR IGNORE INTO aside SELECT seq, at, event FROM records WHERE seq = ?"
_APPEND: Final = "INSERT INTO records (at, event) VALUES (?, ?)"
_READ: Final = "SELECT seq, event FROM records WHERE seq > ? ORDER BY seq LIMIT ?"
_FORGET: Final = "DELETE FROM records WHERE seq <= ?"
_COUNT: Final = "SELECT count(*) FROM records"
_OLDEST: Final = "SELECT at FROM records ORDER BY seq LIMIT 1"


class SpoolBroken(Exception):
    """The spool cannot be opened, written or read: a full disk, a damaged file, another process that holds it."""


class Spooled(NamedTuple):
    """One record and its place in the spool."""

    seq: int
    event: AccountingEvent


class Spool:
    """The local spool of one worker. Calls are made one after the other; each is done by the spool's own thread.

    ``depth`` is how many records wait, ``oldest_at`` when the first of them came (seconds since 1970).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._db: sqlite3.Connection
        self._lock: IO[bytes]
        self.depth = 0
        self.oldest_at: float | None = None

    @classmethod
    async def open(cls, path: Path) -> "Spool":
        """Open or make the spool at ``path``; its directory must exist. Raises `SpoolBroken`."""
        spool = cls(path)
        try:
            await spool._run(spool._open)
        except SpoolBroken:
            spool._thread.shutdown()
            raise
        return spool

    async def append(self, events: Sequence[AccountingEvent]) -> None:
        """Return once all events are on disk, in one commit; raises `SpoolBroken` where none of them is."""
        await self._run(self._append, events)

    async def read(self, limit: int, after: int = 0) -> list[Spooled]:
        """Return up to ``limit`` of the oldest records behind place ``after``, in the order they came."""
        return await self._run(self._read, limit, after)

    async def forget(self, up_to: int, keep_aside: Sequence[int] = ()) -> None:
        """Forget the records up to this place: they are in PostgreSQL. Forgetting too few only replays them again.

        Those of ``keep_aside`` are kept in the table ``aside`` for people to look at, and are not replayed.
        """
        await self._run(self._forget, up_to, keep_aside)

    async def close(self) -> None:
        """Close the file; what is in it stays."""
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, call: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
        except (sqlite3.Error, OSError) as error:
            raise SpoolBroken(f"the accounting spool {self._path} does not work: {error}") from error

    def _open(self) -> None:
        self._lock = self._path.with_suffix(".lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(_CREATE)
        self._db.execute(_CREATE_ASIDE)
        (self.depth,) = self._db.execute(_COUNT).fetchone()
        self._note_oldest()

    def _append(self, events: Sequence[AccountingEvent]) -> None:
        rows = [(event.received_at, orjson.dumps(to_plain(event))) for event in events]
        self._commit(_APPEND, rows)
        self.depth += len(rows)
        if self.oldest_at is None and rows:
            self.oldest_at = rows[0][0]

    def _read(self, limit: int, after: int) -> list[Spooled]:
        rows = self._db.execute(_READ, (after, limit))
        return [Spooled(seq, from_plain(orjson.loads(event), _zone)) for seq, event in rows]

    def _forget(self, up_to: int, keep_aside: Sequence[int]) -> None:
        if keep_aside:
            self._commit(_KEEP_ASIDE, [(seq,) for seq in keep_aside])
        self._commit(_FORGET, [(up_to,)])
        (self.depth,) = self._db.execute(_COUNT).fetchone()
        self._note_oldest()

    def _note_oldest(self) -> None:
        row = self._db.execute(_OLDEST).fetchone()
        self.oldest_at = None if row is None else row[0]

    def _commit(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(statement, rows)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _close(self) -> None:
        self._db.close()
        self._lock.close()


_zone: Final = cache(ZoneInfo)
