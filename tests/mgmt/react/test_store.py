"""The queue of reactions: of a session the latest wish counts, one is sent at a time, none that was taken is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from mgmt.store import reactions
from mgmt.store.reactions import LEASE_S, TAKE, Kind, Request, Room, SessionId, State, Taken, Tried, Wish
from radiuscore.aaa.dynauth import ReactionResult
from tests.mgmt.react.conftest import NODE
from tests.store.test_accounting_plans import plan

if TYPE_CHECKING:
    from tests.conftest import Db, Tenant

pytestmark = pytest.mark.postgres

SESSION = UUID(int=1)
PLENTY = Room(100, 10, {})
APPLIED = Tried(Kind.COA, ReactionResult.APPLIED)
SILENT = Tried(Kind.COA, ReactionResult.NO_ANSWER, None, "The router did not answer.")


def wish_for(tenant: Tenant, due: bytes = b"fast", session: UUID = SESSION, **others: Any) -> Wish:
    wish = Wish(
        tenant.isp_id, tenant.device_id, tenant.customer_id, session, "81000001", NODE, Kind.COA, "changed", None, due
    )
    return wish._replace(**others)


def request_for(tenant: Tenant, kind: Kind = Kind.DISCONNECT, session: UUID = SESSION) -> Request:
    return Request(
        tenant.isp_id, tenant.device_id, tenant.customer_id, session, "81000001", NODE, kind, "manual", b"", None
    )


async def wish(db: Db, *wishes: Wish, patient: bool = False) -> int:
    return await reactions.wish(db, wishes, patient=patient)


async def rows(db: Db) -> list[Any]:
    found: list[Any] = await db.fetch("SELECT * FROM control.reactions ORDER BY id")
    return found


async def take(db: Db, room: Room = PLENTY, node: str = NODE) -> list[Taken]:
    return sorted(await reactions.take(db, node, room), key=lambda taken: taken.id)


async def pass_time(db: Db, seconds: float) -> None:
    """Let everything in the queue be that much older."""
    await db.execute(
        """
        UPDATE control.reactions
           SET created_at = created_at - d, sent_at = sent_at - d, not_before = not_before - d,
               expires_at = expires_at - d, finished_at = finished_at - d
          FROM (SELECT $1::float8 * interval '1 second' AS d) AS by
        """,
        seconds,
    )


# What waits


async def test_the_latest_wish_for_a_session_takes_the_place_of_the_one_that_waits(
    system_db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    one, two = tenants
    assert await wish(system_db, wish_for(one, b"fast"), wish_for(two, b"fast")) == 2
    assert await wish(system_db, wish_for(one, b"fast")) == 0
    assert await wish(system_db, wish_for(one, b"", kind=Kind.DISCONNECT, why="because")) == 1
    assert [(row["isp_id"], row["due"], row["kind"], row["why"]) for row in await rows(system_db)] == [
        (one.isp_id, b"", "disconnect", "because"),
        (two.isp_id, b"fast", "coa", None),
    ]
    named = SessionId(SESSION, one.device_id, "81000001")
    assert await reactions.find_wishes(system_db, one.isp_id, [SESSION]) == {named: b""}


async def test_a_wish_that_is_being_sent_is_not_queued_again_and_another_waits_behind_it(
    system_db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    await wish(system_db, wish_for(tenants[0], b"fast"))
    [first] = await take(system_db)
    assert await wish(system_db, wish_for(tenants[0], b"fast")) == 0
    assert await wish(system_db, wish_for(tenants[0], b"slow")) == 1
    assert await take(system_db) == []
    await reactions.finish(system_db, first, State.DONE, APPLIED)
    [second] = await take(system_db)
    assert (first.due, second.due) == (b"fast", b"slow")


@pytest.mark.parametrize(("patient", "again"), [(True, 0), (False, 1)])
async def test_what_failed_is_wished_again_when_something_changed_or_an_hour_later(
    system_db: Db, tenants: tuple[Tenant, Tenant], patient: bool, again: int
) -> None:
    await wish(system_db, wish_for(tenants[0]))
    [taken] = await take(system_db)
    await reactions.finish(system_db, taken, State.FAILED, SILENT)
    assert await wish(system_db, wish_for(tenants[0]), patient=patient) == again
    await pass_time(system_db, 3601)
    assert await wish(system_db, wish_for(tenants[0]), patient=patient) == 1 - again


async def test_nothing_is_wished_of_a_device_that_is_gone(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    assert await wish(system_db, wish_for(tenants[0], device_id=10**9)) == 0
    assert await wish(system_db, wish_for(tenants[0], device_id=tenants[1].device_id)) == 0


# What is taken


async def test_a_node_takes_its_own_and_each_once(system_db: Db, db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    await wish(system_db, *(wish_for(tenants[0], session=uuid4()) for _ in range(5)))
    await wish(system_db, wish_for(tenants[1], node="elsewhere"))
    async with system_db.transaction():
        taken = await take(system_db, Room(3, 10, {}))
        assert len(taken) == 3
        others = await take(db)  # while the first are locked
    assert len({one.id for one in taken + others}) == 5
    assert await take(system_db) == []
    [elsewhere] = await take(system_db, node="elsewhere")
    assert elsewhere.isp_id == tenants[1].isp_id


async def test_of_a_device_no_more_is_taken_than_there_is_room_for(
    system_db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    one, two = tenants
    for tenant in tenants:
        await wish(system_db, *(wish_for(tenant, session=uuid4()) for _ in range(9)))
    taken = await take(system_db, Room(100, 4, {one.device_id: 1}))
    assert [one_.isp_id for one_ in taken] == [one.isp_id] + [two.isp_id] * 4
    assert {one_.isp_id for one_ in await take(system_db, Room(100, 4, {one.device_id: 0}))} == {two.isp_id}


async def test_of_one_session_one_is_taken_at_a_time_and_a_next_try_holds_up_nobody(
    system_db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    await wish(system_db, wish_for(tenants[0]))
    by_hand = await reactions.ask(system_db, request_for(tenants[0]))
    [taken] = await take(system_db)
    assert taken.id < by_hand
    await reactions.postpone(system_db, taken, SILENT, 60)
    [row, _] = await rows(system_db)
    assert (row["state"], row["result"], row["detail"], row["finished_at"]) == (
        "queued", "no_answer", "The router did not answer.", None,
    )  # fmt: skip
    [now] = await take(system_db)
    assert (now.id, now.due) == (by_hand, None)
    await reactions.finish(system_db, now, State.DONE, Tried(Kind.DISCONNECT, ReactionResult.DISCONNECTED))
    assert await take(system_db) == []
    await pass_time(system_db, 60)
    [again] = await take(system_db)
    assert (again.id, again.attempts) == (taken.id, 2)


async def test_what_was_taken_and_not_finished_is_taken_again(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    await wish(system_db, wish_for(tenants[0]))
    [first] = await take(system_db)
    await pass_time(system_db, LEASE_S - 5)
    assert await take(system_db) == []
    await pass_time(system_db, 6)
    [second] = await take(system_db)
    assert (second.id, second.attempts) == (first.id, 2)
    await reactions.finish(system_db, first, State.FAILED, SILENT)  # late: it is another one's now
    assert (await rows(system_db))[0]["state"] == "sent"
    await reactions.finish(system_db, second, State.DONE, APPLIED)
    [row] = await rows(system_db)
    assert (row["state"], row["result"], row["finished_at"] is None) == ("done", "applied", False)


async def test_a_try_is_not_repeated_where_a_newer_wish_waits(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    await wish(system_db, wish_for(tenants[0], b"fast"))
    [taken] = await take(system_db)
    await wish(system_db, wish_for(tenants[0], b"slow"))
    await reactions.postpone(system_db, taken, SILENT, 60)
    assert [(row["state"], row["due"]) for row in await rows(system_db)] == [
        ("cancelled", b"fast"),
        ("queued", b"slow"),
    ]


async def test_what_is_late_is_not_sent_and_what_is_old_is_forgotten(
    system_db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    await wish(system_db, wish_for(tenants[0]))
    await reactions.ask(system_db, request_for(tenants[1]))
    await pass_time(system_db, 61)
    assert await reactions.expire(system_db) == 1
    assert [row["state"] for row in await rows(system_db)] == ["queued", "expired"]
    await pass_time(system_db, 3600)
    assert await take(system_db) == []
    assert await reactions.expire(system_db) == 1
    assert await reactions.forget(system_db) == 0
    await pass_time(system_db, 31 * 86_400)
    assert await reactions.forget(system_db) == 2


async def test_taking_reads_what_waits_and_not_what_is_done(
    system_db: Db, db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    await db.execute(
        """
        INSERT INTO control.reactions (isp_id, device_id, session_id, acct_session_id, node, kind, cause, state,
                                       finished_at)
        SELECT $1, $2, gen_random_uuid(), n::text, 'node1', 'coa', 'x', 'done', now() FROM generate_series(1, 5000) AS n
        """,
        tenants[0].isp_id,
        tenants[0].device_id,
    )
    await db.execute("ANALYZE control.reactions")
    text = await plan(db, TAKE)
    assert "reactions_waiting" in text, text
    assert "Seq Scan" not in text, text


# What is shown


async def test_an_isp_sees_its_own(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    one, two = tenants
    await wish(system_db, wish_for(one), wish_for(two))
    ids = [row["id"] for row in await rows(system_db)]
    [mine] = await reactions.find(system_db, one.isp_id, ids)
    assert (mine.isp_id, mine.kind, mine.state, mine.result) == (one.isp_id, Kind.COA, State.QUEUED, None)
    assert await reactions.list_of_session(system_db, one.isp_id, SESSION) == [mine]
