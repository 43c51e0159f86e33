"""Debian's radclient against `radiuscore serve`: a client nobody here wrote is let in, kept out and counted."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.conftest import Db, Tenant
from tests.end_to_end.conftest import Answer, Server, until

pytestmark = pytest.mark.program("radclient")

Send = Callable[..., Awaitable[Answer]]
Start = Callable[..., Awaitable[Server]]
Insert = Callable[..., Awaitable[Tenant]]

USER = 'User-Name = "customer@example.com"'
SIGNED = "Message-Authenticator = 0x00"
METHODS = {"pap": "User-Password", "chap": "CHAP-Password", "mschapv1": "MS-CHAP-Password"}


@pytest.fixture
async def tenant(db: Db, insert_tenant: Insert) -> Tenant:
    return await insert_tenant(db, device_ip="127.0.0.1", secret=b"s3cret")


@pytest.fixture
async def server(tenant: Tenant, start_server: Start) -> Server:
    return await start_server()


async def test_logs_in_by_every_method_and_only_with_the_right_password(
    server: Server, radclient: Send, tenant: Tenant
) -> None:
    for method, attribute in METHODS.items():
        right = await radclient(server.auth_port, "auth", tenant.secret, USER, f'{attribute} = "password123"', SIGNED)
        wrong = await radclient(server.auth_port, "auth", tenant.secret, USER, f'{attribute} = "password124"', SIGNED)
        assert (right.code, wrong.code) == ("Access-Accept", "Access-Reject"), method
        assert right.values("Message-Authenticator")
        assert right.values("Mikrotik-Rate-Limit") == ["10M/50M"]
        assert len(right.values("Class")[0]) == len("0x") + 32
        assert not wrong.values("Reply-Message")


async def test_an_unsigned_login_is_answered_until_the_router_signs(
    server: Server, radclient: Send, tenant: Tenant
) -> None:
    login = (USER, 'User-Password = "password123"')
    assert (await radclient(server.auth_port, "auth", tenant.secret, *login)).code == "Access-Accept"
    assert (await radclient(server.auth_port, "auth", tenant.secret, *login, SIGNED)).code == "Access-Accept"
    await until(lambda: radclient(server.auth_port, "auth", tenant.secret, *login), lambda answer: answer.code is None)


async def test_answers_status_server_on_both_ports(server: Server, radclient: Send, tenant: Tenant) -> None:
    auth = await radclient(server.auth_port, "status", tenant.secret, SIGNED)
    acct = await radclient(server.acct_port, "status", tenant.secret, SIGNED)
    assert (auth.code, acct.code) == ("Access-Accept", "Accounting-Response")


async def test_stores_a_session_with_64_bit_counters(server: Server, radclient: Send, tenant: Tenant, db: Db) -> None:
    same = (USER, 'Acct-Session-Id = "81000001"', "NAS-Port = 1", "Framed-IP-Address = 10.9.8.7")
    octets = (
        "Acct-Input-Octets = 7",
        "Acct-Input-Gigawords = 2",
        "Acct-Output-Octets = 5",
        "Acct-Output-Gigawords = 3",
    )
    for status, more in (
        ("Start", ()),
        ("Interim-Update", ("Acct-Session-Time = 60", "Acct-Input-Octets = 1000", "Acct-Output-Octets = 2000")),
        ("Stop", ("Acct-Session-Time = 120", *octets, "Acct-Terminate-Cause = User-Request")),
    ):
        answer = await radclient(server.acct_port, "acct", tenant.secret, f"Acct-Status-Type = {status}", *same, *more)
        assert answer.code == "Accounting-Response"
    row = await _session(db, tenant.isp_id, "81000001")
    assert (row["input_octets"], row["output_octets"]) == ((2 << 32) + 7, (3 << 32) + 5)
    assert (row["state"], row["session_time"], row["terminate_cause"]) == ("closed", 120, 1)
    assert row["customer_id"] == tenant.customer_id
    used = await db.fetchrow(
        "SELECT sum(input_octets) AS i, sum(output_octets) AS o FROM accounting.usage_hour WHERE isp_id = $1",
        tenant.isp_id,
    )
    assert used is not None
    assert (used["i"], used["o"]) == ((2 << 32) + 7, (3 << 32) + 5)


async def test_a_wrong_secret_and_a_stranger_get_no_answer(server: Server, radclient: Send, tenant: Tenant) -> None:
    login = (USER, 'User-Password = "password123"', SIGNED)
    start = (USER, 'Acct-Session-Id = "81000002"', "Acct-Status-Type = Start")
    assert (await radclient(server.auth_port, "auth", b"wrong", *login)).code is None
    assert (await radclient(server.acct_port, "acct", b"wrong", *start)).code is None
    assert (await radclient(server.auth_port, "status", b"wrong", SIGNED)).code is None
    assert (await radclient(server.auth_port, "auth", tenant.secret, *login, source="127.0.0.2")).code is None
    assert await until(lambda: server.metric("radius_discards_total"), lambda count: count >= 4) >= 4


async def test_two_isps_at_one_router_address(
    db: Db, insert_tenant: Insert, start_server: Start, radclient: Send
) -> None:
    """Same usernames, same session ids, same router address: the secret tells whose it is."""
    one = await insert_tenant(db, device_ip="127.0.0.1", secret=b"secret-one", password=b"password-one")
    two = await insert_tenant(db, device_ip="127.0.0.1", secret=b"secret-two", password=b"password-two")
    server = await start_server()

    for tenant, other in ((one, two), (two, one)):
        own = f'User-Password = "{tenant.password.decode()}"'
        theirs = f'User-Password = "{other.password.decode()}"'
        assert (await radclient(server.auth_port, "auth", tenant.secret, USER, own, SIGNED)).code == "Access-Accept"
        assert (await radclient(server.auth_port, "auth", tenant.secret, USER, theirs, SIGNED)).code == "Access-Reject"
        octets = f"Acct-Input-Octets = {tenant.isp_id * 1000}"
        for status in ("Start", "Stop"):
            report = (f"Acct-Status-Type = {status}", USER, 'Acct-Session-Id = "81000001"', octets)
            answer = await radclient(server.acct_port, "acct", tenant.secret, *report)
            assert answer.code == "Accounting-Response"

    for tenant in (one, two):
        row = await _session(db, tenant.isp_id, "81000001")
        assert (row["nas_id"], row["customer_id"]) == (tenant.device_id, tenant.customer_id)
        assert row["input_octets"] == tenant.isp_id * 1000


async def test_a_customer_of_another_isp_is_unknown_and_nothing_says_whose_he_is(
    db: Db, insert_tenant: Insert, start_server: Start, radclient: Send
) -> None:
    here = await insert_tenant(db, device_ip="127.0.0.1", secret=b"s3cret", username="anna")
    there = await insert_tenant(db, device_ip="127.0.0.9", secret=b"s3cret", username="boris")
    server = await start_server()
    login = ('User-Name = "boris"', 'User-Password = "password123"', SIGNED)
    answer = await radclient(server.auth_port, "auth", here.secret, *login)
    assert answer.code == "Access-Reject"
    assert not answer.values("Reply-Message")
    rows = await until(
        lambda: db.fetch("SELECT * FROM accounting.auth_log WHERE outcome = 'reject'"), lambda rows: len(rows) > 0
    )
    assert [(row["isp_id"], row["reason"], row["customer_id"]) for row in rows] == [(here.isp_id, "unknown_user", None)]
    assert there.isp_id not in {row["isp_id"] for row in rows}


async def test_a_change_in_the_database_is_in_force_at_once(
    server: Server, radclient: Send, tenant: Tenant, db: Db
) -> None:
    login = (USER, 'User-Password = "password123"', SIGNED)
    await db.execute("UPDATE control.customers SET status = 'suspended' WHERE isp_id = $1", tenant.isp_id)
    rejected = await until(
        lambda: radclient(server.auth_port, "auth", tenant.secret, *login),
        lambda answer: answer.code == "Access-Reject",
    )
    assert rejected.values("Reply-Message") == ["This account is suspended."]
    await db.execute("UPDATE control.service_plans SET download_bps = 99000000 WHERE isp_id = $1", tenant.isp_id)
    await db.execute("UPDATE control.customers SET status = 'active' WHERE isp_id = $1", tenant.isp_id)
    accepted = await until(
        lambda: radclient(server.auth_port, "auth", tenant.secret, *login),
        lambda answer: answer.code == "Access-Accept",
    )
    assert accepted.values("Mikrotik-Rate-Limit") == ["10M/99M"]


async def _session(db: Db, isp_id: int, acct_session_id: str) -> Any:
    row = await db.fetchrow(
        "SELECT * FROM accounting.sessions WHERE isp_id = $1 AND acct_session_id = $2", isp_id, acct_session_id
    )
    assert row is not None
    return row
