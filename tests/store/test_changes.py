"""The change feed: nothing missed, nobody waited for, whatever commits late, is rolled back, is cut off or hangs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from radiuscore.aaa.changes import Change, CustomerChange, IspChange, NasChange, PlanChange, PoolChange, Snapshot
from radiuscore.aaa.records import Customer
from radiuscore.store import changes as feed
from radiuscore.store.changes import Changes, Mark, follow
from radiuscore.store.pool import SYSTEM_ROLE, connect
from radiuscore.store.sealing import Keyring
from radiuscore.store.snapshot import load_snapshot
from tests.store.silentproxy import Proxy

if TYPE_CHECKING:
    from tests.conftest import Db, Tenant

pytestmark = pytest.mark.postgres


class Copy:
    """What a worker would hold, kept by the feed alone."""

    def __init__(self) -> None:
        self.snapshots = 0
        self.heard: list[Change] = []
        self.customers: dict[tuple[int, str], Customer] = {}
        self.backends: list[int] = []
        self._told = asyncio.Condition()

    async def take(self, news: Snapshot | Changes) -> None:
        match news:
            case Snapshot():
                self.snapshots += 1
                self.customers = {(each.isp_id, each.username_key): each for each in news.customers}
            case Changes():
                self.heard += news.changes
                for change in news.changes:
                    if isinstance(change, CustomerChange):
                        self._change(change)
        async with self._told:
            self._told.notify_all()

    def _change(self, change: CustomerChange) -> None:
        key = (change.isp_id, change.username_key)
        self.customers.pop(key, None)
        if change.customer is not None:
            self.customers[key] = change.customer

    async def until(self, condition: Callable[[], bool], within_s: float = 20) -> None:
        async with asyncio.timeout(within_s), self._told:
            await self._told.wait_for(condition)


@asynccontextmanager
async def following(dsn: str, keyring: Keyring) -> AsyncIterator[Copy]:
    """Follow a database in the background, from its first snapshot on."""
    copy = Copy()

    async def connected() -> asyncpg.Connection[Any]:
        db = await connect(dsn, role=SYSTEM_ROLE, connect_timeout=1)
        copy.backends.append(db.get_server_pid())
        return db

    async def run() -> None:
        async with aclosing(follow(connected, keyring)) as news:
            async for each in news:
                await copy.take(each)

    task = asyncio.create_task(run())
    try:
        await copy.until(lambda: copy.snapshots > 0)
        yield copy
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def truth(db: Db, keyring: Keyring) -> dict[tuple[int, str], Customer]:
    return {(each.isp_id, each.username_key): each for each in (await load_snapshot(db, keyring)).customers}


async def agrees(copy: Copy, db: Db, keyring: Keyring) -> None:
    """Wait until the copy is what the database holds; fail with the difference if it does not become so."""
    expected = await truth(db, keyring)
    try:
        await copy.until(lambda: copy.customers == expected)
    except TimeoutError:
        assert copy.customers == expected


# -- what is told ------------------------------------------------------------------------------------------------------


async def test_tells_everything_first_and_then_that_nothing_changed(
    database: str, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    async with aclosing(follow(lambda: connect(database, role=SYSTEM_ROLE), keyring)) as news:
        first = await anext(news)
        assert isinstance(first, Snapshot)
        assert {isp.id for isp in first.isps} == {tenant.isp_id for tenant in tenants}
        assert await asyncio.wait_for(anext(news), 3) == Changes()


async def test_tells_a_rename_as_two_keys_and_a_deletion_as_nobody(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    mine = tenants[0]
    async with following(database, keyring) as copy:
        await db.execute(
            "UPDATE control.customers SET username = 'New', username_key = 'new' WHERE id = $1", mine.customer_id
        )
        await copy.until(lambda: len(copy.heard) == 2)
        told = {change.username_key: change.customer for change in copy.heard if isinstance(change, CustomerChange)}
        assert told.keys() == {"new", mine.username}
        assert told[mine.username] is None
        assert told["new"] is not None
        assert (told["new"].id, told["new"].username) == (mine.customer_id, "New")

        copy.heard.clear()
        await db.execute("DELETE FROM control.customers WHERE id = $1", mine.customer_id)
        await copy.until(lambda: bool(copy.heard))
        assert copy.heard == [CustomerChange(mine.isp_id, "new", None)]


async def test_tells_each_key_once_however_often_it_changed(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    async with following(database, keyring) as copy:
        async with db.transaction():
            for number in range(10):
                await db.execute("UPDATE control.customers SET simultaneous_use = $1", number + 1)
        await copy.until(lambda: bool(copy.heard))
        assert len(copy.heard) == 2
        assert {
            change.customer.extras.simultaneous_use
            for change in copy.heard
            if isinstance(change, CustomerChange) and change.customer and change.customer.extras
        } == {10}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE control.service_plans SET download_bps = 1 WHERE isp_id = $1", {PlanChange}),
        (
            "INSERT INTO control.address_pools (isp_id, name, ranges) VALUES ($1, 'a', '{[10.0.0.2,10.0.0.9]}')",
            {PoolChange},
        ),
        ("UPDATE control.isps SET time_zone = 'Asia/Tokyo' WHERE id = $1", {IspChange, NasChange}),
        ("UPDATE control.isps SET status = 'suspended' WHERE id = $1", {IspChange, NasChange}),
        ("UPDATE control.devices SET nas_identifier = 'x' WHERE isp_id = $1", {NasChange}),
        ("UPDATE control.devices SET proved_at = now() WHERE isp_id = $1", {NasChange}),
        ("DELETE FROM control.devices WHERE isp_id = $1", {NasChange}),
        ("UPDATE control.customers SET quota_state = 'block' WHERE isp_id = $1", {CustomerChange}),
        (
            "INSERT INTO control.customer_devices (isp_id, customer_id, device_id) "
            "SELECT c.isp_id, c.id, d.id FROM control.customers AS c JOIN control.devices AS d USING (isp_id) "
            "WHERE isp_id = $1",
            {CustomerChange},
        ),
    ],
)
async def test_tells_what_a_worker_reads(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring, statement: str, expected: set[type]
) -> None:
    async with following(database, keyring) as copy:
        await db.execute(statement, tenants[0].isp_id)
        await copy.until(lambda: bool(copy.heard))
        assert {type(change) for change in copy.heard} == expected
        assert {change.isp_id for change in copy.heard} == {tenants[0].isp_id}


async def test_does_not_tell_what_no_worker_reads(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    async with following(database, keyring) as copy:
        await db.execute("UPDATE control.customers SET notes = 'x', full_name = 'y'")
        await db.execute("UPDATE control.isps SET last_invoice_number = 5, max_customers = 7")
        await db.execute("UPDATE control.devices SET notes = 'x', password = 'y'")
        await db.execute("UPDATE control.customers SET status = 'suspended' WHERE id = $1", tenants[0].customer_id)
        await copy.until(lambda: bool(copy.heard))
        assert [type(change) for change in copy.heard] == [CustomerChange]
    assert await db.fetchval("SELECT count(*) FROM control.change_log WHERE op = 'U'") == 1


async def test_a_secret_of_the_isp_changes_its_devices(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    mine = tenants[0]
    async with following(database, keyring) as copy:
        await db.execute("UPDATE control.devices SET radius_secret = NULL WHERE id = $1", mine.device_id)
        await copy.until(lambda: bool(copy.heard))
        assert copy.heard == [NasChange(mine.isp_id, mine.device_id, None)]

        copy.heard.clear()
        sealed = keyring.seal(b"new", table="isps", row=mine.isp_id, column="radius_secret", isp_id=mine.isp_id)
        await db.execute("UPDATE control.isps SET radius_secret = $2 WHERE id = $1", mine.isp_id, sealed)
        await copy.until(lambda: bool(copy.heard))
        [nas] = [change.nas for change in copy.heard if isinstance(change, NasChange)]
        assert nas is not None
        assert (nas.id, nas.secret) == (mine.device_id, b"new")


async def test_many_changes_come_in_several_parts(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    async with aclosing(follow(lambda: connect(database, role=SYSTEM_ROLE), keyring)) as news:
        assert isinstance(await anext(news), Snapshot)
        await db.execute(
            "INSERT INTO control.customers (isp_id, username, username_key) "
            "SELECT $1, 'u' || n, 'u' || n FROM generate_series(1, 5000) AS n",
            tenants[0].isp_id,
        )
        parts = [await anext(news) for _ in range(3)]
    assert [len(part.changes) for part in parts if isinstance(part, Changes)] == [2000, 2000, 1000]


async def test_an_isps_own_changes_are_told(
    database: str, isp_db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    """The role that may not touch the log writes it all the same, by what it changes."""
    await isp_db.execute("SELECT set_config('app.isp_id', $1, false)", str(tenants[0].isp_id))
    async with following(database, keyring) as copy:
        await isp_db.execute("UPDATE control.customers SET status = 'suspended'")
        await copy.until(lambda: bool(copy.heard))
        assert [change.isp_id for change in copy.heard] == [tenants[0].isp_id]


# -- nothing is missed -------------------------------------------------------------------------------------------------


WRITES = (
    "INSERT INTO control.customers (isp_id, username, username_key) VALUES ($1, $2, $2) "
    "ON CONFLICT (isp_id, username_key) DO UPDATE SET expires_at = clock_timestamp()",
    "DELETE FROM control.customers WHERE isp_id = $1 AND username_key = $2",
    "UPDATE control.customers SET username_key = username_key || 'x', username = username || 'x' "
    "WHERE isp_id = $1 AND username_key = $2",
)


async def write_at_random(dsn: str, isp_ids: tuple[int, int], seed: int, seconds: float) -> int:
    """Add, rename, change and delete customers, in transactions long and short, some rolled back; return how many."""
    chance = random.Random(seed)
    db = await connect(dsn, role=SYSTEM_ROLE)
    deadline = time.monotonic() + seconds
    done = 0
    while time.monotonic() < deadline:
        transaction = db.transaction()
        await transaction.start()
        for _ in range(chance.randint(1, 4)):
            name = f"w{chance.choice([seed, seed, 'all'])}-{chance.randint(1, 40)}"  # some names are fought over
            nested = db.transaction()  # a savepoint has a transaction id of its own
            await nested.start()
            try:
                await db.execute(chance.choice(WRITES), chance.choice(isp_ids), name)
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                await nested.rollback()
            else:
                await (nested.commit() if chance.random() < 0.8 else nested.rollback())
        await asyncio.sleep(chance.choice([0, 0, 0.001, 0.02, 0.2]))
        await (transaction.commit() if chance.random() < 0.8 else transaction.rollback())
        done += 1
    await db.close()
    return done


async def test_misses_nothing_while_many_write(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    isp_ids = (tenants[0].isp_id, tenants[1].isp_id)
    async with following(database, keyring) as copy:
        done = await asyncio.gather(*(write_at_random(database, isp_ids, seed, 3) for seed in range(6)))
        await agrees(copy, db, keyring)
        assert copy.snapshots == 1
    assert sum(done) > 100
    assert len(copy.heard) > 100


async def test_misses_nothing_when_it_is_cut_off_again_and_again(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    isp_ids = (tenants[0].isp_id, tenants[1].isp_id)
    async with following(database, keyring) as copy:
        writers = asyncio.gather(*(write_at_random(database, isp_ids, seed, 2) for seed in range(3)))
        while not writers.done():
            await db.execute("SELECT pg_terminate_backend($1)", copy.backends[-1])
            await asyncio.sleep(0.1)
        await writers
        await agrees(copy, db, keyring)
        assert copy.snapshots == 1, "it read everything again instead of what it had missed"
        assert len(copy.backends) > 5


async def test_what_commits_after_something_newer_is_not_missed(
    database: str, db: Db, system_db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    """The case that `seq > last` loses: the older row of the log becomes visible after the newer one."""
    first, second = tenants
    async with following(database, keyring) as copy:
        slow = db.transaction()
        await slow.start()
        await db.execute("UPDATE control.customers SET status = 'unpaid' WHERE id = $1", first.customer_id)
        await system_db.execute("UPDATE control.customers SET status = 'unpaid' WHERE id = $1", second.customer_id)
        await copy.until(lambda: len(copy.heard) == 1)
        assert copy.heard[0].isp_id == second.isp_id

        await slow.commit()
        await copy.until(lambda: len(copy.heard) == 2)
        assert copy.heard[1].isp_id == first.isp_id


async def test_waits_for_nobodys_open_transaction(
    database: str, db: Db, system_db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    async with following(database, keyring) as copy:
        open_elsewhere = db.transaction()
        await open_elsewhere.start()
        await db.execute("UPDATE control.customers SET status = 'unpaid' WHERE id = $1", tenants[0].customer_id)
        waits = []
        for number in range(20):
            copy.heard.clear()
            began = time.monotonic()
            await system_db.execute(
                "UPDATE control.customers SET simultaneous_use = $2 WHERE id = $1", tenants[1].customer_id, number + 1
            )
            await copy.until(lambda: bool(copy.heard), within_s=5)
            waits.append(time.monotonic() - began)
        await open_elsewhere.rollback()
    assert sorted(waits)[10] < 0.1, "a change is in force within 100 ms"
    assert max(waits) < 1.0  # far below the two seconds after which it would look without being woken


# -- when to read everything again -------------------------------------------------------------------------------------

MARK = Mark("100:100:", datetime(2026, 1, 1, tzinfo=UTC), 100, "7/00000001")


@pytest.mark.parametrize(
    ("now", "leads"),
    [
        (MARK, True),
        (Mark("200:200:", MARK.at + timedelta(hours=46), 200, MARK.history), True),
        (Mark("200:200:", MARK.at + timedelta(hours=48), 200, MARK.history), False),
        (Mark("90:90:", MARK.at, 90, MARK.history), False),
        (Mark("200:200:", MARK.at, 200, "7/00000002"), False),
        (Mark("200:200:", MARK.at, 200, "8/00000001"), False),
    ],
)
def test_a_mark_is_good_on_one_history_and_for_two_days(now: Mark, leads: bool) -> None:
    assert MARK.leads_to(now) is leads


async def test_reads_everything_again_when_the_log_does_not_reach_back(
    database: str,
    db: Db,
    tenants: tuple[Tenant, Tenant],
    keyring: Keyring,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with following(database, keyring) as copy:
        monkeypatch.setattr(feed, "MAX_MARK_AGE", timedelta(0))
        await db.execute("UPDATE control.customers SET status = 'suspended'")
        await copy.until(lambda: copy.snapshots == 2)
        await agrees(copy, db, keyring)


async def test_a_restored_log_is_not_read_for_ever(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    """A dump holds the transaction numbers of the server it came from, which this one has not reached."""
    await db.execute("UPDATE control.change_log SET xid = '999999999999'")
    async with aclosing(follow(lambda: connect(database, role=SYSTEM_ROLE), keyring)) as news:
        assert isinstance(await anext(news), Snapshot)
        await db.execute("UPDATE control.customers SET status = 'suspended' WHERE id = $1", tenants[0].customer_id)
        told = await anext(news)
    assert isinstance(told, Changes)
    assert [change.isp_id for change in told.changes] == [tenants[0].isp_id]


async def test_the_log_is_kept_for_two_days(system_db: Db, db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    kept = await db.fetchval("SELECT count(*) FROM control.change_log")
    for hours in (47, 49, 1000):
        await db.execute(
            "INSERT INTO control.change_log (isp_id, tbl, op, pk, at) "
            "VALUES (1, 'isps', 'U', 1, now() - make_interval(hours => $1))",
            hours,
        )
    assert await system_db.fetchval("SELECT control.prune_change_log()") == 2
    assert await db.fetchval("SELECT count(*) FROM control.change_log") == kept + 1


# -- a database that is away, or silent --------------------------------------------------------------------------------


async def test_starts_when_the_database_comes(database: str, tenants: tuple[Tenant, Tenant], keyring: Keyring) -> None:
    tries = 0

    async def connected() -> asyncpg.Connection[Any]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionRefusedError
        return await connect(database, role=SYSTEM_ROLE)

    async with aclosing(follow(connected, keyring)) as news:
        assert isinstance(await asyncio.wait_for(anext(news), 10), Snapshot)
    assert tries == 3


async def test_notices_a_connection_that_only_looks_alive(
    database: str, db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    proxy = Proxy(database)
    async with proxy as dsn, following(dsn, keyring) as copy:
        assert len(copy.backends) == 1
        proxy.go_silent()
        silent_since = time.monotonic()
        await db.execute("UPDATE control.customers SET status = 'suspended'")
        proxy.come_back()
        await agrees(copy, db, keyring)
        assert time.monotonic() - silent_since < 5.5, "two seconds until it looks, two until it gives up"
        assert len(copy.backends) == 2
        assert copy.snapshots == 1


async def test_logs_why_it_is_not_read(
    database: str, keyring: Keyring, tenants: tuple[Tenant, Tenant], caplog: pytest.LogCaptureFixture
) -> None:
    failing: list[Callable[[], Awaitable[asyncpg.Connection[Any]]]] = []

    async def connected() -> asyncpg.Connection[Any]:
        if not failing:
            failing.append(connected)
            raise ConnectionRefusedError("db1: refused")
        return await connect(database, role=SYSTEM_ROLE)

    async with aclosing(follow(connected, keyring)) as news:
        await anext(news)
    assert "The change log is not being read, trying again: db1: refused" in caplog.text
