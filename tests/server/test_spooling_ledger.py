"""Where accounting goes when the database is away, slow or behind, and how it comes back: in order, once, by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import chain
from pathlib import Path

import pytest

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.server import spooling_ledger
from radiuscore.server.accounting_writer import AccountingWriter
from radiuscore.server.ledger import DatabaseLedger
from radiuscore.server.link import DatabaseAway
from radiuscore.server.spooling_ledger import BEHIND, Orphans, SpoolingLedger
from radiuscore.store.spool import Spool
from radiuscore.wire.codes import AcctStatusType
from tests.server.support import until


def event(number: int, octets: int = 0, isp_id: int = 1) -> AccountingEvent:
    return AccountingEvent(
        isp_id, 1, AcctStatusType.INTERIM_UPDATE, f"{number:08x}", "user", "user", 0.0, input_octets=octets
    )


class Database(DatabaseLedger):
    """A database that is there, away, slow or choosy, as the test says."""

    def __init__(self) -> None:
        self.stored: list[list[AccountingEvent]] = []
        self.away = False
        self.takes_s = 0.0
        self.refuses: set[str] = set()

    async def append(self, events: Sequence[AccountingEvent], timeout_s: float = 3.0) -> None:
        await self.probe(timeout_s)
        if self.refuses & {one.acct_session_id for one in events}:
            raise ValueError("a value that no column takes")
        if self.takes_s > timeout_s:
            await asyncio.sleep(timeout_s)
            raise DatabaseAway("too slow")
        await asyncio.sleep(self.takes_s)
        self.stored.append(list(events))

    async def probe(self, timeout_s: float) -> None:
        if self.away:
            raise DatabaseAway("connection refused")

    @property
    def octets(self) -> list[int]:
        return [one.input_octets or 0 for one in chain.from_iterable(self.stored)]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
async def ledger(database: Database, tmp_path: Path) -> AsyncIterator[SpoolingLedger]:
    ledger = SpoolingLedger(database, tmp_path / "worker-0.spool", lambda: 0)
    task = asyncio.create_task(ledger.run())
    await until(lambda: not ledger.spooling)
    yield ledger
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ledger.close()


async def test_goes_to_the_database_while_that_answers(ledger: SpoolingLedger, database: Database) -> None:
    await ledger.append([event(1, 10)])
    assert (database.octets, ledger.depth, ledger.spooling) == ([10], 0, False)


async def test_is_durable_at_once_while_the_database_is_away_and_comes_back_in_order(
    ledger: SpoolingLedger, database: Database
) -> None:
    database.away = True
    for octets in range(50):
        await ledger.append([event(7, octets), event(8, octets), event(7, octets, isp_id=2)])
    assert (database.octets, ledger.depth, ledger.durable) == ([], 150, True)
    database.away = False
    await until(lambda: not ledger.spooling)
    for isp_id, session in ((1, 7), (1, 8), (2, 7)):
        mine = [
            one.input_octets
            for one in chain.from_iterable(database.stored)
            if (one.isp_id, one.acct_session_id) == (isp_id, f"{session:08x}")
        ]
        assert mine == list(range(50))
    for batch in database.stored:
        assert len({(one.isp_id, one.acct_session_id) for one in batch}) == len(batch)
    assert (ledger.depth, ledger.replayed, ledger.oldest_at) == (0, 150, None)


async def test_a_slow_commit_is_not_waited_for(
    ledger: SpoolingLedger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling_ledger, "LONGEST_PAUSE_S", 0.01)
    database.takes_s = spooling_ledger.SLOW_S * 2
    await asyncio.wait_for(ledger.append([event(1, 1)]), spooling_ledger.SLOW_S * 1.9)
    assert ledger.spooling
    await asyncio.wait_for(ledger.append([event(1, 2)]), spooling_ledger.SLOW_S)
    await until(lambda: database.octets[-1:] == [2])
    assert ledger.spooling, "a write that took so long is no reason to go back"
    database.takes_s = 0.0
    await ledger.append([event(1, 3)])
    await until(lambda: not ledger.spooling)
    assert sorted(set(database.octets)) == [1, 2, 3]


async def test_a_queue_that_is_too_long_goes_to_the_spool(database: Database, tmp_path: Path) -> None:
    queued = 0
    ledger = SpoolingLedger(database, tmp_path / "worker-0.spool", lambda: queued)
    task = asyncio.create_task(ledger.run())
    await until(lambda: not ledger.spooling)
    queued = BEHIND + 1
    database.away = True  # so that what is spooled stays where it can be seen
    await ledger.append([event(1)])
    assert (ledger.depth, ledger.spooling) == (1, True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ledger.close()


async def test_what_a_predecessor_left_is_replayed(database: Database, tmp_path: Path) -> None:
    left = await Spool.open(tmp_path / "worker-0.spool")
    await left.append([event(number, number) for number in range(2_000)])
    await left.close()
    ledger = SpoolingLedger(database, tmp_path / "worker-0.spool", lambda: 0)
    task = asyncio.create_task(ledger.run())
    await until(lambda: not ledger.spooling)
    assert database.octets == list(range(2_000))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ledger.close()


async def test_a_record_that_the_database_refuses_blocks_no_other_and_is_not_lost(
    ledger: SpoolingLedger, database: Database, tmp_path: Path
) -> None:
    database.away = True
    for number in range(5):
        await ledger.append([event(number, number)])
    database.refuses = {event(3).acct_session_id}
    database.away = False
    await until(lambda: not ledger.spooling)
    assert sorted(database.octets) == [0, 1, 2, 4]
    assert (ledger.depth, ledger.set_aside, ledger.replayed) == (0, 1, 4)
    spool = ledger._spool
    assert spool is not None
    aside = await spool._run(lambda: spool._db.execute("SELECT event FROM aside").fetchall())
    assert len(aside) == 1
    assert b"00000003" in aside[0][0]


async def test_without_database_and_spool_nothing_is_acknowledged_and_it_is_said(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database.away = True
    ledger = SpoolingLedger(database, tmp_path / "nowhere" / "worker-0.spool", lambda: 0)
    writer = AccountingWriter(ledger)
    with pytest.raises(DatabaseAway, match="nowhere"):
        await ledger.append([event(1)])
    assert not ledger.durable
    assert ledger.broken is not None
    assert any("nothing is acknowledged" in record.message for record in caplog.records)
    assert writer.queued == 0


async def test_a_spool_that_is_mended_is_used_again(database: Database, tmp_path: Path) -> None:
    database.away = True
    ledger = SpoolingLedger(database, tmp_path / "later" / "worker-0.spool", lambda: 0)
    with pytest.raises(DatabaseAway):
        await ledger.append([event(1)])
    (tmp_path / "later").mkdir()
    await ledger.append([event(1)])
    assert (ledger.durable, ledger.broken, ledger.depth) == (True, None, 1)
    await ledger.close()


async def test_what_workers_left_that_are_no_more_is_replayed(database: Database, tmp_path: Path) -> None:
    for slot in (0, 2, 3):
        left = await Spool.open(tmp_path / f"worker-{slot}.spool")
        await left.append([event(slot, slot)])
        await left.close()
    await Orphans(database, tmp_path, workers=1).run()
    assert database.octets == [2, 3], "worker 0 replays its own"
    again = await Spool.open(tmp_path / "worker-2.spool")
    assert again.depth == 0
    await again.close()
