"""The log of logins: what was decided, for whom, where and why; each ISP its own."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from radiuscore.aaa.authlog import AuthLogRow
from radiuscore.aaa.names import text_of
from radiuscore.store import authlog
from tests.store.reporting import T, moment

if TYPE_CHECKING:
    from tests.conftest import Db

pytestmark = pytest.mark.postgres

ACCEPT = AuthLogRow(
    at=T + 0.25,
    isp_id=1,
    nas_id=2,
    customer_id=3,
    username="Anna",
    outcome="accept",
    reason="",
    method="mschapv2",
    calling_station_id="AA:BB:CC:00:00:01",
    called_station_id="service1",
    acct_session_id="81000001",
    nas_port_id="ether2",
    framed_ip_address=IPv4Address("100.64.0.9"),
    session_uuid=bytes(range(16)),
)
REJECT = AuthLogRow(T + 1.0, 1, 2, None, "x", "reject", "unknown_user", "pap", None, None, None, None, None, None)


async def rows(db: Db) -> list[Any]:
    found: list[Any] = await db.fetch("SELECT * FROM accounting.auth_log ORDER BY isp_id, at, username")
    return found


async def test_what_is_written_is_there(db: Db, system_db: Db) -> None:
    await authlog.write(system_db, [ACCEPT, REJECT], node="node1")
    accepted, rejected = await rows(db)
    for name, value in ACCEPT._asdict().items():
        if name not in ("at", "session_uuid"):
            assert accepted[name] == value, name
    assert (accepted["at"], accepted["session_uuid"]) == (moment(0.25), UUID(bytes=bytes(range(16))))
    assert (rejected["outcome"], rejected["reason"], rejected["node"]) == ("reject", "unknown_user", "node1")
    assert rejected["session_uuid"] is None


async def test_an_empty_batch_is_none(db: Db, system_db: Db) -> None:
    await authlog.write(system_db, [])
    assert await rows(db) == []


async def test_a_storm_is_one_statement(db: Db, system_db: Db) -> None:
    await authlog.write(system_db, [ACCEPT._replace(at=T + n / 100, nas_id=n) for n in range(1000)])
    assert len(await rows(db)) == 1000


@pytest.mark.parametrize("at", [0.0, T - 400 * 86_400.0, T + 400 * 86_400.0])
async def test_a_wrong_clock_loses_no_row(db: Db, system_db: Db, at: float) -> None:
    await authlog.write(system_db, [REJECT._replace(at=at), REJECT])
    assert len(await rows(db)) == 2


async def test_what_anybody_may_send_as_a_name_is_text(db: Db, system_db: Db) -> None:
    names = [text_of(octets) for octets in (b"", b"\xff" * 253, b"a\0b", b"'; --", "ü\n\x1b[31m".encode())]
    await authlog.write(system_db, [REJECT._replace(username=name, calling_station_id=name) for name in names])
    assert sorted(row["username"] for row in await rows(db)) == sorted(names)


async def test_an_isp_sees_its_own(system_db: Db, isp_db: Db) -> None:
    await authlog.write(system_db, [REJECT, REJECT._replace(isp_id=2)])
    async with isp_db.transaction():
        await isp_db.execute("SELECT set_config('app.isp_id', '2', true)")
        assert [row["isp_id"] for row in await rows(isp_db)] == [2]


async def test_the_questions_of_staff_are_index_scans(db: Db, system_db: Db) -> None:
    await authlog.write(system_db, [REJECT._replace(isp_id=1 + n % 50, username=f"u{n}") for n in range(5000)])
    await db.execute("ANALYZE accounting.auth_log")
    for condition in ("outcome = 'reject'", "username = 'u7'"):
        query = f"SELECT at, reason FROM accounting.auth_log WHERE isp_id = 8 AND {condition} ORDER BY at DESC LIMIT 50"  # noqa: S608
        plan = "\n".join(row[0] for row in await db.fetch("EXPLAIN " + query))
        assert "Index" in plan
        assert "isp_id = 8" in plan
