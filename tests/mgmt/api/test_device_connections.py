"""Talking to routers through the API: by each way in, what is learned and kept, every fault once, and no secret out."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from ipaddress import ip_network
from typing import Any, TypeAlias

import asyncssh
import pytest

from mgmt.apiconfig import ApiConfig, RadiusPlace, RouterDefaults
from mgmt.devicesync import AT_ONCE, MAX_WAITING
from radiuscore.server.logs import JsonFormatter
from radiuscore.settings import RequestRate
from radiuscore.store.sealing import Keyring
from tests.conftest import Db
from tests.mgmt.api.conftest import JWT_SECRET_KEY, Api, House, build_house, serving
from tests.mikrotik.conftest import host_key, tls, until
from tests.mikrotik.standin.api import serve_api
from tests.mikrotik.standin.personalities import routeros7
from tests.mikrotik.standin.rest import serve_rest
from tests.mikrotik.standin.ssh import serve_ssh

__all__ = ["host_key", "tls"]

pytestmark = pytest.mark.postgres

HERE = "127.0.0.1"
ALLOWED = tuple(map(ip_network, ("127.0.0.0/8", "192.168.0.0/16")))
LOGIN = {"username": "admin", "password": routeros7().password}
TEST, SYNC = "test-connection", "sync"

Serve: TypeAlias = Callable[..., Awaitable[tuple[Api, House, House]]]


@pytest.fixture
async def serve(database: str, keyring: Keyring, admin_user: str) -> AsyncIterator[Serve]:
    """A function that serves the API for two ISPs; routers may be on this machine."""
    async with AsyncExitStack() as stack:

        async def serve(pool: int = 4, **routers: Any) -> tuple[Api, House, House]:
            defaults = RouterDefaults(**{"timeout_s": 5.0} | routers)
            config: dict[str, Any] = {"outbound_allow": ALLOWED, "routers": defaults}
            api = await stack.enter_async_context(serving(database, keyring, pool=pool, **config))
            root = await api.log_in(admin_user)
            return root, await build_house(root, "north"), await build_house(root, "south")

        yield serve


async def place(house: House, **fields: Any) -> str:
    """Put the ISP's device at a stand-in; return its path."""
    path = f"/api/devices/{house.device_id}"
    reply = await house.isp_admin.patch(path, {"device_ip": HERE, **LOGIN, **fields})
    assert reply.status == 200, reply.text
    return path


async def ask(client: Api, path: str, what: str = TEST, way: str = "api") -> Any:
    """Send the specification's body; return the result."""
    reply = await client.post(f"{path}/{what}", {"connection_type": way})
    assert reply.status == 200, reply.text
    return reply.json


def spec_bodies() -> list[dict[str, str]]:
    return [{"connection_type": "api"}, {"connection_type": "ssh"}]


async def test_every_way_in_says_who_the_router_is(
    serve: Serve, tls: tuple[ssl.SSLContext, str], host_key: asyncssh.SSHKey
) -> None:
    router = routeros7()
    async with (
        serve_api(router) as plain,
        serve_api(router, tls=tls[0]) as secure,
        serve_rest(router, tls[0]) as rest,
        serve_ssh(router, host_key) as ssh,
    ):
        root, mine, _ = await serve(rest_port=rest.port, api_ssl_port=secure.port, ssh_port=ssh.port)
        path = await place(mine, api_port=plain.port)
        shown_key = f"ssh-ed25519 {host_key.get_fingerprint()}"
        proofs = {"api": None, "api-ssl": tls[1], "rest": tls[1], "ssh": shown_key}
        for way, proof in proofs.items():
            said = await ask(mine.isp_staff, path, way=way)
            assert (said["success"], said["connection_type"], said["error"]) == (True, way, None), said
            assert (said["identity"], said["version"]) == ("POP Žižkov; 1", "7.16.2 (stable)")
            assert (said["address"], said["proof"]) == (HERE, proof)
            assert said["pinned"] == (way in ("api-ssl", "ssh"))  # the first to show each
        for client in (root, mine.isp_admin, mine.program):
            assert (await ask(client, path))["success"]
        device = (await mine.isp_staff.get(path)).json
        assert (device["tls_fingerprint"], device["ssh_host_key"]) == (tls[1], shown_key)
        assert (device["state"], device["proved_at"] is not None) == ("online", True)
        pins = (await mine.isp_admin.get("/api/audit?action=devices.pin")).json["items"]
        assert [pin["details"]["new"] for pin in pins] == [{"ssh_host_key": shown_key}, {"tls_fingerprint": tls[1]}]


async def test_the_specifications_bodies_work_and_other_types_are_400(serve: Serve, host_key: asyncssh.SSHKey) -> None:
    router = routeros7()
    async with serve_api(router) as api, serve_ssh(router, host_key) as ssh:
        _, mine, _ = await serve()
        path = await place(mine, api_port=api.port, ssh_port=ssh.port)
        for body in spec_bodies():
            for what in (TEST, SYNC):
                reply = await mine.isp_admin.post(f"{path}/{what}", body)
                assert (reply.status, reply.json["success"]) == (200, True)
        for wrong in ("telnet", "", "API", "api-ssl "):
            for what in (TEST, SYNC):
                refused = await mine.isp_admin.post(f"{path}/{what}", {"connection_type": wrong})
                assert (refused.status, refused.code) == (400, "unknown_connection_type")
        for query in (f"{path}/interfaces?connection_type=telnet", f"{path}/doctor?connection_type=telnet"):
            refused = await mine.isp_admin.send("GET" if "interfaces" in query else "POST", query)
            assert (refused.status, refused.code) == (400, "unknown_connection_type")
        missing = await mine.isp_admin.post(f"{path}/{TEST}", {})
        assert (missing.status, missing.json["errors"][0]["field"]) == (422, "connection_type")


async def test_a_sync_is_stored(serve: Serve, db: Db) -> None:
    router = routeros7()
    router.singles["/system/identity"]["name"] = "POP \x00 1"
    async with serve_api(router) as api:
        _, mine, theirs = await serve()
        path = await place(mine, api_port=api.port, device_model=None)
        said = await ask(mine.isp_staff, path, SYNC)

    assert (said["success"], said["model"], said["serial_number"]) == (True, "CCR2004-16G-2S+", "HC00000000")
    assert (said["uptime_s"], said["cpu_percent"], said["memory_free_octets"]) == (1034769, 7, 3950641152)
    assert said["clients"] == {"ppp": len(router.tables["/ppp/active"]), "hotspot": 1, "dhcp": 1}
    assert [one["name"] for one in said["interfaces"]] == ["ether1", "ether3 UniFi1", "<pppoe-true>", "bridge"]
    row = await db.fetchrow("SELECT * FROM control.device_status WHERE device_id = $1", mine.device_id)
    assert row is not None
    assert (row["isp_id"], row["state"], row["error"]) == (mine.isp_id, "online", None)
    assert (row["identity"], row["version"]) == ("POP \ufffd 1", "7.16.2 (stable)")
    assert (row["model"], row["serial_number"], row["uptime_s"]) == ("CCR2004-16G-2S+", "HC00000000", 1034769)
    assert (row["cpu_percent"], row["memory_free_octets"]) == (7, 3950641152)
    assert row["client_count"] == len(router.tables["/ppp/active"]) + 1
    stored = {one["name"]: one for one in row["interfaces"]}
    assert list(stored) == ["ether1", "ether3 UniFi1", "bridge"]
    assert stored["ether1"]["tx_octets"] == 18_446_744_073_709_551_001
    device = (await mine.isp_staff.get(path)).json
    assert (device["device_model"], device["state"]) == ("CCR2004-16G-2S+", "online")
    assert await db.fetchval("SELECT count(*) FROM control.device_status WHERE isp_id = $1", theirs.isp_id) == 0


async def test_a_model_that_was_entered_stays(serve: Serve) -> None:
    async with serve_api(routeros7()) as api:
        _, mine, _ = await serve()
        path = await place(mine, api_port=api.port)
        assert (await ask(mine.isp_staff, path, SYNC))["success"]
        assert (await mine.isp_staff.get(path)).json["device_model"] == "RB951G-2HnD"


async def test_what_broke_after_the_login_is_told_and_the_login_counts(serve: Serve, db: Db) -> None:
    router = routeros7()
    del router.tables["/interface"]
    async with serve_api(router) as api:
        _, mine, _ = await serve()
        path = await place(mine, api_port=api.port)
        said = await ask(mine.isp_staff, path, SYNC)
        listed = (await mine.isp_staff.get(f"{path}/interfaces")).json

    assert (said["success"], said["error"], said["identity"]) == (False, "menu_unsupported", "POP Žižkov; 1")
    assert said["hint"]
    assert (listed["success"], listed["error"], listed["interfaces"]) == (False, "menu_unsupported", [])
    assert (await mine.isp_staff.get(path)).json["proved_at"] is not None
    assert await db.fetchval("SELECT model FROM control.device_status") is None


async def test_interfaces_are_read_now(serve: Serve, tls: tuple[ssl.SSLContext, str]) -> None:
    router = routeros7()
    async with serve_api(router) as api, serve_api(router, tls=tls[0]) as secure:
        _, mine, _ = await serve()
        path = await place(mine, api_port=api.port)
        said = (await mine.isp_staff.get(f"{path}/interfaces")).json
        assert (said["success"], said["connection_type"]) == (True, "api")
        assert [one["name"] for one in said["interfaces"]] == ["ether1", "ether3 UniFi1", "<pppoe-true>", "bridge"]
        assert said["interfaces"][0]["rx_octets"] == 10_000_000_001
        await place(mine, api_port=secure.port, use_tls=True)
        for query in ("", "?connection_type=api", "?connection_type=api-ssl"):  # never in clear where there is TLS
            again = (await mine.isp_staff.get(f"{path}/interfaces{query}")).json
            assert (again["success"], again["connection_type"]) == (True, "api-ssl"), query
        assert api.accepted == 1


@pytest.mark.parametrize(
    ("sources", "proved"),
    [([], True), ([f"{HERE}/32"], True), (["127.0.0.0/30"], False), ([f"{HERE}/32", "10.0.0.1/32"], False)],
)
async def test_a_login_proves_the_one_address_that_was_logged_in_to(
    serve: Serve, db: Db, sources: list[str], proved: bool
) -> None:
    async with serve_api(routeros7()) as api:
        _, mine, theirs = await serve()
        path = await place(mine, api_port=api.port, radius_sources=sources)
        await place(theirs, api_port=api.port, password="wrong")
        assert (await ask(mine.isp_staff, path))["success"]
        assert not (await ask(theirs.isp_staff, f"/api/devices/{theirs.device_id}"))["success"]

    assert ((await mine.isp_staff.get(path)).json["proved_at"] is not None) == proved
    assert await db.fetchval("SELECT proved_at FROM control.devices WHERE id = $1", theirs.device_id) is None


async def test_an_address_that_changed_meanwhile_learns_nothing(serve: Serve, db: Db) -> None:
    async with serve_api(routeros7(), "wait") as api:
        _, mine, _ = await serve()
        path = await place(mine, api_port=api.port)
        asking = asyncio.create_task(ask(mine.isp_staff, path, SYNC))
        await until(lambda: api.open)
        await place(mine, device_ip="192.168.7.7")
        api.gate.set()
        assert (await asking)["success"]

    assert (await mine.isp_staff.get(path)).json["proved_at"] is None
    assert await db.fetchval("SELECT count(*) FROM control.device_status") == 0


async def closed_port() -> int:
    async with serve_api(routeros7()) as api:
        return api.port


@pytest.mark.parametrize(
    "code",
    [
        *("unreachable", "refused", "timeout", "tls", "host_key_changed"),
        *("login_refused", "permission_missing", "menu_unsupported", "protocol"),
    ],
)
async def test_every_fault_is_a_result_with_its_cure(
    serve: Serve, db: Db, tls: tuple[ssl.SSLContext, str], host_key: asyncssh.SSHKey, code: str
) -> None:
    router, way = routeros7(), "api"
    fields: dict[str, Any] = {}
    fault = {"timeout": "hang", "protocol": "garbage"}.get(code, "")
    if code == "permission_missing":
        router.policies.discard("read")
    if code == "menu_unsupported":
        del router.singles["/system/identity"]
    async with serve_api(router, fault, tls[0] if code == "tls" else None) as api, serve_ssh(router, host_key) as ssh:
        _, mine, _ = await serve(timeout_s=0.5 if code == "timeout" else 5.0)
        match code:
            case "unreachable":
                fields = {"device_ip": "192.168.1.1"}
            case "refused":
                fields = {"api_port": await closed_port()}
            case "tls":
                fields = {"use_tls": True, "tls_fingerprint": "0" * 64}
            case "login_refused":
                fields = {"password": "canary of a wrong login"}
            case "host_key_changed":
                way, fields = "ssh", {"ssh_host_key": "ssh-ed25519 SHA256:" + "A" * 43}
        path = await place(mine, **{"api_port": api.port, "ssh_port": ssh.port} | fields)
        if code == "unreachable":
            await db.execute("UPDATE control.devices SET device_ip = '169.254.169.254' WHERE id = $1", mine.device_id)
        for what in (TEST, SYNC):
            said = await ask(mine.isp_staff, path, what, way)
            assert (said["success"], said["error"]) == (False, code), said
            assert said["message"]
            assert said["hint"]
            assert "canary" not in str(said)

    device = (await mine.isp_staff.get(path)).json
    assert device["state"] == ("offline" if code in ("unreachable", "timeout") else "unknown")
    assert (device["proved_at"], device["seen_at"]) == (None, None)
    assert await db.fetchval("SELECT error FROM control.device_status") == code


async def test_one_silent_service_does_not_make_a_router_offline(serve: Serve, db: Db) -> None:
    router = routeros7()
    async with serve_api(router) as api, serve_api(router, "hang") as silent:
        _, mine, _ = await serve(api_ssl_port=silent.port, timeout_s=0.5)
        path = await place(mine, api_port=api.port)
        assert (await ask(mine.isp_staff, path))["success"]
        await place(mine, api_port=silent.port)
        assert (await ask(mine.isp_staff, path))["error"] == "timeout"
        assert (await mine.isp_staff.get(path)).json["state"] == "online"
        await db.execute("UPDATE control.device_status SET seen_at = now() - interval '6 minutes'")
        assert (await ask(mine.isp_staff, path))["error"] == "timeout"
        assert (await mine.isp_staff.get(path)).json["state"] == "offline"


@pytest.mark.parametrize(
    "address", [HERE, "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "::ffff:127.0.0.1", "224.0.0.1"]
)
async def test_an_address_that_is_not_allowed_is_never_connected_to(house: House, db: Db, address: str) -> None:
    async with serve_api(routeros7()) as api:
        path = f"/api/devices/{house.device_id}"
        refused = await house.isp_admin.patch(path, {"device_ip": address})
        assert (refused.status, refused.json["errors"][0]["code"]) == (422, "address_refused")
        await db.execute(
            "UPDATE control.devices SET device_ip = $2::text::inet, api_port = $3, ssh_port = $3 WHERE id = $1",
            house.device_id,
            address,
            api.port,
        )
        for way in ("api", "api-ssl", "ssh", "rest"):
            for what in (TEST, SYNC):
                said = await ask(house.isp_admin, path, what, way)
                assert (said["success"], said["error"]) == (False, "unreachable")
                assert "OUTBOUND_ALLOW" in said["hint"]
        for said in (await house.isp_admin.get(f"{path}/interfaces"), await house.isp_admin.post(f"{path}/doctor")):
            assert said.status in (200, 409), said.text  # 409: no route from here, so the doctor cannot begin
            assert said.status == 409 or said.json["error"] == "unreachable"
        assert api.accepted == 0


async def test_a_device_without_a_login_is_409(house: House, db: Db, keyring: Keyring) -> None:
    path = f"/api/devices/{house.device_id}"
    await house.isp_admin.patch(path, {"password": None})

    for method, what, body in (
        ("POST", TEST, {"connection_type": "api"}),
        ("POST", SYNC, {"connection_type": "ssh"}),
        ("GET", "interfaces", None),
        ("POST", "doctor", None),
    ):
        refused = await house.isp_staff.send(method, f"{path}/{what}", body)
        assert (refused.status, refused.code) == (409, "device_credentials_missing"), what
    moved = keyring.seal("x", table="devices", row=house.device_id + 1, column="password", isp_id=house.isp_id)
    await db.execute("UPDATE control.devices SET password = $2 WHERE id = $1", house.device_id, moved)
    refused = await house.isp_staff.post(f"{path}/{TEST}", {"connection_type": "api"})
    assert (refused.status, refused.code) == (409, "conflict")


async def test_another_isps_device_does_not_exist(serve: Serve) -> None:
    async with serve_api(routeros7()) as api:
        _, mine, theirs = await serve()
        for house in (mine, theirs):
            await place(house, api_port=api.port)
        for client in (mine.isp_admin, mine.isp_staff, mine.program):
            for number in (theirs.device_id, 999_999):
                path = f"/api/devices/{number}"
                replies = [await client.post(f"{path}/{what}", {"connection_type": "api"}) for what in (TEST, SYNC)]
                replies += [await client.get(f"{path}/interfaces"), await client.post(f"{path}/doctor")]
                assert {(reply.status, reply.code) for reply in replies} == {(404, "not_found")}
        assert api.accepted == 0


async def test_no_database_connection_is_held_while_a_router_is_talked_to(serve: Serve) -> None:
    async with serve_api(routeros7(), "wait") as api:
        root, mine, _ = await serve(pool=1)
        path = await place(mine, api_port=api.port)
        asking = [asyncio.create_task(ask(client, path, SYNC)) for client in (mine.isp_staff, root)]
        await until(lambda: api.open == 2)
        for client in (mine.isp_staff, root):
            assert (await client.get("/api/devices")).status == 200
        api.gate.set()
        assert [said["success"] for said in await asyncio.gather(*asking)] == [True, True]


async def test_one_isp_talks_to_few_routers_at_once_and_the_other_does_not_wait(serve: Serve) -> None:
    async with serve_api(routeros7(), "wait") as slow, serve_api(routeros7()) as quick:
        _, mine, theirs = await serve(timeout_s=30.0)
        path = await place(mine, api_port=slow.port)
        other = await place(theirs, api_port=quick.port)
        asking = [asyncio.create_task(ask(mine.isp_staff, path)) for _ in range(AT_ONCE + MAX_WAITING)]
        turns = mine.isp_staff.services.routers.turns
        await until(lambda: mine.isp_id in turns and turns[mine.isp_id].waiting == MAX_WAITING)
        await until(lambda: slow.open == AT_ONCE)
        busy = await mine.isp_staff.post(f"{path}/{TEST}", {"connection_type": "api"})
        assert (busy.status, busy.code, busy.headers["Retry-After"]) == (503, "busy", "5")
        assert (await ask(theirs.isp_staff, other))["success"]
        assert slow.open == AT_ONCE
        slow.gate.set()
        assert all(said["success"] for said in await asyncio.gather(*asking))
    assert mine.isp_id not in turns


async def doctor(client: Api, path: str, query: str = "") -> Any:
    reply = await client.post(f"{path}/doctor{query}")
    assert reply.status == 200, reply.text
    return reply.json


async def test_the_doctor_says_what_mends_it_and_the_secret_to_managers_only(serve: Serve) -> None:
    router = routeros7()
    async with serve_api(router) as api:
        root, mine, _ = await serve()
        path = await place(mine, api_port=api.port, radius_secret='canary "radius" secret')
        whole = await doctor(mine.isp_admin, path, "?server=192.0.2.77")
        findings = {finding["check"]: finding for finding in whole["findings"]}
        assert (whole["success"], whole["server"], whole["server_by"]) == (True, "192.0.2.77", "asked")
        assert {finding["status"] for finding in whole["findings"]} >= {"pass", "fail"}
        assert findings["radius_entry"]["status"] == "fail"
        assert 'secret="canary \\"radius\\" secret"' in findings["radius_entry"]["command"]
        for client in (mine.isp_staff, mine.program):
            hidden = await doctor(client, path, "?server=192.0.2.77")
            assert "canary" not in str(hidden)
            entry = next(one for one in hidden["findings"] if one["check"] == "radius_entry")
            assert "secret=*** " in entry["command"]
        known = {one["check"]: one["status"] for one in (await doctor(root, path, "?server=192.0.2.10"))["findings"]}
        assert (known["radius_entry"], known["radius_secret"]) == ("pass", "fail")
        await place(mine, radius_secret="canary radius secret")  # what the router has
        mended = {one["check"]: one["status"] for one in (await doctor(root, path, "?server=192.0.2.10"))["findings"]}
        assert mended["radius_secret"] == "pass"
        assert (await doctor(root, path))["server"] == HERE


async def test_the_doctor_knows_from_reports_where_the_router_asks(serve: Serve, db: Db) -> None:
    router = routeros7()
    router.tables["/radius"][0].pop("secret")  # the user has no policy to see it
    async with serve_api(router) as api:
        _, mine, theirs = await serve()
        path = await place(mine, api_port=api.port)
        for house, address in ((mine, "192.0.2.10"), (theirs, "192.0.2.99")):
            await db.execute(
                """
                INSERT INTO accounting.sessions
                       (isp_id, nas_id, acct_session_id, username_key, id, username, state, started_at, updated_at,
                        session_time, input_octets, output_octets, local_address, node, start_estimate, statuses)
                VALUES ($1, $2, 's', 'u', gen_random_uuid(), 'u', 'open', now(), now() + interval '1 minute', 0, 0, 0,
                        $3::text::inet, 'n', 0, 1)
                """,
                house.isp_id,
                mine.device_id,
                address,
            )
        said = await doctor(mine.isp_staff, path)
    assert (said["server"], said["server_by"]) == ("192.0.2.10", "report")
    statuses = {one["check"]: one["status"] for one in said["findings"]}
    assert (statuses["radius_entry"], statuses["radius_secret"], statuses["radius_source"]) == ("pass", "pass", "pass")


async def test_a_doctor_who_cannot_get_in_says_why(serve: Serve, db: Db) -> None:
    _, mine, _ = await serve()
    path = await place(mine, api_port=await closed_port())

    said = await doctor(mine.isp_staff, path)
    assert (said["success"], said["error"], said["findings"]) == (False, "refused", [])
    await db.execute("UPDATE control.isps SET radius_secret = NULL")
    refused = await mine.isp_staff.post(f"{path}/doctor")
    assert (refused.status, refused.code) == (409, "radius_secret_missing")


async def test_no_secret_is_in_an_answer_or_a_log(
    serve: Serve, host_key: asyncssh.SSHKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    router = routeros7()
    router.password = "canary-login-x7Kq"
    async with serve_api(router) as api, serve_ssh(router, host_key) as ssh, serve_api(router, "garbage") as broken:
        _, mine, _ = await serve()
        secrets = {"password": router.password, "radius_secret": "canary-radius-x7Kq", "api_key": "canary-key-x7Kq"}
        replies = []
        for fields in ({}, {"password": "canary-wrong-x7Kq"}, {"api_port": broken.port}):
            path = await place(mine, **{"api_port": api.port, "ssh_port": ssh.port} | secrets | fields)
            for way in ("api", "ssh"):
                replies += [await ask(mine.isp_staff, path, what, way) for what in (TEST, SYNC)]
                replies.append((await mine.isp_staff.get(f"{path}/interfaces?connection_type={way}")).json)
                replies.append(await doctor(mine.isp_staff, path, f"?connection_type={way}&server=192.0.2.77"))
        replies.append((await mine.isp_admin.get("/api/audit")).json)

    assert {reply.get("success") for reply in replies} == {True, False, None}
    logged = "\n".join(JsonFormatter({}).format(record) for record in caplog.records)
    assert "mikrotik.client" in logged
    for text in (str(replies), logged):
        assert "x7Kq" not in text


def test_what_the_api_is_told_survives_the_way_to_its_process() -> None:
    config = ApiConfig(
        JWT_SECRET_KEY,
        RequestRate(600, 60),
        ALLOWED,
        RouterDefaults(api_port=18728, ssh_port=2222, timeout_s=3.5),
        RadiusPlace(tuple(network[1] for network in ALLOWED), 11812, 11813),
    )

    assert ApiConfig.from_json(config.to_json()) == config
