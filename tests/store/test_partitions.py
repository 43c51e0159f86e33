"""Partitions: there before they are needed, gone when they are old, and never a reason to refuse a record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncpg
import pytest

from radiuscore.store import partitions
from radiuscore.store.pool import connect
from radiuscore.store.sessions import record
from tests.store.reporting import T, check_usage, history, interim, stop

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

DAY = 86_400
TABLES = ("auth_log", "session_history", "usage_day", "usage_hour")


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


async def names(db: Db, parent: str) -> list[str]:
    """Return a table's partitions, without the default one, oldest first."""
    query = "SELECT name FROM accounting.partitions WHERE parent = $1 AND upper IS NOT NULL ORDER BY upper"
    return [row["name"] for row in await db.fetch(query, parent)]


async def partition_of(db: Db, table: str) -> list[str]:
    rows = await db.fetch(f"SELECT tableoid::regclass::text FROM accounting.{table}")  # noqa: S608
    return [row[0].removeprefix("accounting.") for row in rows]


async def test_a_fresh_database_has_what_it_needs_for_now(db: Db) -> None:
    now = datetime.now(UTC).timestamp()
    assert await partitions.ensure(db, now) == []
    covered = await partitions.coverage(db)
    assert [one.table for one in covered] == list(TABLES)
    for one in covered:
        assert not one.is_short(now)
        assert not one.has_strays
        assert one.until - now >= (7 * DAY if one.table == "auth_log" else 85 * DAY)


async def test_partitions_are_made_ahead_month_by_month_and_day_by_day(db: Db) -> None:
    now = epoch("2030-01-31T23:59")
    made = await partitions.ensure(db, now)
    assert [name for name in made if name.startswith("usage_hour")] == [
        *("usage_hour_202912", "usage_hour_203001", "usage_hour_203002", "usage_hour_203003", "usage_hour_203004"),
    ]
    assert [name for name in made if name.startswith("auth_log")] == [
        *("auth_log_20300130", "auth_log_20300131", "auth_log_20300201", "auth_log_20300202", "auth_log_20300203"),
        *("auth_log_20300204", "auth_log_20300205", "auth_log_20300206", "auth_log_20300207"),
    ]
    assert len(made) == 9 + 3 * 5
    assert await partitions.ensure(db, now) == []
    assert await partitions.ensure(db, now + 120) == [
        "auth_log_20300208",
        "session_history_203005",
        "usage_day_203005",
        "usage_hour_203005",
    ]


async def test_partitions_begin_at_midnight_utc_in_whatever_zone_the_job_is(db: Db) -> None:
    await db.execute("SET timezone = 'America/New_York'")
    await partitions.ensure(db, epoch("2030-01-15"))
    await db.execute("SET timezone = 'Asia/Kolkata'")
    assert await partitions.ensure(db, epoch("2030-01-15")) == []
    await db.execute("SET timezone = 'UTC'")
    bounds = await db.fetchrow("SELECT lower, upper FROM accounting.partitions WHERE name = 'usage_hour_203001'")
    assert tuple(bounds or ()) == (datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 2, 1, tzinfo=UTC))
    day = await db.fetchrow("SELECT lower, upper FROM accounting.partitions WHERE name = 'usage_day_203001'")
    assert tuple(day or ()) == tuple(bounds or ())


async def test_old_partitions_are_dropped_with_their_rows(db: Db) -> None:
    await partitions.ensure(db, epoch("2030-01-31"))
    before = {parent: await names(db, parent) for parent in TABLES}
    await db.execute(
        "INSERT INTO accounting.usage_hour SELECT 1, 1, time, 1, 1, 1"
        " FROM unnest(ARRAY['2029-12-31 23:00+00', '2030-01-01 00:00+00']::timestamptz[]) AS time"
    )
    now = epoch("2030-02-05")
    gone = await partitions.expire(db, now)
    assert await partitions.expire(db, now) == []
    kept = {parent: await names(db, parent) for parent in TABLES}
    assert sorted(gone) == sorted(name for parent in TABLES for name in before[parent] if name not in kept[parent])
    assert kept["usage_hour"][:2] == ["usage_hour_203001", "usage_hour_203002"]  # 35 days
    assert kept["auth_log"][0] == "auth_log_20300130"  # 30 days, and none older was there
    assert kept["session_history"] == [name for name in before["session_history"] if name[-6:] >= "202912"]  # 25 months
    assert await partition_of(db, "usage_hour") == ["usage_hour_203001"]
    await partitions.expire(db, epoch("2032-02-15"))
    assert (await names(db, "session_history"))[0] == "session_history_203001"
    await partitions.expire(db, epoch("2032-03-02"))
    assert (await names(db, "session_history"))[0] == "session_history_203002"


async def test_a_record_that_no_partition_takes_is_stored_all_the_same(db: Db, system_db: Db) -> None:
    """The job has not run for years, or a clock is wrong: a batch is never refused for it."""
    future = epoch("2033-05-05T12:00") - T
    await record(system_db, [stop(future, 3600, 1000), interim(60, 60, 5, acct_session_id="ordinary")])
    assert await partition_of(db, "session_history") == ["session_history_default"]
    assert sorted(await partition_of(db, "usage_hour"))[-1] == "usage_hour_default"
    strays = {one.table: one.has_strays for one in await partitions.coverage(db)}
    assert strays == {"auth_log": False, "session_history": True, "usage_day": True, "usage_hour": True}
    await check_usage(db)


async def test_rows_that_came_before_their_partition_move_into_it(db: Db, system_db: Db) -> None:
    future = epoch("2033-05-05T12:00") - T
    await record(system_db, [stop(future, 3600, 1000)])
    await partitions.ensure(db, epoch("2033-05-20"))
    assert await partition_of(db, "session_history") == ["session_history_203305"]
    assert await partition_of(db, "usage_hour") == ["usage_hour_203305"]
    assert await partition_of(db, "usage_day") == ["usage_day_203305"]
    assert not any(one.has_strays for one in await partitions.coverage(db))
    await record(system_db, [stop(future, 3600, 1500)])
    assert [row["input_octets"] for row in await history(db)] == [1500]
    await check_usage(db)


async def test_a_table_that_is_running_out_of_partitions_says_so(db: Db) -> None:
    now = datetime.now(UTC).timestamp()
    assert {one.table for one in await partitions.coverage(db) if one.is_short(now + 7.5 * DAY)} == {"auth_log"}
    assert {one.table for one in await partitions.coverage(db) if one.is_short(now + 100 * DAY)} == set(TABLES)


async def test_a_busy_table_is_not_waited_for(db: Db, database: str) -> None:
    reader = await connect(database)
    try:
        async with reader.transaction():
            await reader.execute("LOCK TABLE accounting.auth_log, accounting.auth_log_default IN ACCESS SHARE MODE")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await partitions.ensure(db, epoch("2030-01-31"))
    finally:
        await reader.close(timeout=5)
    assert len(await partitions.ensure(db, epoch("2030-01-31"))) > 0
    assert len(await names(db, "auth_log")) == len(set(await names(db, "auth_log")))


async def test_accounting_goes_on_while_a_partition_is_made(db: Db, system_db: Db, database: str) -> None:
    """Making one takes no lock on the parent that a batch would wait for."""
    transaction = db.transaction()
    await transaction.start()
    await db.fetchval("SELECT accounting.add_partition(to_timestamp($1))", epoch("2030-01-31"))
    await record(system_db, [stop(60, 60, 1000)])
    await transaction.rollback()
    assert len(await history(db)) == 1


async def test_roles_cannot_reach_a_partition_or_change_one(system_db: Db, isp_db: Db) -> None:
    for connection in (system_db, isp_db):
        for statement in ("SELECT FROM accounting.usage_hour_default", "SELECT accounting.drop_partition(now())"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
