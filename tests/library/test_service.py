"""The synchronous service: the same answers as a router gets, from memory, and accounting that is stored."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest

from radiuscore import MultiTenantRadiusService, RejectReason
from radiuscore.service import Fault
from radiuscore.store import authlog, changes
from radiuscore.wire.codes import TerminateCause

Db: TypeAlias = "asyncpg.Connection[Any]"
Insert: TypeAlias = Callable[..., Awaitable[Any]]

NAS, OTHER_NAS = "192.168.88.1", "192.168.88.2"
USER, PASSWORD = "customer@example.com", "password123"

pytestmark = pytest.mark.postgres


async def sessions(db: Db) -> list[dict[str, Any]]:
    rows = await db.fetch("SELECT * FROM accounting.sessions ORDER BY isp_id, nas_id, acct_session_id, username_key")
    return [dict(row) for row in rows]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a change is in force, at most 10 s. The service has its own loop, so a pause is all there is."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the change was never in force"
        await asyncio.sleep(0.01)


async def test_the_specifications_sample_runs(
    open_service: Callable[..., MultiTenantRadiusService],
    session_like: Callable[[str], Any],
    tenant: Any,
    database: str,
    db: Db,
) -> None:
    """M22 to M26, word for word but for the address and the id."""
    radius_service = open_service(session_like(database.replace("radiuscore@", "radiuscore:a%2Fpassword@")))

    success, result = radius_service.authenticate_user(username=USER, password=PASSWORD, nas_ip=NAS)
    assert success
    assert (result["customer_id"], result["isp_id"]) == (tenant.customer_id, tenant.isp_id)
    radius_service.handle_accounting(
        session_id=result["session_id"],
        acct_type="Stop",
        session_time=3600,
        input_octets=1024000,
        output_octets=2048000,
    )

    (stored,) = await sessions(db)
    assert stored["id"] == UUID(result["session_id"])
    assert (stored["session_time"], stored["input_octets"], stored["output_octets"]) == (3600, 1024000, 2048000)
    assert (stored["state"], stored["customer_id"]) == ("closed", tenant.customer_id)


async def test_a_login_says_what_the_router_would_be_told(service: MultiTenantRadiusService, tenant: Any) -> None:
    success, result = service.authenticate_user(USER.upper(), PASSWORD.encode(), NAS)

    assert success
    assert UUID(result["session_id"]).version == 7
    assert result["nas_id"] == tenant.device_id
    assert result["attributes"]["Mikrotik-Rate-Limit"] == "10M/50M"
    assert 270 <= result["attributes"]["Acct-Interim-Interval"] <= 330
    assert "Class" not in result["attributes"]


FAILED_LOGINS: list[tuple[dict[str, Any], str]] = [
    ({"nas_ip": "192.0.2.1"}, Fault.UNKNOWN_NAS),
    ({"isp_id": 4711}, Fault.UNKNOWN_NAS),
    ({"username": "nobody"}, RejectReason.UNKNOWN_USER),
    ({"username": "customer@example.com\0"}, RejectReason.UNKNOWN_USER),
    ({"password": "guess"}, RejectReason.BAD_CREDENTIALS),
    ({"password": ""}, RejectReason.BAD_CREDENTIALS),
    ({"password": "x" * 1000}, RejectReason.BAD_CREDENTIALS),
    ({"username": ""}, RejectReason.BAD_REQUEST),
    ({"nas_ip": "router"}, Fault.BAD_REQUEST),
    ({"nas_ip": None}, Fault.BAD_REQUEST),
    ({"username": 5}, Fault.BAD_REQUEST),
    ({"isp_id": "1"}, Fault.BAD_REQUEST),
]


async def test_a_login_that_fails_has_one_reason_of_a_closed_set(service: MultiTenantRadiusService) -> None:
    for arguments, error in FAILED_LOGINS:
        given: dict[str, Any] = {"username": USER, "password": PASSWORD, "nas_ip": NAS} | arguments
        success, result = service.authenticate_user(**given)
        assert (success, result["error"]) == (False, error), arguments
        assert type(result["error"]) is str
        assert result["message"]
        assert PASSWORD not in result["message"]


async def test_the_account_is_judged_as_for_a_packet(service: MultiTenantRadiusService, tenant: Any, db: Db) -> None:
    def login() -> tuple[bool, dict[str, Any]]:
        return service.authenticate_user(USER, PASSWORD, NAS)

    async def change_is_in_force(column: str, value: str, outcome: str) -> None:
        await db.execute(f"UPDATE control.customers SET {column} = {value} WHERE isp_id = {tenant.isp_id}")  # noqa: S608

        await until(lambda: login()[1].get("error", "accepted") == outcome)

    assert login()[0]
    await change_is_in_force("status", "'suspended'", RejectReason.SUSPENDED)
    await change_is_in_force("status", "'active'", "accepted")
    await change_is_in_force("expires_at", "now() - interval '1 day'", RejectReason.EXPIRED)
    await change_is_in_force("expires_at", "NULL", "accepted")
    await change_is_in_force("mac_addresses", "'{00:0c:42:00:00:01}'", RejectReason.MAC_NOT_ALLOWED)
    assert service.authenticate_user(USER, PASSWORD, NAS, calling_station_id="00-0C-42-00-00-01")[0]


async def test_a_device_logs_in_by_its_mac_address(
    service: MultiTenantRadiusService, tenant: Any, db: Db, insert_tenant: Insert
) -> None:
    mac = "00:0C:42:00:00:01"
    await db.execute(
        "INSERT INTO control.customers (isp_id, username, username_key, service_plan_id) VALUES ($1, $2, $3, $4)",
        tenant.isp_id,
        mac,
        mac.lower(),
        tenant.plan_id,
    )

    await until(lambda: service.authenticate_user(mac, "", NAS, calling_station_id=mac)[0])
    assert service.authenticate_user(mac, "", NAS)[1]["error"] == RejectReason.BAD_CREDENTIALS
    assert service.authenticate_user(mac, "", NAS, calling_station_id="00:0C:42:00:00:02")[0] is False


async def test_an_address_of_two_isps_is_ambiguous_until_one_is_named(
    open_service: Callable[..., MultiTenantRadiusService], tenants: tuple[Any, Any]
) -> None:
    """M27: same address, same username, same password at both."""
    service = open_service()
    assert service.authenticate_user(USER, PASSWORD, NAS)[1]["error"] == Fault.AMBIGUOUS_NAS
    for tenant in tenants:
        success, result = service.authenticate_user(USER, PASSWORD, NAS, isp_id=tenant.isp_id)
        assert success
        assert (result["isp_id"], result["customer_id"]) == (tenant.isp_id, tenant.customer_id)


async def test_a_customer_of_one_isp_is_unknown_at_anothers_router(
    open_service: Callable[..., MultiTenantRadiusService], db: Db, insert_tenant: Insert
) -> None:
    await insert_tenant(db, username="alice", device_ip=NAS)
    await insert_tenant(db, username="bob", device_ip=OTHER_NAS)
    service = open_service()

    assert service.authenticate_user("alice", PASSWORD, NAS)[0]
    assert service.authenticate_user("alice", PASSWORD, OTHER_NAS)[1]["error"] == RejectReason.UNKNOWN_USER


async def test_logins_and_rejects_are_in_the_log(service: MultiTenantRadiusService, tenant: Any, db: Db) -> None:
    _, accepted = service.authenticate_user(USER, PASSWORD, NAS, calling_station_id="00:0C:42:00:00:01")
    service.authenticate_user(USER, "guess", NAS)
    service.close()

    rows = await db.fetch("SELECT * FROM accounting.auth_log ORDER BY at")
    assert [(row["outcome"], row["reason"], row["method"]) for row in rows] == [
        ("accept", "", "pap"),
        ("reject", "bad_credentials", "pap"),
    ]
    assert {(row["isp_id"], row["nas_id"], row["username"]) for row in rows} == {
        (tenant.isp_id, tenant.device_id, USER)
    }
    assert rows[0]["session_uuid"] == UUID(accepted["session_id"])
    assert rows[0]["calling_station_id"] == "00:0C:42:00:00:01"


async def test_a_warm_login_sends_no_sql(
    open_service: Callable[..., MultiTenantRadiusService], tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M31. What is sent meanwhile is the change log's poll and the batches of the login log, however many logins."""
    sent: list[str] = []
    connect = asyncpg.connect

    async def counted(*args: Any, **options: Any) -> Any:
        db = await connect(*args, **options)
        db.add_query_logger(lambda query: sent.append(query.query))
        return db

    monkeypatch.setattr(asyncpg, "connect", counted)
    service = open_service()
    assert service.authenticate_user(USER, PASSWORD, NAS)[0]
    assert sent
    sent.clear()

    began = time.monotonic()
    outcomes = [service.authenticate_user(USER, PASSWORD, NAS)[0] for _ in range(500)]
    seconds = time.monotonic() - began

    assert all(outcomes)
    background = {changes.READ_MARK, changes.READ_CHANGES, authlog.WRITE}
    assert [query for query in sent if query not in background] == []
    assert len(sent) <= 4 * (seconds + 1)


async def test_authenticates_while_the_database_is_away(
    service: MultiTenantRadiusService, tenant: Any, postgres: Any, database: str
) -> None:
    assert service.authenticate_user(USER, PASSWORD, NAS)[0]
    name = database.partition("?")[0].rpartition("/")[2]
    admin = await asyncpg.connect(postgres.admin)
    try:
        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)

        success, result = service.authenticate_user(USER, PASSWORD, NAS)
        assert success
        stored, failed = service.handle_accounting(result["session_id"], "Start")
        assert not stored
        assert failed["error"] == Fault.DATABASE_UNAVAILABLE

        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        assert service.handle_accounting(result["session_id"], "Start")[0]
    finally:
        await admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")
        await admin.close()


async def test_a_session_from_start_to_stop(service: MultiTenantRadiusService, tenant: Any, db: Db) -> None:
    """M28: Start opens, Stop closes, with the totals of the session and counters past 4 GiB."""
    _, login = service.authenticate_user(USER, PASSWORD, NAS)
    session_id = login["session_id"]

    assert service.handle_accounting(
        session_id, "Start", framed_ip="100.64.0.7", calling_station_id="00:0C:42:00:00:01"
    )
    (row,) = await sessions(db)
    assert (row["state"], str(row["framed_ip_address"])) == ("open", "100.64.0.7")

    service.handle_accounting(
        session_id, "Interim-Update", 300, 1, 2, input_gigawords=1, output_gigawords=2, terminate_cause=None
    )
    service.handle_accounting(session_id, "Stop", 600, 5_000_000_000, 9_000_000_000, terminate_cause="Session-Timeout")
    stopped, _ = service.handle_accounting(session_id, "Stop", 600, 5_000_000_000, 9_000_000_000)
    assert stopped

    (row,) = await sessions(db)
    assert (row["state"], row["session_time"], row["username"]) == ("closed", 600, USER)
    assert (row["input_octets"], row["output_octets"]) == (5_000_000_000, 9_000_000_000)
    assert row["terminate_cause"] == TerminateCause.SESSION_TIMEOUT
    assert (row["isp_id"], row["nas_id"], row["customer_id"], row["plan_id"]) == (
        tenant.isp_id,
        tenant.device_id,
        tenant.customer_id,
        tenant.plan_id,
    )


async def test_a_session_id_alone_is_enough_for_another_process(
    open_service: Callable[..., MultiTenantRadiusService], tenant: Any, db: Db
) -> None:
    first, second = open_service(), open_service()
    _, login = first.authenticate_user(USER, PASSWORD, NAS)
    first.close()

    stored, result = second.handle_accounting(login["session_id"], "Stop", session_time=60, input_octets=1)

    assert stored
    assert result["isp_id"] == tenant.isp_id
    (row,) = await sessions(db)
    assert (row["id"], row["username"]) == (UUID(login["session_id"]), USER)
    assert row["customer_id"] == tenant.customer_id


async def test_a_routers_id_needs_the_router_to_begin_a_session(
    service: MultiTenantRadiusService, tenant: Any, db: Db
) -> None:
    assert service.handle_accounting("81000001", "Start")[1]["error"] == Fault.UNKNOWN_SESSION
    assert service.handle_accounting("81000001", "Start", nas_ip=NAS)[1]["error"] == Fault.UNKNOWN_SESSION

    assert service.handle_accounting("81000001", "Start", nas_ip=NAS, username=USER)[0]
    assert service.handle_accounting("81000001", "Stop", 60, 7, 8)[0]

    (row,) = await sessions(db)
    assert (row["acct_session_id"], row["state"], row["input_octets"]) == ("81000001", "closed", 7)


async def test_a_routers_id_that_several_have_is_never_guessed(
    open_service: Callable[..., MultiTenantRadiusService], tenants: tuple[Any, Any], db: Db
) -> None:
    service = open_service()
    for tenant in tenants:
        assert service.handle_accounting("81000001", "Start", nas_ip=NAS, username=USER, isp_id=tenant.isp_id)[0]

    def stop(**said: Any) -> tuple[bool, dict[str, Any]]:
        return service.handle_accounting("81000001", "Stop", 60, 5, 6, **said)

    assert stop()[1]["error"] == Fault.AMBIGUOUS_SESSION
    assert stop(username=USER)[1]["error"] == Fault.AMBIGUOUS_SESSION
    assert stop(nas_ip=NAS)[1]["error"] == Fault.AMBIGUOUS_NAS
    assert stop(username="nobody")[1]["error"] == Fault.UNKNOWN_SESSION
    assert {row["state"] for row in await sessions(db)} == {"open"}

    assert stop(isp_id=tenants[1].isp_id)[1]["isp_id"] == tenants[1].isp_id
    assert [(row["isp_id"], row["state"]) for row in await sessions(db)] == [
        (tenants[0].isp_id, "open"),
        (tenants[1].isp_id, "closed"),
    ]


async def test_two_users_with_one_id_at_one_router_are_told_apart_by_name(
    service: MultiTenantRadiusService, tenant: Any, db: Db
) -> None:
    for name in ("alice", "bob"):
        assert service.handle_accounting("81000001", "Start", nas_ip=NAS, username=name)[0]
    assert service.handle_accounting("81000001", "Stop", 1, nas_ip=NAS)[1]["error"] == Fault.AMBIGUOUS_SESSION
    assert service.handle_accounting("81000001", "Stop", 1, nas_ip=NAS, username="BOB")[0]
    assert [(row["username"], row["state"]) for row in await sessions(db)] == [("alice", "open"), ("bob", "closed")]


MEANINGLESS: list[tuple[dict[str, Any], str]] = [
    ({"session_id": ""}, "session_id"),
    ({"session_id": None}, "session_id"),
    ({"acct_type": "Accounting-On"}, "acct_type"),
    ({"acct_type": 7}, "acct_type"),
    ({"session_time": -1}, "session_time"),
    ({"input_octets": "many"}, "input_octets"),
    ({"output_octets": True}, "output_octets"),
    ({"input_octets": 1, "input_gigawords": 1 << 40}, "input_gigawords"),
    ({"terminate_cause": "Boredom"}, "terminate_cause"),
    ({"terminate_cause": 1 << 32}, "terminate_cause"),
    ({"framed_ip": "2001:db8::1"}, "framed_ip"),
    ({"nas_ip": "here"}, "nas_ip"),
]


async def test_an_argument_that_means_nothing_is_named(service: MultiTenantRadiusService) -> None:
    for arguments, named in MEANINGLESS:
        given: dict[str, Any] = {"session_id": "81000001", "acct_type": "Stop"} | arguments
        stored, result = service.handle_accounting(**given)
        assert (stored, result["error"]) == (False, Fault.BAD_REQUEST), arguments
        assert named in result["message"]


async def test_an_id_that_nobody_has_is_unknown(service: MultiTenantRadiusService) -> None:
    for session_id in (str(uuid4()), "ffffffff-ffff-7fff-bfff-ffffffffffff", "x\0y", "'; DROP TABLE"):
        assert service.handle_accounting(session_id, "Stop")[1]["error"] == Fault.UNKNOWN_SESSION
