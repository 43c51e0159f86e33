"""The spool: what was appended is there after any end of the process, in order, once."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.plain import from_plain, to_plain
from radiuscore.aaa.records import QuotaPeriod
from radiuscore.store.spool import Spool, SpoolBroken
from radiuscore.wire.codes import AcctStatusType


def event(number: int, isp_id: int = 1) -> AccountingEvent:
    return AccountingEvent(
        isp_id, 7, AcctStatusType.INTERIM_UPDATE, f"8100{number:04x}", "nemo", "nemo", 1_700_000_000.5 + number,
        input_octets=2**40 + number, session_uuid=bytes(range(16)), zone=ZoneInfo("Asia/Kolkata"),
    )  # fmt: skip


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    opened = await Spool.open(tmp_path / "worker-0.spool")
    yield opened
    await opened.close()


events = st.builds(
    AccountingEvent,
    isp_id=st.integers(1, 2**31 - 1),
    nas_id=st.integers(1, 2**63 - 1),
    status=st.sampled_from(AcctStatusType),
    acct_session_id=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    username=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    username_key=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    received_at=st.floats(0, 2**33),
    input_octets=st.none() | st.integers(0, 2**64 - 1),
    session_uuid=st.none() | st.binary(min_size=16, max_size=16),
    granted=st.none() | st.binary(max_size=40),
    nas_address=st.none() | st.just("203.0.113.7"),
    framed_ip_address=st.none() | st.ip_addresses(v=4),
    framed_ipv6_prefix=st.none() | st.just(IPv6Network("2001:db8::/56")),
    quota_period=st.sampled_from(QuotaPeriod),
    zone=st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")]),
)


@given(events)
def test_an_event_comes_back_as_it_went(given: AccountingEvent) -> None:
    assert from_plain(to_plain(given), ZoneInfo) == given


def test_a_record_of_another_release_is_read() -> None:
    fields = to_plain(event(1)) | {"a_field_of_tomorrow": 1}
    del fields["session_uuid"]
    assert from_plain(fields, ZoneInfo) == event(1)._replace(session_uuid=None)


async def test_keeps_the_order_of_two_isps_with_equal_sessions(spool: Spool) -> None:
    await spool.append([event(1), event(1, isp_id=2)])
    await spool.append([event(0)])
    records = await spool.read(10)
    assert [record.event for record in records] == [event(1), event(1, isp_id=2), event(0)]
    assert (spool.depth, spool.oldest_at) == (3, event(1).received_at)
    assert [record.event for record in await spool.read(1, after=records[0].seq)] == [event(1, isp_id=2)]


async def test_forgets_what_was_replayed_and_nothing_else(spool: Spool) -> None:
    await spool.append([event(number) for number in range(5)])
    records = await spool.read(2)
    await spool.append([event(5)])
    await spool.forget(records[-1].seq)
    assert [record.event for record in await spool.read(10)] == [event(number) for number in range(2, 6)]
    assert (spool.depth, spool.oldest_at) == (4, event(2).received_at)


async def test_is_there_after_a_restart(tmp_path: Path) -> None:
    first = await Spool.open(tmp_path / "worker-0.spool")
    await first.append([event(1), event(2)])
    await first.close()
    second = await Spool.open(tmp_path / "worker-0.spool")
    assert second.depth == 2
    assert [record.event for record in await second.read(10)] == [event(1), event(2)]
    await second.close()


async def test_belongs_to_one_process(tmp_path: Path) -> None:
    first = await Spool.open(tmp_path / "worker-0.spool")
    with pytest.raises(SpoolBroken, match=r"worker-0\.spool"):
        await Spool.open(tmp_path / "worker-0.spool")
    await first.close()


async def test_a_directory_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpoolBroken, match="does not work"):
        await Spool.open(tmp_path / "nowhere" / "worker-0.spool")


async def test_a_full_disk_promises_nothing(spool: Spool) -> None:
    await spool.append([event(0)])
    await spool._run(lambda: spool._db.execute("PRAGMA max_page_count=4").fetchall())
    many = [event(number) for number in range(1, 500)]
    with pytest.raises(SpoolBroken, match="full"):
        await spool.append(many)
    assert [record.event for record in await spool.read(1000)] == [event(0)]
    assert spool.depth == 1


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.store.test_spool import event
from radiuscore.store.spool import Spool

async def main():
    spool = await Spool.open(Path(sys.argv[1]))
    number = 0
    while True:
        await spool.append([event(number), event(number + 1)])
        number += 2
        print(number, flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "worker-0.spool"
    acknowledged = await asyncio.to_thread(_write_until_killed, path)
    spool = await Spool.open(path)
    found = [record.event for record in await spool.read(10_000)]
    await spool.close()
    assert len(found) >= acknowledged
    assert found == [event(number) for number in range(len(found))]


def test_ip_addresses_are_plain_text() -> None:
    plain = to_plain(event(1)._replace(framed_ip_address=IPv4Address("10.0.0.1")))
    assert plain["framed_ip_address"] == "10.0.0.1"


def _write_until_killed(path: Path) -> int:
    """Return how many records a process had acknowledged when it was killed."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < 100:
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        return max([acknowledged, *map(int, writer.stdout.read().split())])
