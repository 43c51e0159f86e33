"""Sessions that end without a Stop: Accounting-On and -Off, RouterOS's reboot digit, a device on its line anew."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from radiuscore.store.sessions import Outcome, record, restart_of_nas
from tests.store.reporting import OFF, ON, check_usage, history, interim, live, moment, on, start, stop, tell, usage

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

ROUTER = {"nas_identifier": "MikroTik", "nas_ip_address": IPv4Address("192.168.88.1")}
PPPOE = {"calling_station_id": "AA:BB:CC:00:00:01", "nas_port_id": "ether2", "nas_port_type": 15, "service_type": 2}


async def states(db: Db) -> dict[str, str]:
    """Return what closed each live session, or ``open``, by Acct-Session-Id."""
    return {row["acct_session_id"]: row["closed_by"] or row["state"] for row in await live(db)}


# Accounting-On and -Off (RFC 2866 §5.1) --------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "closed_by"), [(ON, "accounting_on"), (OFF, "accounting_off")])
async def test_a_restart_closes_what_its_nas_had_open(db: Db, system_db: Db, status: Any, closed_by: str) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    restart = on(400)._replace(status=status)
    [ended] = await restart_of_nas(system_db, [restart])
    assert (ended.outcome, ended.state, ended.closed, ended.key[2]) == (Outcome.ENDED, "closed", True, "81000001")
    [row] = await live(db)
    assert (row["closed_by"], row["stopped_at"], row["closed_as_of"]) == (closed_by, moment(300), moment(400))
    assert (row["terminate_cause"], row["input_octets"]) == (11, 1000)
    assert await restart_of_nas(system_db, [restart]) == []
    assert await history(db) == []
    await check_usage(db)


async def test_a_restart_closes_nothing_of_others(db: Db, system_db: Db) -> None:
    """Not what a second NAS behind the same address has, nor another ISP's NAS of the same id, nor what came later."""
    events = [
        start(0, acct_session_id="1"),
        start(0, acct_session_id="2", nas_id=2),
        start(0, acct_session_id="3", isp_id=2),
        start(401, acct_session_id="4"),
        start(0, acct_session_id="5", nas_identifier="another"),
        start(400, acct_session_id="6"),
    ]
    await record(system_db, events)
    await restart_of_nas(system_db, [on(400, nas_identifier="MikroTik")])
    assert await states(db) == {"1": "accounting_on", **dict.fromkeys("23456", "open")}


async def test_restarts_of_several_nases_are_one_batch(db: Db, system_db: Db) -> None:
    await record(system_db, [start(0, nas_id=nas_id, isp_id=isp_id) for isp_id in (1, 2) for nas_id in (1, 2)])
    ended = await restart_of_nas(system_db, [on(10), on(10, nas_id=2), on(10, isp_id=2)])
    assert {one.key[:2] for one in ended} == {(1, 1), (1, 2), (2, 1)}
    assert await restart_of_nas(system_db, []) == []


async def test_a_report_sent_after_a_restart_opens_the_session_again(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    await restart_of_nas(system_db, [on(400)])
    [result] = await tell(system_db, interim(600, 600, 2000))
    assert (result.state, result.opened, result.input_octets) == ("open", True, 1000)
    [row] = await live(db)
    assert (row["closed_by"], row["stopped_at"], row["closed_as_of"], row["terminate_cause"]) == (
        None,
        None,
        None,
        None,
    )
    await check_usage(db)


async def test_a_report_sent_before_a_restart_counts_and_opens_nothing(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    await restart_of_nas(system_db, [on(400)])
    [result] = await tell(system_db, interim(500, 390, 1500, delay_time=110))
    assert (result.state, result.opened, result.input_octets) == ("closed", False, 500)
    assert await usage(db) == (1500, 1500, 390)
    await check_usage(db)


async def test_a_stop_after_a_restart_is_final(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000))
    await restart_of_nas(system_db, [on(400)])
    [result] = await tell(system_db, stop(401, 395, 1500, delay_time=6, terminate_cause=7))
    assert (result.input_octets, result.closed) == (500, False)
    [row] = await history(db)
    assert (row["closed_by"], row["terminate_cause"], row["stopped_at"]) == ("stop", 7, moment(395))
    await check_usage(db)


# RouterOS's reboot digit (seen on RouterOS 6 and 7) --------------------------------------------------------------


async def test_another_reboot_digit_closes_what_the_router_had_open(db: Db, system_db: Db) -> None:
    before = interim(300, 300, 1000, acct_session_id="81f00001", **ROUTER)
    await record(system_db, [before, before._replace(acct_session_id="81f00002")])
    [opened, *ended] = await record(system_db, [start(500, acct_session_id="81000001", **ROUTER)])
    assert opened.opened
    assert {(one.outcome, one.key[2]) for one in ended} == {(Outcome.ENDED, "81f00001"), (Outcome.ENDED, "81f00002")}
    for row in await live(db, closed_by="reboot"):
        assert (row["stopped_at"], row["closed_as_of"], row["terminate_cause"]) == (moment(300), moment(500), 11)
    assert await states(db) == {"81000001": "open", "81f00001": "reboot", "81f00002": "reboot"}
    await check_usage(db)


async def test_the_reboot_digit_closes_nothing_else(db: Db, system_db: Db) -> None:
    other_router = ROUTER | {"nas_ip_address": IPv4Address("192.168.88.2")}
    kept: dict[str, dict[str, Any]] = {
        "81300001": {},  # this boot's
        "80200001": {},  # another service
        "81200002": {"nas_id": 2},
        "81200003": {"isp_id": 2},
        "81200004": other_router,  # behind the same device entry
        "81200005": {"received_at_later": True},  # reports although the new session has begun
        "812000066": {},  # not RouterOS's form
        "8120000g": {},
        "81A00007": {},
    }
    for id, others in kept.items():  # noqa: A001
        at = 501 if others.pop("received_at_later", False) else 300
        await record(system_db, [interim(at, at, 1, acct_session_id=id, **(ROUTER | others))])
    await record(system_db, [interim(300, 300, 1, acct_session_id="81200001", **ROUTER)])
    await record(system_db, [start(500, acct_session_id="81300002", **ROUTER)])
    assert await states(db) == {"81200001": "reboot", "81300002": "open", **dict.fromkeys(kept, "open")}


async def test_all_digits_around_the_new_one_are_older_boots(db: Db, system_db: Db) -> None:
    digits = "0123456789abcdef"
    await record(system_db, [interim(300, 300, 1, acct_session_id=f"83{digit}00001", **ROUTER) for digit in digits])
    ended = (await record(system_db, [start(500, acct_session_id="83700002", **ROUTER)]))[1:]
    assert {one.key[2] for one in ended} == {f"83{digit}00001" for digit in digits.replace("7", "")}


async def test_a_large_router_that_reboots_is_closed_in_steps(system_db: Db) -> None:
    before = [interim(300, 300, 1, acct_session_id=f"812{n:05x}", **ROUTER) for n in range(2100)]
    await record(system_db, before)
    ended = [
        len(await record(system_db, [start(500 + n, acct_session_id=f"8130000{n}", **ROUTER)])) - 1 for n in range(3)
    ]
    assert ended == [2000, 100, 0]


async def test_a_start_that_comes_again_ends_what_it_did_not_the_first_time(db: Db, system_db: Db) -> None:
    """A crash between the two statements leaves the Start unacknowledged, and the NAS sends it again."""
    await record(system_db, [start(500, acct_session_id="81300001", **ROUTER)])
    await record(system_db, [interim(300, 300, 1, acct_session_id="81200001", **ROUTER)])
    duplicate, ended = await record(system_db, [start(500, acct_session_id="81300001", **ROUTER)])
    assert (duplicate.outcome, ended.key[2]) == (Outcome.DUPLICATE, "81200001")


# The same device on the same port --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        ({"nas_port": 7}, {"nas_port": 7}, True),
        ({"nas_port": 7}, {"nas_port": 7, "username_key": "berta"}, True),
        ({"nas_port": 7}, {"nas_port": 8}, True),  # RouterOS counts sessions in NAS-Port: the line is NAS-Port-Id
        ({"nas_port": 7}, {"nas_port": 8, "username_key": "berta"}, False),  # two PPPoE clients in one device
        ({"nas_port": 7}, {"nas_port": 7, "nas_port_id": "ether3"}, False),
        ({"nas_port": 7}, {"nas_port": 7, "calling_station_id": "AA:BB:CC:00:00:02"}, False),
        ({"nas_port": 7}, {"nas_port": 7, "calling_station_id": None}, False),
        ({"nas_port": 7}, {"nas_port": 7, "service_type": None}, False),  # its DHCP lease beside its hotspot login
        ({"nas_port": 7}, {"nas_port": 7, "nas_port_type": 19}, False),
        ({"nas_port": 7}, {"nas_port": 7, "nas_id": 2}, False),
        ({"nas_port": 7}, {"nas_port": 7, "isp_id": 2}, False),
        ({"nas_port": 7}, {"nas_port": 7, "nas_identifier": "another"}, False),
        ({"nas_port": 7, "nas_port_id": None}, {"nas_port": 7, "nas_port_id": None}, True),
        ({"nas_port": None, "nas_port_id": None}, {"nas_port": None, "nas_port_id": None}, False),
    ],
)
async def test_a_new_start_on_the_same_line(
    db: Db, system_db: Db, before: dict[str, Any], after: dict[str, Any], gone: bool
) -> None:
    await tell(system_db, interim(300, 300, 1000, acct_session_id="a", **(ROUTER | PPPOE | before)))
    _, *ended = await record(system_db, [start(500, acct_session_id="b", **(ROUTER | PPPOE | after))])
    assert await states(db) == {"a": "new_start" if gone else "open", "b": "open"}
    assert [one.key[2] for one in ended] == (["a"] if gone else [])
    if gone:
        [row] = await live(db, acct_session_id="a")
        assert (row["stopped_at"], row["closed_as_of"], row["terminate_cause"]) == (moment(300), moment(500), None)
    await check_usage(db)


async def test_a_start_that_comes_late_does_not_end_the_session_that_followed_it(db: Db, system_db: Db) -> None:
    line = ROUTER | PPPOE | {"nas_port": 7}
    await tell(
        system_db, start(500, acct_session_id="b", **line), start(510, acct_session_id="a", delay_time=300, **line)
    )
    assert (await states(db))["b"] == "open"


async def test_stop_and_new_start_in_one_batch_are_a_stop_and_a_start(db: Db, system_db: Db) -> None:
    line = ROUTER | PPPOE | {"nas_port": 7}
    await tell(system_db, interim(300, 300, 1000, acct_session_id="a", **line))
    batch = [start(501, acct_session_id="b", **line), stop(500, 500, 1500, acct_session_id="a", **line)]
    assert len(await record(system_db, batch)) == 2
    assert await states(db) == {"a": "stop", "b": "open"}


async def test_the_last_interim_and_a_new_start_in_one_batch_end_the_old_session(db: Db, system_db: Db) -> None:
    line = ROUTER | PPPOE | {"nas_port": 7}
    await record(
        system_db, [interim(499, 300, 1000, acct_session_id="a", **line), start(500, acct_session_id="b", **line)]
    )
    assert await states(db) == {"a": "new_start", "b": "open"}
    assert [row["input_octets"] for row in await live(db)] == [1000, 0]
    await check_usage(db)
