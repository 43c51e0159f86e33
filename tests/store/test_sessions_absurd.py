"""What no honest NAS sends: it is recorded somehow, and never keeps the reports beside it from being recorded."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.names import text_of, username_key
from radiuscore.aaa.records import QuotaPeriod
from radiuscore.store.reports import MAX_OCTETS, report_of
from radiuscore.store.sessions import Outcome, record, restart_of_nas
from tests.store.reporting import CUSTOMER, T, check_usage, history, interim, live, moment, on, start, stop, tell, usage

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

U32 = 2**32 - 1
U64 = 2**64 - 1
LONGEST = text_of(b"\xff" * 253)  # 1,012 characters: the most that a text attribute becomes
WIDEST = text_of("ΐ".encode() * 126)  # case folding makes three characters of one

ABSURD: dict[str, dict[str, Any]] = {
    "octets": {"input_octets": U64, "output_octets": U64, "input_packets": U64, "output_packets": U64},
    "negative": {"input_octets": -1, "output_octets": -(2**70), "session_time": -5, "nas_port": -1, "delay_time": -9},
    "integers": dict.fromkeys(["terminate_cause", "nas_port", "nas_port_type", "service_type", "event_timestamp"], U32),
    "session time": {"session_time": U32},
    "delay": {"delay_time": U32},
    "long delay": {"delay_time": 8 * 86_400},
    "event timestamp 0": {"event_timestamp": 0},
    "event timestamp 2**31 - 1": {"event_timestamp": 2**31 - 1},
    "1970": {"received_at": 0.0, "session_time": U32, "delay_time": U32},
    "2106": {"received_at": 4.3e9},
    "far future": {"received_at": 1e18},
    "empty": {"acct_session_id": "", "username": "", "username_key": ""},
    "long texts": {
        **dict.fromkeys(["acct_session_id", "username", "calling_station_id", "called_station_id"], LONGEST),
        **dict.fromkeys(["nas_identifier", "nas_port_id"], LONGEST),
        "username_key": username_key(LONGEST),
    },
    "wide texts": {"acct_session_id": WIDEST, "username": WIDEST, "username_key": username_key(WIDEST)},
    "odd texts": {"acct_session_id": "'; DROP TABLE sessions; --", "username": "%s\\x00{}", "nas_port_id": "\x01\x7f"},
    "addresses": {
        "framed_ip_address": IPv4Address(U32),
        "nas_ip_address": IPv4Address(0),
        "framed_ipv6_prefix": IPv6Network("::/0"),
        "delegated_ipv6_prefix": IPv6Network("ffff::1/128"),
        "local_address": "fe80::1",
        "nas_address": "fe80::2",
    },
}


@pytest.mark.parametrize("kind", ABSURD)
@pytest.mark.parametrize("ordinary", [start(0), interim(60, 60, 5), stop(60, 60, 5)], ids=["start", "interim", "stop"])
async def test_what_is_absurd_is_recorded_and_stops_nobody(
    db: Db, system_db: Db, kind: str, ordinary: AccountingEvent
) -> None:
    changes: dict[str, Any] = {"acct_session_id": "absurd", "customer_id": CUSTOMER + 1} | ABSURD[kind]
    absurd = ordinary._replace(**changes)
    beside = [ordinary, ordinary._replace(acct_session_id="z")]
    for batch in (beside, [*beside, absurd], [absurd]):
        results = await record(system_db, batch)
        assert len(results) >= len(batch)
    assert len(await live(db)) == 3
    assert results[0].outcome is Outcome.DUPLICATE
    await check_usage(db)


async def test_octets_that_no_link_carries_do_not_overflow(db: Db, system_db: Db) -> None:
    """Again and again from zero to the end of 64 bits: the totals stop at what is stored, and so does the usage."""
    for n in range(1, 10):
        await record(
            system_db,
            [
                interim(n * 10, n * 10, (U64 if n % 2 else 0, U64), acct_session_id=f"81{session:06x}")
                for session in range(5)
            ],
        )
    assert {row["input_octets"] for row in await live(db)} == {MAX_OCTETS}
    assert (await usage(db))[:2] == (MAX_OCTETS, MAX_OCTETS)


async def test_a_delay_that_cannot_be_is_none(db: Db, system_db: Db) -> None:
    await tell(system_db, interim(60, 60, 5, delay_time=U32))
    [row] = await live(db)
    assert (row["updated_at"], row["started_at"]) == (moment(60), moment(0))


async def test_a_clock_of_the_router_in_1970_changes_nothing(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0, event_timestamp=1), stop(60, 60, 5, event_timestamp=U32))
    [row] = await history(db)
    assert (row["started_at"], row["stopped_at"], row["session_time"]) == (moment(0), moment(60), 60)


async def test_a_restart_at_an_absurd_time_closes_nothing(db: Db, system_db: Db) -> None:
    await tell(system_db, start(0))
    restart = on(0, delay_time=U32, nas_identifier=LONGEST)._replace(received_at=0.0)
    assert await restart_of_nas(system_db, [restart]) == []
    assert (await live(db))[0]["state"] == "open"


texts = st.binary(max_size=253).map(text_of)
integers = st.none() | st.integers(0, U32)
octets = st.none() | st.integers(0, U64)
events = st.builds(
    AccountingEvent,
    isp_id=st.just(1),
    nas_id=st.integers(1, 2),
    status=st.sampled_from([start(0).status, interim(0, 0).status, stop(0, 0).status]),
    acct_session_id=texts,
    username=texts,
    username_key=texts.map(username_key),
    received_at=st.floats(0, 2.0**33) | st.floats(T - 90_000, T),
    delay_time=st.integers(0, U32) | st.integers(0, 100),
    session_time=integers,
    input_octets=octets,
    output_octets=octets,
    input_packets=octets,
    output_packets=octets,
    terminate_cause=integers,
    session_uuid=st.none() | st.binary(min_size=16, max_size=16),
    customer_id=st.sampled_from([None, CUSTOMER]),
    calling_station_id=st.none() | texts,
    called_station_id=st.none() | texts,
    nas_identifier=st.none() | texts,
    nas_port=integers,
    nas_port_id=st.none() | texts,
    nas_port_type=integers,
    service_type=integers,
    event_timestamp=integers,
    plan_id=st.just(None),
    framed_ip_address=st.none() | st.ip_addresses(v=4),
    framed_ipv6_prefix=st.just(None),
    delegated_ipv6_prefix=st.just(None),
    nas_ip_address=st.none() | st.ip_addresses(v=4),
    interim_interval_s=st.just(300),
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Berlin"]).map(ZoneInfo),
    local_address=st.just(None),
    nas_address=st.just(None),
    granted=st.none() | st.binary(max_size=300),
    quota_period=st.sampled_from(QuotaPeriod),
    quota_anchor_day=st.integers(1, 7),
)


@given(events)
def test_a_report_is_made_of_every_event(event: AccountingEvent) -> None:
    row = report_of(event)
    assert row.key == (event.isp_id, event.nas_id, event.acct_session_id, event.username_key)
    assert row.start_estimate <= row.sent_at.timestamp()
    assert row.hour <= row.sent_at


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    batch=st.lists(events, min_size=1, max_size=8, unique_by=lambda event: (event.acct_session_id, event.username_key))
)
async def test_every_batch_is_recorded(system_db: Db, batch: list[AccountingEvent]) -> None:
    for _ in range(2):
        results = await record(system_db, batch)
        assert len(results) >= len(batch)
