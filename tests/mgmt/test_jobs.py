"""Jobs: one leader, each job again and again, each failure logged and waited out."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import time

import pytest

from mgmt import jobs
from mgmt.jobs import Job, pause_s, repeat, run_jobs
from mgmt.leader import LOCK, lead
from mgmt.upkeep import Databases, jobs_of, renew_partitions
from radiuscore.store.pool import connect, open_pool
from tests.conftest import Db, Tenant
from tests.server.support import until

DAY_S = 86_400


async def test_a_job_is_run_again_and_again() -> None:
    runs = 0

    async def run() -> int:
        nonlocal runs
        runs += 1
        return runs

    task = asyncio.create_task(repeat(Job("count", 0.001, run)))
    await until(lambda: runs >= 3)
    task.cancel()


async def test_a_failure_is_logged_with_its_traceback_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE_S", 0.001)
    runs = 0

    async def run() -> int:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ZeroDivisionError("on purpose")
        return 0

    task = asyncio.create_task(run_jobs([Job("fail", 0.001, run)]))
    await until(lambda: runs >= 4)
    task.cancel()

    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.__dict__["failures"] for record in failures] == [1, 2]
    assert all(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in failures)


def test_a_job_that_fails_waits_longer_each_time_but_not_for_ever() -> None:
    async def never() -> int:
        return 0

    often, seldom = Job("often", 30, never), Job("seldom", 3600, never)

    assert [pause_s(often, failures) for failures in range(5)] == [30, 5, 10, 20, 40]
    assert (pause_s(often, 20), pause_s(seldom, 20)) == (300, 3600)


@asynccontextmanager
async def contender(database: str, began: list[str], name: str) -> AsyncIterator["asyncio.Task[None]"]:
    async def work() -> None:
        began.append(name)
        await asyncio.Event().wait()

    task = asyncio.create_task(lead(partial(connect, database, application_name=name), work, probe_s=0.05))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_one_of_several_leads_and_another_follows(database: str) -> None:
    began: list[str] = []
    async with contender(database, began, "one") as one:
        await until(lambda: began == ["one"])
        async with contender(database, began, "two"):
            db = await connect(database)
            try:
                held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2"
                assert await db.fetchval(held + " AND granted", *LOCK) == 1
            finally:
                await db.close()
            assert began == ["one"]
            one.cancel()
            await until(lambda: began == ["one", "two"])


async def test_a_leader_whose_connection_is_cut_stops_and_leads_again(database: str, db: Db) -> None:
    began: list[str] = []
    async with contender(database, began, "one"):
        await until(lambda: began == ["one"])
        await db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'one'")
        await until(lambda: began == ["one", "one"])


async def test_work_that_breaks_is_not_hidden(database: str) -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await lead(partial(connect, database), work, probe_s=0.05)


@pytest.fixture
async def databases(database: str) -> AsyncIterator[Databases]:
    async with await open_pool(database, max_size=2) as pool:
        yield Databases(pool, pool, partial(connect, database))


INSERT_SESSION = """
INSERT INTO accounting.sessions
       (isp_id, nas_id, acct_session_id, username_key, id, username, state, started_at, updated_at, session_time,
        input_octets, output_octets, interim_interval_s, node, start_estimate, statuses)
VALUES ($1, $2, '81000001', 'anna', gen_random_uuid(), 'anna', 'open', to_timestamp($3), to_timestamp($3), 0,
        5000000001, 7, 60, '', $3, 1)
"""


async def run_job(databases: Databases, name: str, heard_since: float = 0.0) -> int:
    found = {job.name: job for job in jobs_of(databases, heard_since)}
    return await found[name].run()


async def test_silent_sessions_are_closed_and_archived_with_their_octets(
    databases: Databases, db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    for tenant, age in zip(tenants, (DAY_S, 10), strict=True):
        await db.execute(INSERT_SESSION, tenant.isp_id, tenant.device_id, int(time()) - age)

    assert await run_job(databases, "close silent sessions") == 1
    assert await run_job(databases, "close silent sessions") == 0
    rows = await db.fetch("SELECT isp_id, state, input_octets FROM accounting.sessions ORDER BY isp_id")
    assert [tuple(row) for row in rows] == [
        (tenants[0].isp_id, "closed", 5_000_000_001),
        (tenants[1].isp_id, "open", 5_000_000_001),
    ]
    await db.execute("UPDATE accounting.sessions SET closed_at = closed_at - interval '25 h' WHERE state = 'closed'")
    assert await run_job(databases, "archive sessions") == 1
    history = await db.fetch("SELECT isp_id, input_octets FROM accounting.session_history")
    assert [tuple(row) for row in history] == [(tenants[0].isp_id, 5_000_000_001)]


async def test_silence_before_anybody_listened_closes_nothing(
    databases: Databases, db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    await db.execute(INSERT_SESSION, tenants[0].isp_id, tenants[0].device_id, int(time()) - DAY_S)

    assert await run_job(databases, "close silent sessions", heard_since=time() - 10) == 0


async def test_old_changes_are_forgotten(databases: Databases, db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    kept = await db.fetchval("SELECT count(*) FROM control.change_log")
    await db.execute(
        "INSERT INTO control.change_log (isp_id, tbl, op, pk, at) VALUES ($1, 'isps', 'U', 1, now() - interval '3 d')",
        tenants[0].isp_id,
    )

    assert await run_job(databases, "forget old changes") == 1
    assert await db.fetchval("SELECT count(*) FROM control.change_log") == kept


@pytest.mark.parametrize("name", ["renew partitions", "forget old usage", "archive sessions"])
async def test_a_job_without_anything_to_do_does_nothing(databases: Databases, name: str) -> None:
    await run_job(databases, name)

    assert await run_job(databases, name) == 0


async def test_partitions_are_made_ahead_and_old_ones_dropped(db: Db, caplog: pytest.LogCaptureFixture) -> None:
    names = (
        "SELECT array_agg(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'accounting.auth_log'::regclass"
    )
    now = time()
    before = set(await db.fetchval(names))

    changed = await renew_partitions(db, now + 60 * DAY_S)

    after = set(await db.fetchval(names))
    assert changed > 0
    assert after - before
    assert before - after
    assert not caplog.records


async def test_a_busy_table_is_left_for_the_next_time(db: Db, database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reader = await connect(database)
    try:
        async with reader.transaction():
            await reader.execute("LOCK TABLE accounting.auth_log IN ACCESS SHARE MODE")
            await renew_partitions(db, time() + 60 * DAY_S)
    finally:
        await reader.close()

    assert "partitions are left for the next time: a table is busy" in caplog.messages
    assert await renew_partitions(db, time() + 60 * DAY_S) > 0
