"""What live sessions have, read and noted; and how one ends that its router says is over."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from radiuscore.store.endings import end_disconnected
from radiuscore.store.granted import (
    Grant,
    GrantedSession,
    find_of_customers,
    find_targets,
    list_of_isp,
    note_granted,
)
from tests.store.reporting import CUSTOMER, ID, T, check_usage, history, interim, live, moment, start, stop, tell

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

SLOW, FAST = b"\x1b\x06\0\0\0\x01", b"\x1b\x06\0\0\0\x02"
FIRST = UUID(int=1)


def begin(number: int = 1, **others: Any) -> Any:
    fields = {"session_uuid": UUID(int=number).bytes, "acct_session_id": f"8100000{number}", "granted": SLOW}
    return start(0, **(fields | others))


async def test_the_live_sessions_of_customers_within_one_isp(system_db: Db) -> None:
    await tell(
        system_db,
        begin(1, calling_station_id="02:00:00:00:00:01"),
        begin(2, granted=None),
        begin(3, customer_id=8),
        begin(4, customer_id=None, username_key="nobody"),
        begin(5),
        stop(60, 60, 1, acct_session_id="81000005"),
        begin(1, isp_id=2),
    )
    found = sorted(await find_of_customers(system_db, 1, [CUSTOMER]), key=lambda one: one.acct_session_id)
    assert found[0] == GrantedSession(
        1, 1, "81000001", "anna", FIRST, CUSTOMER, "02:00:00:00:00:01", float(T), SLOW, ""
    )
    assert [(one.acct_session_id, one.granted) for one in found] == [("81000001", SLOW), ("81000002", None)]
    assert {one.customer_id for one in await find_of_customers(system_db, 1, [CUSTOMER, 8, 9])} == {CUSTOMER, 8}
    assert await find_of_customers(system_db, 1, []) == []


async def test_all_sessions_of_an_isp_page_by_page(system_db: Db) -> None:
    for nas_id in (3, 1, 2):
        for number in (2, 1):
            await tell(system_db, begin(number, nas_id=nas_id), begin(number, nas_id=nas_id, isp_id=2))
    await tell(system_db, begin(4, customer_id=None, username_key="nobody"))
    seen: list[tuple[int, str]] = []
    after = None
    while page := await list_of_isp(system_db, 1, after, 4):
        seen += [(one.nas_id, one.acct_session_id) for one in page]
        after = page[-1]
    assert seen == [(nas_id, f"8100000{number}") for nas_id in (1, 2, 3) for number in (1, 2)]


async def test_what_a_session_has_is_noted_if_it_is_still_that_session(db: Db, system_db: Db) -> None:
    await tell(system_db, begin(1), begin(2, granted=None), begin(1, isp_id=2))
    grants = [
        Grant(1, 1, "81000001", "anna", FIRST, FAST),
        Grant(1, 1, "81000002", "anna", UUID(int=2), FAST),
        Grant(1, 1, "81000002", "anna", UUID(int=9), SLOW),  # an older session with the same id
    ]
    assert await note_granted(system_db, grants, only_unknown=True) == 1
    assert [row["granted"] for row in await live(db)] == [SLOW, FAST, SLOW]
    assert await note_granted(system_db, grants) == 1
    assert await note_granted(system_db, grants) == 0
    assert [row["granted"] for row in await live(db)] == [FAST, FAST, SLOW]
    await tell(system_db, stop(60, 60, 1, acct_session_id="81000001"))
    assert await note_granted(system_db, [grants[0]._replace(granted=SLOW)]) == 0


async def test_a_target_is_told_as_its_nas_knows_it(system_db: Db) -> None:
    address = IPv4Address("10.9.8.7")
    await tell(
        system_db,
        begin(1, username="Anna", framed_ip_address=address, nas_address="203.0.113.7", local_address="10.0.0.1"),
        begin(1, isp_id=2),
    )
    [target] = await find_targets(system_db, [(1, 1, "81000001", FIRST), (1, 1, "81000001", UUID(int=2))])
    assert (target.username, target.framed_ip_address, target.state) == ("Anna", address, "open")
    assert (str(target.nas_address), str(target.local_address)) == ("203.0.113.7", "10.0.0.1")
    assert await find_targets(system_db, []) == []


async def test_a_disconnected_session_is_closed_with_its_last_counters(db: Db, system_db: Db) -> None:
    await tell(system_db, begin(1, acct_session_id=ID), interim(60, 60, 100))
    [result] = await end_disconnected(system_db, 1, 1, ID, FIRST)
    assert (result.closed, result.id, result.customer_id) == (True, FIRST, CUSTOMER)
    [row] = await live(db)
    assert (row["state"], row["closed_by"], row["stopped_at"], row["input_octets"]) == (
        "closed", "disconnect", moment(60), 100,
    )  # fmt: skip
    assert await end_disconnected(system_db, 1, 1, ID, FIRST) == []
    assert await end_disconnected(system_db, 2, 1, ID, FIRST) == []


async def test_its_stop_has_the_last_word(db: Db, system_db: Db) -> None:
    await tell(system_db, begin(1, acct_session_id=ID), interim(60, 60, 100))
    await end_disconnected(system_db, 1, 1, ID, FIRST)
    await tell(system_db, stop(70, 70, 150, terminate_cause=6))
    [row] = await history(db)
    assert (row["closed_by"], row["input_octets"], row["terminate_cause"]) == ("stop", 150, 6)
    await check_usage(db)


@pytest.mark.parametrize(("sent_after_s", "state"), [(-1, "closed"), (60, "open")])
async def test_only_a_report_sent_after_the_end_proves_that_it_was_none(
    db: Db, system_db: Db, sent_after_s: float, state: str
) -> None:
    """A router may acknowledge and do nothing; an interim that was on its way is no proof of that."""
    await tell(system_db, begin(1, acct_session_id=ID))
    await end_disconnected(system_db, 1, 1, ID, FIRST)
    [row] = await live(db)
    at = row["closed_as_of"].timestamp() + sent_after_s - T
    await tell(system_db, interim(at, int(at), 100))
    [row] = await live(db)
    assert (row["state"], row["input_octets"]) == (state, 100)
    await check_usage(db)
