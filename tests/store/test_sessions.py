"""What NASes report of sessions, and what is known after it: in any order, twice, late, and after a reboot."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from radiuscore.store.reports import Report
from radiuscore.store.session_queries import find_online, find_session
from radiuscore.store.sessions import RECORD, Outcome, record, session_key
from tests.store.reporting import (
    CUSTOMER,
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

GIB = 2**30


async def test_a_session_from_start_to_stop(db: Db, system_db: Db) -> None:
    opened, counted, closed = await tell(
        system_db, start(0), interim(300, 300, (10, 1000)), stop(420, 420, (20, 5000), terminate_cause=1)
    )
    assert (opened.outcome, opened.state, opened.opened, opened.closed) == (Outcome.APPLIED, "open", True, False)
    assert (counted.input_octets, counted.output_octets, counted.session_time) == (10, 1000, 300)
    assert (counted.opened, counted.closed, counted.customer_id) == (False, False, CUSTOMER)
    assert (closed.input_octets, closed.output_octets, closed.session_time) == (10, 4000, 120)
    assert (closed.state, closed.opened, closed.closed) == ("closed", False, True)
    [row] = await history(db)
    assert (row["started_at"], row["stopped_at"], row["updated_at"]) == (moment(0), moment(420), moment(420))
    assert (row["session_time"], row["input_octets"], row["output_octets"]) == (420, 20, 5000)
    assert (row["closed_by"], row["terminate_cause"], row["customer_id"]) == ("stop", 1, CUSTOMER)
    assert [row["state"] for row in await live(db)] == ["closed"]
    assert await usage(db) == (20, 5000, 420)
    await check_usage(db)


async def test_everything_that_is_reported_is_kept(db: Db, system_db: Db) -> None:
    session_uuid = bytes(range(16))
    event = interim(
        60,
        60,
        (1, 2),
        session_uuid=session_uuid,
        plan_id=3,
        input_packets=4,
        output_packets=5,
        framed_ip_address=IPv4Address("100.64.0.9"),
        framed_ipv6_prefix=IPv6Network("2001:db8::/64"),
        delegated_ipv6_prefix=IPv6Network("2001:db8:1::/56"),
        calling_station_id="AA:BB:CC:00:00:01",
        called_station_id="service1",
        nas_ip_address=IPv4Address("192.168.88.1"),
        nas_identifier="MikroTik",
        nas_port=4294967295,
        nas_port_id="ether2",
        nas_port_type=15,
        service_type=2,
        event_timestamp=86_400,
        local_address="10.0.0.1",
        nas_address="203.0.113.7",
        granted=b"\x1b\x06\0\0\x0e\x10",
    )
    await record(system_db, [event], node="node1")
    session = await find_session(system_db, 1, UUID(bytes=session_uuid))
    assert session is not None
    assert session == (await find_online(system_db, 1, CUSTOMER))[0]
    for name in set(session._fields) & set(event._fields):
        assert str(getattr(session, name)) == str(getattr(event, name)), name
    assert (session.node, session.state, session.started_at) == ("node1", "open", moment(0))
    [row] = await live(db)
    assert row["event_timestamp"].timestamp() == 86_400
    assert row["granted"] == event.granted
    assert await find_session(system_db, 2, UUID(bytes=session_uuid)) is None
    assert await find_online(system_db, 2, CUSTOMER) == []


@pytest.mark.parametrize("status", ["start", "interim", "stop"])
async def test_a_retransmission_changes_and_writes_nothing(db: Db, system_db: Db, status: str) -> None:
    events = {"start": start(0), "interim": interim(300, 300, 1000), "stop": stop(420, 420, 5000)}
    await tell(system_db, *list(events.values())[: list(events).index(status) + 1])
    versions = await row_versions(db)
    late = T + 430.0
    for again in (
        events[status],
        events[status]._replace(received_at=late, delay_time=int(late - events[status].received_at)),
    ):
        [result] = await record(system_db, [again])
        assert result == (session_key(again), Outcome.DUPLICATE, None, None, 0, 0, 0, "", False, False)
    assert await row_versions(db) == versions


async def test_what_a_session_was_granted_is_what_its_first_start_says_and_its_nas_is_where_it_reports_from(
    db: Db, system_db: Db
) -> None:
    await tell(
        system_db,
        interim(60, 60, 10, nas_address="203.0.113.7"),
        start(0, granted=b"\x1b\x06\0\0\0\x01", nas_address="203.0.113.7"),
        interim(120, 120, 20, granted=b"\x1b\x06\0\0\0\x02", nas_address="203.0.113.8"),
        interim(180, 180, 30),
    )
    [row] = await live(db)
    assert (row["granted"], str(row["nas_address"])) == (b"\x1b\x06\0\0\0\x01", "203.0.113.8")
    await tell(system_db, stop(200, 200, 40))
    [row] = await history(db)
    assert str(row["nas_address"]) == "203.0.113.8"


async def test_a_session_with_a_reused_id_has_nothing_of_the_one_before(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0, granted=b"\x1b\x06\0\0\0\x01", nas_address="203.0.113.7"), stop(60, 60, 5))
    await tell(system_db, start(600))
    [row] = await live(db)
    assert (row["state"], row["granted"], row["nas_address"]) == ("open", None, None)


async def test_a_second_stop_adds_what_the_first_did_not_have(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), stop(100, 100, 1000, terminate_cause=1))
    [result] = await tell(system_db, stop(101, 101, 1500, terminate_cause=2))
    assert (result.input_octets, result.session_time, result.closed) == (500, 1, False)
    [row] = await history(db)
    assert (row["stopped_at"], row["terminate_cause"]) == (moment(100), 1)  # the first Stop says when and why
    assert (row["session_time"], row["input_octets"], row["output_octets"]) == (101, 1500, 1500)
    await check_usage(db)


async def test_an_interim_before_its_start_opens_the_session(db: Db, system_db: Db) -> None:
    early, late = await tell(
        system_db, interim(300, 300, 1000), start(0.75, framed_ip_address=IPv4Address("100.64.0.9"))
    )
    assert (early.opened, late.opened, late.state) == (True, False, "open")
    [row] = await live(db)
    assert (row["started_at"], row["updated_at"], row["session_time"]) == (moment(0.75), moment(300), 300)
    assert (row["input_octets"], row["statuses"], row["framed_ip_address"]) == (1000, 5, IPv4Address("100.64.0.9"))
    await check_usage(db)


async def test_a_stop_before_start_and_interim_stays_closed(db: Db, system_db: Db) -> None:
    results = await tell(system_db, stop(420, 420, 5000), interim(300, 300, 1000), start(0))
    assert [result.state for result in results] == ["closed", "closed", "closed"]
    assert [result.input_octets for result in results] == [5000, 0, 0]
    [row] = await live(db)
    assert (row["state"], row["stopped_at"], row["input_octets"]) == ("closed", moment(420), 5000)
    assert len(await history(db)) == 1
    assert (await history(db))[0]["started_at"] == moment(0)
    await check_usage(db)


async def test_an_overtaken_interim_shrinks_nothing(db: Db, system_db: Db) -> None:
    _, _, overtaken = await tell(system_db, start(0), interim(600, 600, 2000), interim(300, 300, 1000))
    assert (overtaken.input_octets, overtaken.session_time) == (0, 0)
    [row] = await live(db)
    assert (row["session_time"], row["input_octets"], row["updated_at"]) == (600, 2000, moment(600))
    await check_usage(db)


async def test_counters_pass_four_gibioctets(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, (3 * GIB, 5 * GIB)), interim(600, 600, (5 * GIB, 40_000 * GIB)))
    assert await usage(db) == (5 * GIB, 40_000 * GIB, 600)
    await check_usage(db)


async def test_a_counter_that_goes_back_while_time_goes_on_began_anew(db: Db, system_db: Db) -> None:
    events = [start(0), interim(300, 300, (1000, 10)), interim(600, 600, (50, 30)), stop(900, 900, (80, 35))]
    results = await tell(system_db, *events)
    assert [result.input_octets for result in results] == [0, 1000, 50, 30]
    assert [result.output_octets for result in results] == [0, 10, 20, 5]
    await tell(system_db, *events)
    [row] = await history(db)
    assert (row["input_octets"], row["output_octets"], row["input_counter"]) == (1080, 35, 80)
    await check_usage(db)


async def test_two_reports_of_one_second_count_the_larger_one(db: Db, system_db: Db) -> None:
    await tell(
        system_db, interim(300, 300, 1000), stop(300, 300, 900), interim(300, 300, 1000), interim(300, 300, 1100)
    )
    [row] = await history(db)
    assert (row["input_octets"], row["input_counter"]) == (1100, 1100)
    await check_usage(db)


async def test_a_report_without_counters_leaves_them_alone(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, (None, None)), interim(600, 600, (1000, None)))
    await tell(system_db, interim(900, 900, (None, 7)), interim(1200, 1200, (1500, 9)))
    [row] = await live(db)
    assert (row["input_octets"], row["output_octets"], row["session_time"]) == (1500, 9, 1200)
    await check_usage(db)


async def test_fifty_millionths_of_drift_for_a_week_are_one_session(db: Db, system_db: Db) -> None:
    for elapsed in range(0, 7 * 86_400, 6 * 3600):
        await tell(system_db, interim(elapsed - 8 * 86_400, int(elapsed * 1.00005), elapsed))
    [row] = await live(db)
    assert row["input_octets"] == 7 * 86_400 - 6 * 3600
    assert await history(db) == []
    await check_usage(db)


@pytest.mark.parametrize("leap", [3600, 86_400, 40 * 365 * 86_400])
async def test_a_session_clock_that_leaps_is_one_session(db: Db, system_db: Db, leap: int) -> None:
    """A router that reckons session time from its wall clock gets the right time from NTP in the middle."""
    await tell(
        system_db, start(0), interim(300, 300, 100), interim(600, 600 + leap, 200), interim(900, 900 + leap, 300)
    )
    await tell(system_db, stop(1000, 1000 + leap, 400), stop(1000, 1000 + leap, 400))
    [row] = await history(db)
    assert (row["input_octets"], row["closed_by"]) == (400, "stop")
    await check_usage(db)


async def test_a_session_clock_that_stands_still_while_idle_is_one_session(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(3600, 3600, 100), stop(4200, 3610, 150))
    [row] = await history(db)
    assert (row["input_octets"], row["session_time"], row["stopped_at"]) == (150, 3610, moment(4200))
    await check_usage(db)


async def test_made_up_session_times_in_quick_succession_are_one_session(db: Db, system_db: Db) -> None:
    """What people send with radclient to see what happens."""
    await tell(system_db, start(0), interim(0.01, 300, 1000), interim(0.02, 600, 2000), stop(0.03, 3600, 5000))
    [row] = await history(db)
    assert (row["input_octets"], row["session_time"], row["closed_by"]) == (5000, 3600, "stop")
    assert len(await live(db)) == 1
    await check_usage(db)


async def test_unknown_users_are_kept_and_counted_to_nobody(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0, customer_id=None), stop(60, 60, 1000, customer_id=None))
    [row] = await history(db)
    assert (row["username"], row["customer_id"], row["input_octets"]) == ("Anna", None, 1000)
    assert await db.fetchval("SELECT count(*) FROM accounting.usage_hour") == 0


async def test_a_customer_who_is_made_during_his_session_is_counted_from_then_on(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0, customer_id=None), interim(300, 300, 1000, customer_id=None), stop(600, 600, 1500))
    assert (await history(db))[0]["customer_id"] == CUSTOMER
    assert await usage(db) == (500, 500, 300)


async def test_a_customer_who_is_deleted_keeps_the_usage_of_his_session(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), stop(600, 600, 1500, customer_id=None))
    assert await usage(db) == (1500, 1500, 600)
    await check_usage(db)


async def test_two_users_with_one_session_id_on_one_nas_are_two_sessions(db: Db, system_db: Db) -> None:
    berta = {"username": "Berta", "username_key": "berta", "customer_id": 8}
    await record(system_db, [start(0), start(0, **berta)])
    await record(system_db, [stop(60, 60, 1000, **berta), interim(60, 60, 10)])
    assert [(row["username"], row["state"], row["input_octets"]) for row in await live(db)] == [
        ("Anna", "open", 10),
        ("Berta", "closed", 1000),
    ]
    await check_usage(db)


async def test_two_sessions_with_one_class_are_two_sessions(db: Db, system_db: Db) -> None:
    """A NAS that returns one Class for all: nobody's batch may fail for it."""
    same = {"session_uuid": bytes(16)}
    await record(system_db, [start(0, **same), start(0, acct_session_id="81000002", **same)])
    await record(system_db, [stop(60, 60, 1, **same), stop(60, 60, 2, acct_session_id="81000002", **same)])
    assert sorted(row["input_octets"] for row in await history(db)) == [1, 2]
    await check_usage(db)


async def test_attributes_are_those_of_the_latest_report_that_has_them(db: Db, system_db: Db) -> None:
    first, second = IPv4Address("100.64.0.1"), IPv4Address("100.64.0.2")
    await tell(
        system_db, start(0, plan_id=1, framed_ip_address=first), interim(600, 600, plan_id=2, framed_ip_address=second)
    )
    await tell(system_db, interim(300, 300, plan_id=1, framed_ip_address=first), interim(900, 900))
    [row] = await live(db)
    assert (row["framed_ip_address"], row["plan_id"]) == (second, 2)


async def test_a_batch_answers_in_the_order_it_was_given(system_db: Db) -> None:
    events = [start(0, acct_session_id=f"8100000{n}") for n in (5, 1, 9, 3)]
    results = await record(system_db, events)
    assert [result.key for result in results] == [session_key(event) for event in events]
    assert await record(system_db, []) == []


async def test_nothing_is_recorded_before_the_transaction_of_the_caller_ends(db: Db, system_db: Db) -> None:
    transaction = system_db.transaction()
    await transaction.start()
    await tell(system_db, start(0), interim(300, 300, 1000), interim(0, 300, 500), start(0))
    await transaction.rollback()
    assert await live(db) == []
    assert await usage(db) == (0, 0, 0)


# Reports without Acct-Session-Time -------------------------------------------------------------------------------


async def test_without_session_time_our_clock_tells_it(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, None, 1000), interim(600, None, 2000), stop(660, None, 2100))
    [row] = await history(db)
    assert (row["session_time"], row["input_octets"], row["stopped_at"]) == (660, 2100, moment(660))
    await check_usage(db)


async def test_without_session_time_smaller_counters_are_overtaken_ones(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(600, None, 2000), interim(601, None, 1000), interim(601, None, 2000))
    [row] = await live(db)
    assert row["input_octets"] == 2000
    await check_usage(db)


async def test_without_session_time_at_first_sight_a_session_begins_there(db: Db, system_db: Db) -> None:
    await tell(system_db, interim(600, None, 2000), interim(900, None, 2500), interim(900, None, 2500))
    [row] = await live(db)
    assert (row["started_at"], row["session_time"], row["input_octets"]) == (moment(600), 300, 2500)
    await check_usage(db)


async def test_without_session_time_and_counters_a_report_is_still_a_sign_of_life(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0), interim(300, 300, 1000), interim(600, None))
    [row] = await live(db)
    assert (row["updated_at"], row["input_octets"]) == (moment(600), 1000)


async def test_a_stop_without_session_time_closes(db: Db, system_db: Db) -> None:
    await tell(system_db, interim(300, 300, 1000), stop(301, None, 500))
    [row] = await history(db)
    assert (row["session_time"], row["input_octets"]) == (300, 1000)
    await check_usage(db)


# Tenancy ---------------------------------------------------------------------------------------------------------


async def test_isps_that_look_alike_stay_apart(db: Db, system_db: Db) -> None:
    """The same names, session ids, addresses, customer ids and even NAS ids."""
    same = {"framed_ip_address": IPv4Address("100.64.0.9"), "nas_ip_address": IPv4Address("192.168.88.1")}
    await record(system_db, [start(0, isp_id=isp_id, **same) for isp_id in (1, 2)])
    await record(system_db, [interim(300, 300, 1000, **same), stop(300, 300, 50, isp_id=2, **same)])
    await record(system_db, [stop(600, 600, 1500, **same)])
    assert [(row["isp_id"], row["state"], row["input_octets"]) for row in await live(db)] == [
        (1, "closed", 1500),
        (2, "closed", 50),
    ]
    assert [(row["isp_id"], row["input_octets"]) for row in await history(db)] == [(1, 1500), (2, 50)]
    assert (await usage(db), await usage(db, isp_id=2)) == ((1500, 1500, 600), (50, 50, 300))
    await check_usage(db)


# The statement ---------------------------------------------------------------------------------------------------


def test_the_statement_names_the_fields_of_a_report_in_their_order() -> None:
    names = RECORD.split("AS report (", 1)[1].split(")", 1)[0]
    assert tuple(name.strip() for name in names.split(",")) == Report._fields
    assert f"${len(Report._fields)}::" in RECORD
    assert f"${len(Report._fields) + 2}\n" in RECORD


def test_the_assigned_columns_and_their_values_have_the_same_order() -> None:
    """`SET (a, b) = (SELECT x, y)` pairs by position; every column's value mentions the column, if any."""
    columns = [name.strip() for name in RECORD.split("SET (customer_id", 1)[1].split(") = (", 1)[0].split(",")]
    columns[0] = "customer_id"
    values = split_at_commas(
        RECORD.split(") = (\n    SELECT ", 1)[1].split("\n      FROM (SELECT excluded.session_time", 1)[0]
    )
    assert len(columns) == len(values)
    for column, value in zip(columns, values, strict=True):
        if column == "state_before":
            assert value == "s.state"
        elif column.startswith("delta_"):
            assert column.split("_")[1] in value
        else:
            assert f"s.{column}" in value or f"excluded.{column}" in value, column


def split_at_commas(text: str) -> list[str]:
    """Return the expressions of a list, comments left out."""
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith("--"))
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [" ".join(part.split()) for part in parts]
