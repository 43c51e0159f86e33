"""An Acct-Session-Id that is used again, and what comes late: each octet lands with the session it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.store.incarnations import Live, brings_news
from radiuscore.store.reports import report_of
from radiuscore.store.sessions import Outcome, record
from radiuscore.store.sweep import archive_closed, close_silent
from tests.store.reporting import (
    TOMORROW,
    T,
    check_usage,
    history,
    interim,
    live,
    moment,
    row_versions,
    start,
    stop,
    tell,
    usage,
)

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

REUSED = 3 * 3600  # when the same Acct-Session-Id is given to a new session
OLD = -3 * 86_400  # so long ago that what ended then is archived


async def test_a_reused_id_whose_stop_was_lost_is_two_sessions(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    [opened] = await tell(system_db, start(REUSED))
    assert (opened.outcome, opened.opened) == (Outcome.APPLIED, True)
    [old], [new] = await history(db), await live(db)
    assert (old["closed_by"], old["stopped_at"], old["input_octets"]) == ("new_start", moment(300), 1000)
    assert (new["state"], new["started_at"], new["input_octets"]) == ("open", moment(REUSED), 0)
    assert old["id"] != new["id"]
    await tell(system_db, stop(REUSED + 60, 60, 70))
    assert [row["input_octets"] for row in await history(db)] == [1000, 70]
    assert await usage(db) == (1070, 1070, 360)
    await check_usage(db)


async def test_a_reused_id_is_noticed_by_any_report(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000), interim(REUSED + 600, 600, 50), stop(2 * REUSED, 60, 7))
    assert [(row["session_time"], row["input_octets"], row["closed_by"]) for row in await history(db)] == [
        (300, 1000, "new_start"),
        (600, 50, "new_start"),
        (60, 7, "stop"),
    ]
    await check_usage(db)


async def test_a_reused_id_whose_session_was_stopped_is_two_sessions(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), stop(300, 300, 1000), start(REUSED), stop(REUSED + 10, 10, 5))
    assert [(row["session_time"], row["input_octets"], row["closed_by"]) for row in await history(db)] == [
        (300, 1000, "stop"),
        (10, 5, "stop"),
    ]
    await check_usage(db)


async def test_a_late_stop_of_the_older_session_closes_only_that_one(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000), start(REUSED), interim(REUSED + 300, 300, 9))
    late = stop(REUSED + 310, 400, 1200, delay_time=REUSED - 90, terminate_cause=2)
    [result] = await tell(system_db, late)
    assert (result.outcome, result.input_octets, result.session_time) == (Outcome.LATE, 200, 100)
    [old], [new] = await history(db), await live(db)
    assert (old["closed_by"], old["stopped_at"], old["terminate_cause"]) == ("stop", moment(400), 2)
    assert (old["session_time"], old["input_octets"]) == (400, 1200)
    assert (new["state"], new["input_octets"], new["nas_id"]) == ("open", 9, 1)
    versions = await row_versions(db)
    [again] = await tell(system_db, late)
    assert (again.outcome, again.input_octets) == (Outcome.DUPLICATE, 0)
    assert [len(table) for table in versions] == [len(table) for table in await row_versions(db)]
    assert await usage(db) == (1209, 1209, 700)
    await check_usage(db)


async def test_late_usage_is_counted_to_the_hour_in_which_it_was_sent(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000), start(REUSED))
    await tell(system_db, interim(REUSED + 10, 3700, 4000, delay_time=REUSED - 3690))
    hours = await db.fetch("SELECT hour, input_octets FROM accounting.usage_hour ORDER BY hour")
    assert [tuple(row) for row in hours] == [(moment(0), 1000), (moment(3600), 3000)]
    [old] = await history(db)
    assert (old["closed_by"], old["input_octets"], old["stopped_at"]) == ("new_start", 4000, moment(3700))
    await check_usage(db)


async def test_an_older_session_of_which_nothing_was_known_is_recorded(db: Db, system_db: Db) -> None:
    await tell(system_db, start(REUSED), interim(REUSED + 300, 300, 9))
    late_interim = interim(REUSED + 310, 300, 1000, delay_time=REUSED + 10)
    late_stop = stop(REUSED + 320, 400, 1200, delay_time=REUSED - 80)
    results = await tell(system_db, late_interim, late_stop, late_interim, late_stop)
    assert [(one.outcome, one.input_octets) for one in results] == [
        (Outcome.LATE, 1000),
        (Outcome.LATE, 200),
        (Outcome.DUPLICATE, 0),
        (Outcome.DUPLICATE, 0),
    ]
    [old], [new] = await history(db), await live(db)
    assert (old["started_at"], old["closed_by"], old["input_octets"]) == (moment(0), "stop", 1200)
    assert (new["state"], new["input_octets"]) == ("open", 9)
    await check_usage(db)


async def test_a_batch_may_be_of_many_incarnations(db: Db, system_db: Db) -> None:
    ids = [f"8100{n:04x}" for n in range(12)]
    await record(system_db, [interim(300, 300, 100, acct_session_id=id) for id in ids])  # noqa: A001
    await record(system_db, [start(REUSED, acct_session_id=id) for id in ids[:8]])  # noqa: A001
    kinds = [stop(400, 400, 150), stop(REUSED + 60, 60, 7), interim(300, 300, 100), start(2 * REUSED)]
    batch = [kinds[n % 4]._replace(acct_session_id=id) for n, id in enumerate(ids)]  # noqa: A001
    results = await record(system_db, batch)
    assert [(one.outcome, one.input_octets) for one in results] == [
        *[(Outcome.LATE, 50), (Outcome.APPLIED, 7), (Outcome.DUPLICATE, 0), (Outcome.APPLIED, 0)] * 2,
        *[(Outcome.APPLIED, 50), (Outcome.APPLIED, 7), (Outcome.DUPLICATE, 0), (Outcome.APPLIED, 0)],
    ]
    await check_usage(db)
    assert all(row["nas_id"] == 1 for row in await live(db))


@pytest.mark.parametrize("again", [stop(OLD + 400, 400, 1200), interim(0, -OLD, 1200)])
async def test_a_lost_session_that_is_archived_is_found_again(db: Db, system_db: Db, again: AccountingEvent) -> None:
    await tell(system_db, start(OLD), interim(OLD + 300, 300, 1000))
    await close_silent(system_db, T + OLD + 1300)
    assert await archive_closed(system_db, TOMORROW) == 1
    assert ([row["closed_by"] for row in await history(db)], await live(db)) == (["lost"], [])
    [result] = await record(system_db, [again])
    assert (result.outcome, result.input_octets) == (Outcome.APPLIED, 200)
    if result.state == "closed":
        assert [row["closed_by"] for row in await history(db)] == ["stop"]
    else:
        assert (result.opened, await history(db)) == (True, [])
    assert [row["input_octets"] for row in await live(db)] == [1200]
    await check_usage(db)


async def test_a_stopped_session_that_is_archived_swallows_what_comes_again(db: Db, system_db: Db) -> None:
    events = [start(OLD), interim(OLD + 300, 300, 1000), stop(OLD + 400, 400, 1200)]
    await tell(system_db, *events)
    assert await archive_closed(system_db, TOMORROW) == 1
    for result in await tell(system_db, *events[1:], *reversed(events[1:])):
        assert (result.outcome, result.input_octets) == (Outcome.DUPLICATE, 0)
        await archive_closed(system_db, TOMORROW)
    assert [row["input_octets"] for row in await history(db)] == [1200]
    assert await live(db) == []
    assert await usage(db) == (1200, 1200, 400)
    await check_usage(db)


async def test_of_two_archived_incarnations_the_right_one_is_found_again(db: Db, system_db: Db) -> None:
    await tell(
        system_db, start(OLD), interim(OLD + 300, 300, 1000), start(OLD + REUSED), interim(OLD + REUSED + 60, 60, 7)
    )
    await close_silent(system_db, T + OLD + 2 * REUSED)
    await archive_closed(system_db, TOMORROW)
    await tell(system_db, stop(OLD + 400, 400, 1200), stop(OLD + REUSED + 90, 90, 9), stop(OLD + 400, 400, 1200))
    await archive_closed(system_db, TOMORROW)
    assert [(row["closed_by"], row["session_time"], row["input_octets"]) for row in await history(db)] == [
        ("stop", 400, 1200),
        ("stop", 90, 9),
    ]
    await check_usage(db)


async def test_a_long_session_first_seen_in_its_middle_is_counted_whole(db: Db, system_db: Db) -> None:
    [result] = await tell(system_db, interim(0, 30 * 86_400, 10**12))
    assert (result.outcome, result.opened, result.input_octets) == (Outcome.APPLIED, True, 10**12)
    await check_usage(db)


LIVE = Live(start_estimate=T, session_time=1000, input_counter=500, output_counter=None, statuses=5)


@pytest.mark.parametrize(
    ("session_time", "octets", "news"),
    [
        (1001, 0, True),
        (1000, (501, None), True),
        (1000, (500, 0), True),
        (1000, (500, None), False),
        (1000, (499, None), False),
        (999, (900, 900), False),
    ],
)
async def test_the_two_ways_to_tell_news_agree(
    db: Db, system_db: Db, session_time: int, octets: tuple[int | None, int | None], news: bool
) -> None:
    await tell(system_db, start(0), interim(1000, 1000, (500, None)))
    event = interim(session_time, session_time, octets)
    assert brings_news(report_of(event), LIVE) is news
    [result] = await tell(system_db, event)
    assert (result.outcome is Outcome.APPLIED) is news
