"""The statements that run all the time find their rows by index, whatever the parameters are."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from radiuscore.store import endings, granted, incarnations, session_queries, sessions, usage
from radiuscore.store.reports import Report
from radiuscore.store.sessions import record
from tests.store.reporting import STOP, start, stop

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres


@pytest.fixture
async def filled(db: Db, system_db: Db) -> Db:
    """A database with enough sessions that a table is not simply read."""
    for isp_id in range(1, 5):
        starts = [
            start(
                0,
                isp_id=isp_id,
                nas_id=n % 40,
                acct_session_id=f"81{n:06x}",
                customer_id=n,
                calling_station_id=f"{n:x}",
            )
            for n in range(1000)
        ]
        stops = [event._replace(status=STOP, session_time=60) for event in starts[::2]]
        await record(system_db, starts)
        await record(system_db, stops)
    await db.execute("ANALYZE")
    return db


async def plan(db: Db, statement: str) -> str:
    """Return the plan that is used whatever the parameters are."""
    await db.execute("SET plan_cache_mode = force_generic_plan")
    await db.execute("DEALLOCATE ALL")
    await db.execute(f"PREPARE it AS {statement}")
    parameters = max(int(number) for number in re.findall(r"\$(\d+)", statement))
    rows = await db.fetch(f"EXPLAIN (COSTS OFF) EXECUTE it({', '.join(['NULL'] * parameters)})")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        (sessions.RECORD, ["sessions_pkey"]),
        (incarnations.LOCK_LIVE, ["sessions_pkey"]),
        (incarnations.LOOK_BACK, ["sessions_pkey", r"session_history_\d+_pkey"]),
        (incarnations.ARCHIVE, ["sessions_pkey"]),
        (incarnations.STEP_ASIDE, ["sessions_pkey"]),
        (endings.END_DISPLACED, ["sessions_open", "sessions_device", "sessions_pkey"]),
        (endings.END_RESTARTED, ["sessions_(open|pkey)"]),
        (endings.END_DISCONNECTED, ["sessions_(id|pkey|open)"]),
        (granted.FIND_OF_CUSTOMERS, ["sessions_customer"]),
        (granted.LIST_OF_ISP, ["sessions_(pkey|open)"]),
        (granted.FIND_TARGETS, ["sessions_(id|pkey|open)"]),
        (granted.NOTE, ["sessions_pkey"]),
        (session_queries.FIND_SESSION, ["sessions_id"]),
        (session_queries.FIND_ONLINE, ["sessions_customer"]),
        (usage.FIND_CHANGED_PERIODS, ["usage_period_changed"]),
        (usage.FIND_PERIOD, ["usage_period_pkey"]),
        (usage.FIND_PERIODS, ["usage_period_pkey"]),
    ],
    ids=lambda value: " ".join(value.split()[:3]) if isinstance(value, str) else "",
)
async def test_rows_are_found_by_index(filled: Db, statement: str, indexes: list[str]) -> None:
    text = await plan(filled, statement)
    assert "Seq Scan on" not in re.sub(r"Seq Scan on \w+_(\d+|default)\b", "", text), text
    for index in indexes:
        assert re.search(rf"\b{index}\b", text), text


async def test_a_batch_is_one_statement(system_db: Db) -> None:
    """Interims and Stops cost one, Starts two; what is left over is seldom and may cost more."""
    queries: list[str] = []

    def note(query: object) -> None:
        queries.append(getattr(query, "query", ""))

    await record(system_db, [start(0, acct_session_id=f"{n}") for n in range(50)])
    system_db.add_query_logger(note)
    try:
        await record(system_db, [stop(60, 60, 5, acct_session_id=f"{n}") for n in range(50)])
        await asyncio.sleep(0)  # the logger is called from the loop
        assert queries == [sessions.RECORD]
        await record(system_db, [start(100, acct_session_id=f"8{n}") for n in range(50)])
        await asyncio.sleep(0)
        assert queries[1:] == [sessions.RECORD, endings.END_DISPLACED]
    finally:
        system_db.remove_query_logger(note)
    assert len(Report._fields) == sessions.RECORD.count("[]")
