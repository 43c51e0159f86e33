"""What is written once a second: nothing is lost while the database is away, unless it does not fit."""

from collections.abc import Sequence
from typing import Any

import pytest

from radiuscore.aaa.records import Nas
from radiuscore.aaa.requests import AccessRequest
from radiuscore.engine.policy_replica import Login
from radiuscore.server import deferred_writer
from radiuscore.server.deferred_writer import CHUNK, DeferredWriter, LoginLog
from radiuscore.server.link import DatabaseLink
from radiuscore.wire.packet import Packet


class Table:
    """Takes rows unless the script says otherwise; it stands for a connection and for what is written over it."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.away = False
        self.bad: set[Any] = set()
        self.writes = 0

    def link(self) -> DatabaseLink:
        async def connect() -> Any:
            if self.away:
                raise ConnectionRefusedError
            return self

        return DatabaseLink(connect, "a test")

    def is_closed(self) -> bool:
        return False

    def terminate(self) -> None:
        pass

    async def write(self, _: object, rows: Sequence[Any]) -> None:
        self.writes += 1
        if self.away:
            raise ConnectionResetError
        if self.bad & set(rows):
            raise ValueError("bad")
        self.rows += rows


@pytest.fixture
def table() -> Table:
    return Table()


def writer_to(table: Table, capacity: int = 10_000) -> DeferredWriter[int]:
    return DeferredWriter(table.link(), table.write, "a number", capacity)


async def test_everything_is_written_in_order_and_in_chunks(table: Table) -> None:
    writer = writer_to(table)
    for number in range(2 * CHUNK + 1):
        writer.offer(number)
    await writer.flush()
    assert table.rows == list(range(2 * CHUNK + 1))
    assert (table.writes, writer.written, writer.queued) == (3, 2 * CHUNK + 1, 0)


async def test_what_the_database_does_not_take_now_stays(table: Table) -> None:
    writer = writer_to(table)
    for number in range(CHUNK + 5):
        writer.offer(number)
    for _ in range(3):
        table.away = True
        await writer.flush()
        assert (table.rows, writer.queued) == ([], CHUNK + 5)
    table.away = False
    await writer.flush()
    assert table.rows == list(range(CHUNK + 5))


async def test_what_does_not_fit_is_dropped_and_counted(table: Table) -> None:
    writer = writer_to(table, capacity=10)
    for number in range(15):
        writer.offer(number)
    await writer.flush()
    assert (table.rows, writer.dropped) == (list(range(10)), 5)


async def test_a_bad_row_blocks_no_other(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    table.bad = {7, 90}
    writer = writer_to(table)
    for number in range(100):
        writer.offer(number)
    await writer.flush()
    assert sorted(table.rows) == [number for number in range(100) if number not in table.bad]
    assert (writer.refused, writer.written, writer.queued) == (2, 98, 0)
    assert caplog.records[0].getMessage() == "a number cannot be stored"


def login(isp_id: int, nas_id: int) -> Login:
    nas = Nas("10.0.0.1", secret=b"secret", isp_id=isp_id, id=nas_id)
    return Login(AccessRequest(Packet(1, 0, bytes(16), ()), {}, nas, (), 0.0), None, "unknown_user", None)


async def test_one_routers_flood_leaves_room_for_the_others(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_writer, "LOGINS_PER_NAS", 3)
    log = LoginLog(table.link(), table.write)
    for _ in range(2):
        for isp_id, nas_id, count in ((1, 1, 10), (1, 2, 2), (2, 3, 4)):
            for _ in range(count):
                log.offer(login(isp_id, nas_id))
        await log.flush()
    kept = [(one.request.nas.isp_id, one.request.nas.id) for one in table.rows]
    assert [kept.count(nas) for nas in ((1, 1), (1, 2), (2, 3))] == [6, 4, 6]
    assert log.dropped == 2 * 8


async def test_the_last_login_is_known_also_when_it_is_not_kept(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_writer, "LOGINS_PER_NAS", 1)
    log = LoginLog(table.link(), table.write)
    assert log.last is None
    for one in (login(1, 1), login(1, 1)):
        log.offer(one)
        assert log.last is one
