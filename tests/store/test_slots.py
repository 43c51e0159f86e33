"""Slots: as many are taken as the limit says, however many ask at once, and none outlives its session."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from radiuscore.store.slots import free, prolong, reserve
from tests.store.claiming import CUSTOMER, claim, connections, ended, race, sign

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

RACES = 100
LOGINS = 16


async def pass_time(db: Db, seconds: float) -> None:
    """Let time go by for all slots."""
    await db.execute(
        "UPDATE accounting.simultaneous_use_slots SET expires_at = expires_at - $1::float8 * interval '1 second'",
        seconds,
    )


async def taken(db: Db, isp_id: int = 1, customer_id: int = CUSTOMER) -> int:
    count: int = await db.fetchval(
        """
        SELECT count(*) FROM accounting.simultaneous_use_slots
         WHERE isp_id = $1 AND customer_id = $2 AND expires_at > now()
        """,
        isp_id,
        customer_id,
    )
    return count


# -- races -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, LOGINS])
async def test_a_race_has_as_many_winners_as_there_are_slots(database: str, db: Db, limit: int) -> None:
    """100 times 16 logins at once over many connections: never one too many, never one too few."""
    async with connections(database, LOGINS) as dbs:
        for round_ in range(RACES):
            logins = [claim(number, limit=limit, customer_id=round_) for number in range(LOGINS)]
            won = await race(dbs, logins, reserve)
            assert sum(won) == limit, f"round {round_}"
            assert await taken(db, customer_id=round_) == limit


async def test_a_race_for_slots_that_have_expired_has_as_many_winners(database: str, db: Db) -> None:
    async with connections(database, LOGINS) as dbs:
        for _ in range(RACES):
            assert sum(await race(dbs, [claim(number) for number in range(LOGINS)], reserve)) == 1
            await pass_time(db, 61)


async def test_a_race_of_one_device_with_itself_takes_one_slot(database: str, db: Db) -> None:
    """A router that asks twice is not two."""
    async with connections(database, LOGINS) as dbs:
        assert all(await race(dbs, [claim(0xA) for _ in range(LOGINS)], reserve))
    assert await taken(db) == 1


# -- whose slot it is --------------------------------------------------------------------------------------------------


async def test_the_same_device_on_the_same_nas_takes_over_its_own_slot(system_db: Db) -> None:
    first, again = claim(0xA), claim(0xA)
    assert await reserve(system_db, first)
    assert not await reserve(system_db, claim(0xB))
    assert not await reserve(system_db, claim(0xA, nas_id=2))
    assert await reserve(system_db, again)
    assert await taken(system_db) == 1
    await free(system_db, [ended(first)])  # the late Stop of the session that the power cut ended
    assert not await reserve(system_db, claim(0xB))
    await free(system_db, [ended(again)])
    assert await reserve(system_db, claim(0xB))


async def test_who_tells_no_mac_address_takes_over_nothing(system_db: Db) -> None:
    assert await reserve(system_db, claim())
    assert not await reserve(system_db, claim())


async def test_its_own_slot_is_taken_over_before_a_free_one(system_db: Db) -> None:
    for _ in range(20):
        assert await reserve(system_db, claim(0xA, limit=5))
    assert await taken(system_db) == 1


async def test_isps_with_the_same_customers_devices_and_sessions_do_not_meet(system_db: Db) -> None:
    one = claim(0xA, isp_id=1)
    two = one._replace(isp_id=2)
    assert await reserve(system_db, one)
    assert await reserve(system_db, two)
    assert not await reserve(system_db, claim(0xB, isp_id=2))
    await free(system_db, [ended(one)])
    assert (await taken(system_db, 1), await taken(system_db, 2)) == (0, 1)
    await pass_time(system_db, 30)
    await prolong(system_db, [sign(one)])
    await pass_time(system_db, 40)
    assert (await taken(system_db, 1), await taken(system_db, 2)) == (1, 0)


# -- time --------------------------------------------------------------------------------------------------------------


async def test_a_slot_whose_session_never_began_is_free_after_a_minute(system_db: Db) -> None:
    assert await reserve(system_db, claim(0xA))
    await pass_time(system_db, 59)
    assert not await reserve(system_db, claim(0xB))
    await pass_time(system_db, 1)
    assert await reserve(system_db, claim(0xB))


async def test_reports_keep_a_slot_and_silence_frees_it(system_db: Db) -> None:
    online = claim(0xA)
    assert await reserve(system_db, online)
    for _ in range(3):
        await pass_time(system_db, 300)
        await prolong(system_db, [sign(online)])
        assert not await reserve(system_db, claim(0xB))
    await prolong(system_db, [sign(online, seconds=10)])  # one that was sent long ago shortens nothing
    await pass_time(system_db, 890)
    assert not await reserve(system_db, claim(0xB))
    await pass_time(system_db, 10)
    assert await reserve(system_db, claim(0xB))


async def test_a_session_is_known_by_its_id_where_the_nas_returns_no_class(system_db: Db) -> None:
    online = claim(0xA, acct_session_id="81000001")
    assert await reserve(system_db, online)
    reported = sign(online, session_id=uuid4())
    await prolong(system_db, [reported])
    await pass_time(system_db, 300)
    assert await taken(system_db) == 1
    await free(system_db, [ended(online)._replace(session_id=reported.session_id)])
    assert await taken(system_db) == 0


# -- what was let in without a slot ------------------------------------------------------------------------------------


async def test_a_session_without_a_slot_gets_one_by_its_report(system_db: Db) -> None:
    """The database was away when it began. It is online, so nobody else may be."""
    online = claim(0xA)
    await prolong(system_db, [sign(online)])
    assert not await reserve(system_db, claim(0xB))
    await prolong(system_db, [sign(online)])
    assert await taken(system_db) == 1


async def test_a_session_gets_a_slot_above_the_limit_if_need_be(system_db: Db) -> None:
    inside, outside = claim(0xA), claim(0xB)
    assert await reserve(system_db, inside)
    await prolong(system_db, [sign(outside)])
    assert await taken(system_db) == 2
    await free(system_db, [ended(inside)])
    assert not await reserve(system_db, claim(0xC))
    await free(system_db, [ended(outside)])
    assert await reserve(system_db, claim(0xC))


async def test_an_old_report_gives_no_slot(system_db: Db) -> None:
    """Replayed from a spool after the session was over."""
    await prolong(system_db, [sign(claim(0xA), seconds=-1)])
    assert await taken(system_db) == 0


async def test_a_report_of_a_session_that_its_device_has_left_gives_no_slot(system_db: Db) -> None:
    before, now = claim(0xA), claim(0xA)
    assert await reserve(system_db, before)
    assert await reserve(system_db, now)
    await prolong(system_db, [sign(before)])
    assert await taken(system_db) == 1


async def test_many_reports_of_one_customer_at_once(system_db: Db) -> None:
    signs = [sign(claim(number)) for number in range(3)]
    for _ in signs:
        await prolong(system_db, signs)
    assert await taken(system_db) == 3


async def test_a_lowered_limit_lets_nobody_in_until_enough_have_left(system_db: Db) -> None:
    online = [claim(number, limit=3) for number in range(3)]
    for one in online:
        assert await reserve(system_db, one)
    for number, gone in enumerate(online):
        assert not await reserve(system_db, claim(0x10 + number, limit=1))
        await free(system_db, [ended(gone)])
    assert await reserve(system_db, claim(0x20, limit=1))
    assert await taken(system_db) == 1
