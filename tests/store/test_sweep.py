"""Silence makes a session suspect and then lost, its reports open it again, and a day after its end it is history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from radiuscore.store.sessions import Outcome, record
from radiuscore.store.sweep import archive_closed, close_silent, forget_periods
from tests.store.reporting import TOMORROW, T, check_usage, history, interim, live, moment, start, stop, tell, usage

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

DAY = 86_400


async def test_silence_makes_a_session_suspect_and_then_lost(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    assert await close_silent(system_db, T + 300 + 750) == (0, [])
    assert await close_silent(system_db, T + 300 + 751) == (1, [])
    assert [row["state"] for row in await live(db)] == ["suspect"]
    assert await close_silent(system_db, T + 300 + 900) == (0, [])
    suspect, [lost] = await close_silent(system_db, T + 300 + 901)
    assert (suspect, lost.outcome, lost.key[2], lost.closed) == (0, Outcome.ENDED, "81000001", True)
    [row] = await live(db)
    assert (row["closed_by"], row["stopped_at"], row["closed_as_of"]) == ("lost", moment(300), moment(1201))
    assert (row["session_time"], row["input_octets"], row["terminate_cause"]) == (300, 1000, None)
    assert await close_silent(system_db, T + DAY) == (0, [])
    assert await history(db) == []
    await check_usage(db)


async def test_a_report_makes_a_suspect_session_open(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    await close_silent(system_db, T + 1100)
    [result] = await tell(system_db, interim(1200, 1200, 4000))
    assert (result.state, result.opened, result.input_octets) == ("open", False, 3000)
    await check_usage(db)


async def test_an_interim_opens_a_lost_session_and_nothing_is_counted_twice(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    for n in range(1, 4):
        await close_silent(system_db, T + 3600 * n)
        assert [row["closed_by"] for row in await live(db)] == ["lost"]
        at = 3600 * n + 10
        [result] = await tell(system_db, interim(at, at, 1000 * (n + 1)))
        assert (result.state, result.opened, result.input_octets) == ("open", True, 1000)
    [row] = await live(db)
    assert (row["stopped_at"], row["closed_at"], row["closed_as_of"], row["closed_by"]) == (None,) * 4
    await tell(system_db, stop(3 * 3600 + 20, 3 * 3600 + 20, 5000))
    assert [row["input_octets"] for row in await history(db)] == [5000]
    assert await usage(db) == (5000, 5000, 3 * 3600 + 20)
    await check_usage(db)


async def test_a_report_that_was_sent_before_the_session_was_lost_opens_it_too(db: Db, system_db: Db) -> None:
    """It lay in a spool: silence was ours, and is no proof of anything."""
    await tell(system_db, start(0), interim(300, 300, 1000))
    await close_silent(system_db, T + 3600)
    [result] = await tell(system_db, interim(600, 600, 2000))
    assert (result.state, result.opened) == ("open", True)
    await check_usage(db)


async def test_a_stop_of_a_lost_session_is_final(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    await close_silent(system_db, T + 3600)
    [result] = await tell(system_db, stop(350, 350, 1100, terminate_cause=2))
    assert (result.input_octets, result.opened, result.closed) == (100, False, False)
    [row] = await history(db)
    assert (row["closed_by"], row["stopped_at"], row["terminate_cause"]) == ("stop", moment(350), 2)
    [late] = await tell(system_db, interim(4000, 4000, 1200))
    assert late.state == "closed"  # after a Stop nothing opens it
    await check_usage(db)


async def test_a_retransmission_does_not_open_a_lost_session(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    await close_silent(system_db, T + 3600)
    results = await tell(system_db, start(0), interim(300, 300, 1000))
    assert [one.outcome for one in results] == [Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert (await live(db))[0]["closed_by"] == "lost"


async def test_every_session_has_its_own_interval(db: Db, system_db: Db) -> None:
    intervals = {"fast": 60, "slow": 3600, "untold": None}
    await record(
        system_db,
        [start(0, acct_session_id=name, interim_interval_s=interval) for name, interval in intervals.items()],
    )
    seen = []
    for after in (140, 160, 200, 8900, 9100, 10_900, 71_000, 73_000, 86_500):
        await close_silent(system_db, T + after)
        seen.append({row["acct_session_id"]: row["state"] for row in await live(db)})
    assert [[states[name][0] for states in seen] for name in intervals] == [
        ["o", "s", "c", "c", "c", "c", "c", "c", "c"],
        ["o", "o", "o", "o", "s", "c", "c", "c", "c"],
        ["o", "o", "o", "o", "o", "o", "o", "s", "c"],
    ]


async def test_our_own_outage_is_not_the_sessions_silence(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0))
    back = T + 3 * 3600
    assert await close_silent(system_db, back + 700, heard_since=back) == (0, [])
    assert (await close_silent(system_db, back + 800, heard_since=back)).suspect == 1
    assert len((await close_silent(system_db, back + 1000, heard_since=back)).lost) == 1


async def test_more_silent_sessions_than_one_step_takes(db: Db, system_db: Db) -> None:
    for isp_id in (1, 2, 3):
        await record(system_db, [start(0, isp_id=isp_id, acct_session_id=f"{n}") for n in range(700)])
    assert await close_silent(system_db, T + 800) == (2100, [])
    suspect, lost = await close_silent(system_db, T + 1000)
    assert (suspect, len(lost), len({one.key for one in lost})) == (0, 2100, 2100)
    assert await archive_closed(system_db, time.time()) == 0
    assert await archive_closed(system_db, TOMORROW) == 2100
    assert (await live(db), len(await history(db))) == ([], 2100)


async def test_what_closed_a_day_ago_becomes_history(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0, acct_session_id="stopped"), stop(60, 60, 5, acct_session_id="stopped"))
    await tell(system_db, interim(60, 60, 7, acct_session_id="lost"))
    await close_silent(system_db, T + 3600)
    await tell(system_db, start(3600, acct_session_id="open"))
    await db.execute(
        "UPDATE accounting.sessions SET closed_at = closed_at - interval '1 hour' WHERE closed_by = 'stop'"
    )
    assert await archive_closed(system_db, TOMORROW - 2 * 3600) == 0
    assert await archive_closed(system_db, TOMORROW - 3600) == 1
    assert [row["acct_session_id"] for row in await live(db)] == ["lost", "open"]
    assert await archive_closed(system_db, TOMORROW) == 1
    assert {(row["acct_session_id"], row["closed_by"], row["stopped_at"]) for row in await history(db)} == {
        ("lost", "lost", moment(60)),
        ("stopped", "stop", moment(60)),
    }
    await check_usage(db)


async def test_rows_that_another_holds_are_left_for_the_next_time(db: Db, system_db: Db) -> None:
    await record(system_db, [start(0, acct_session_id="a"), start(0, acct_session_id="b")])
    async with db.transaction():
        await db.execute("SELECT FROM accounting.sessions WHERE acct_session_id = 'a' FOR UPDATE")
        assert len((await close_silent(system_db, T + 3600)).lost) == 1
    assert len((await close_silent(system_db, T + 3600)).lost) == 1


async def test_old_periods_are_forgotten(db: Db, system_db: Db) -> None:
    await tell(system_db, interim(60, 60, 1), interim(60 - 800 * DAY, 60, 2, acct_session_id="old"))
    assert await forget_periods(system_db, T) == 1
    assert await forget_periods(system_db, T) == 0
    assert await db.fetchval("SELECT count(*) FROM accounting.usage_period") == 1
