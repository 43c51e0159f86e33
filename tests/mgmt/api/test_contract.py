"""What a client may rely on: the description, the manners, and that no secret ever comes out."""

import logging
import re
import time
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pyotp
import pytest
from openapi_spec_validator import validate

import mgmt
from mgmt.app import _HEADERS
from mgmt.openapi import describe, operation_id, plain_path
from mgmt.problems import CODES
from mgmt.routes import ROUTES
from radiuscore.server.logs import JsonFormatter
from tests.conftest import Db
from tests.mgmt.api.conftest import DEVICE, ISP, PASSWORD, Api, House, Reply

STATIC = Path(mgmt.__file__).parent / "static" / "swagger-ui"


def test_the_description_is_valid_and_has_every_route_and_no_other() -> None:
    description = describe(ROUTES)

    validate(description)
    assert description["openapi"] == "3.1.0"
    described = {
        (method.upper(), path, operation["operationId"])
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {(route.method, plain_path(route.path), operation_id(route)) for route in ROUTES}
    assert len({operation for _, _, operation in described}) == len(ROUTES)
    assert all(operation["summary"] for methods in description["paths"].values() for operation in methods.values())


def test_bodies_that_create_have_examples_that_are_valid() -> None:
    for route in ROUTES:
        if route.body is None or route.status != 201:
            continue
        examples = route.body.model_json_schema()["examples"]
        assert [route.body.model_validate(example, strict=False) for example in examples]


def test_no_secret_is_in_what_is_answered() -> None:
    shown_once = {"IspCreated", "NewApiKey", "NewRadiusSecret", "Tokens", "MfaSetup", "RecoveryCodes"}
    secret = re.compile(r"^(password|password_hash|api_key|radius_secret|outgoing_radius_secret|totp_secret|secret)$")
    schemas = describe(ROUTES)["components"]["schemas"]
    answers = {route.answer.__name__ for route in ROUTES if route.answer is not None}
    for name in answers - shown_once:
        assert not [field for field in schemas[name]["properties"] if secret.match(field)], name


@pytest.mark.postgres
async def test_every_route_of_the_application_is_described(api: Api) -> None:
    described = (await api.get("/openapi.json")).json["paths"]

    assert set(described) == {plain_path(route.path) for route in ROUTES}
    for path, methods in described.items():
        concrete = re.sub(r"\{id\}", "1", path)
        for method in {"get", "post", "patch", "delete", "put"} - set(methods):
            refused = await api.send(method.upper(), concrete)
            assert refused.status in (404, 405), (method, path)


@pytest.mark.postgres
async def test_the_docs_load_nothing_from_elsewhere(api: Api) -> None:
    page = await api.get("/docs")

    assert page.status == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for path in loaded:
        assert path.startswith("/docs/")
        assert (await api.get(path)).status == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert (await api.get("/docs/../problems.py")).status == 404
    assert (await api.get("/docs/VENDOR.md")).status == 404


def test_vendored_files_are_what_the_note_says() -> None:
    rows = re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (STATIC / "VENDOR.md").read_text(), re.MULTILINE)

    assert len(rows) == 5
    for name, digest in rows:
        assert sha256((STATIC / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.postgres
async def test_every_answer_has_an_id_and_careful_headers(house: House, api: Api) -> None:
    answers = [await api.get("/api/devices"), await house.isp_admin.get("/api/devices"), await api.get("/api/nothing")]

    for answer in answers:
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-Id"])
        for name in _HEADERS:
            assert name in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3
    given = await api.using(X_Request_Id="my-request-1", Origin="https://elsewhere.example").get("/api/devices")
    assert given.headers["X-Request-Id"] == "my-request-1"
    assert "Access-Control-Allow-Origin" not in given.headers
    forged = await api.using(X_Request_Id='x"><script>').get("/api/devices")
    assert "script" not in forged.headers["X-Request-Id"]
    wrong_method = await api.send("PUT", "/api/devices")
    assert (wrong_method.status, wrong_method.code) == (405, "method_not_allowed")
    assert "POST" in wrong_method.headers["Allow"]


@pytest.mark.postgres
@pytest.mark.parametrize(
    "number", ["0", "9223372036854775807", "9223372036854775808", "9999999999999999999", "x", "-1"]
)
async def test_an_id_that_no_row_has_is_not_found(house: House, root: Api, number: str) -> None:
    for kind in ("devices", "customers", "service-plans", "users"):
        for client in (house.isp_admin, root):
            assert (await client.get(f"/api/{kind}/{number}")).code == "not_found"
    assert (await root.get(f"/api/isps/{number}")).code == "not_found"


@pytest.mark.postgres
async def test_a_failure_of_ours_tells_nothing_but_its_id(
    house: House, db: Db, caplog: pytest.LogCaptureFixture
) -> None:
    await db.execute("ALTER TABLE control.devices RENAME TO moved")

    failed = await house.isp_admin.get("/api/devices")
    assert (failed.status, failed.code) == (500, "internal_error")
    assert failed.headers["X-Request-Id"] in failed.json["detail"]
    assert "moved" not in failed.text
    assert "relation" not in failed.text
    assert any("relation" in (record.exc_text or "") or record.exc_info for record in caplog.records)


@pytest.mark.postgres
async def test_a_database_that_is_away_is_503(house: House, api: Api) -> None:
    await api.services.control.system.close()

    away = await house.isp_admin.get("/api/devices")
    assert (away.status, away.code) == (503, "database_unavailable")
    assert away.headers["Retry-After"] == "2"


@pytest.mark.postgres
async def test_who_changed_what_is_written_down(house: House, root: Api) -> None:
    path = f"/api/customers/{house.customer_id}"
    changed = await house.isp_staff.patch(path, {"notes": "called", "password": "canary-of-audit"})
    await root.patch(path, {"status": "suspended"})

    log = (await house.isp_admin.get(f"/api/audit?action=customers&target_id={house.customer_id}")).json["items"]
    assert [entry["action"] for entry in log] == ["customers.change", "customers.change", "customers.create"]
    by_admin, by_staff, _ = log
    assert (by_admin["actor"], by_admin["details"]) == (
        "admin@example.com",
        {"old": {"status": "active"}, "new": {"status": "suspended"}},
    )
    assert by_staff["actor"] == house.emails["isp_staff"]
    assert by_staff["request_id"] == changed.headers["X-Request-Id"]
    assert by_staff["address"] == "127.0.0.1"
    assert by_staff["details"] == {
        "old": {"notes": None, "password": None},
        "new": {"notes": "called", "password": "***"},
    }
    unchanged = await house.isp_staff.patch(path, {"notes": "called"})
    assert unchanged.status == 200
    assert len((await house.isp_admin.get("/api/audit?action=customers.change")).json["items"]) == 2
    logins = (await house.isp_admin.get("/api/audit?action=auth.login")).json["items"]
    assert {entry["isp_id"] for entry in logins} == {house.isp_id}


SESSION: dict[str, Any] = {
    "nas_id": 1,
    "username_key": "customer@example.com",
    "username": "Customer@example.com",
    "session_time": 60,
    "input_octets": 5,
    "output_octets": 7,
    "node": "n",
    "start_estimate": 0,
    "statuses": 1,
}


async def insert_session(db: Db, table: str, **columns: Any) -> None:
    row = SESSION | columns
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await db.execute(f"INSERT INTO accounting.{table} ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608


@pytest.mark.postgres
async def test_sessions_are_listed_once_the_newest_first(houses: tuple[House, House], root: Api, db: Db) -> None:
    now = await db.fetchval("SELECT now()")
    for isp in houses:
        for number in range(5):
            uuid = UUID(int=isp.isp_id * 100 + number)
            common = {"id": uuid, "isp_id": isp.isp_id, "acct_session_id": f"s{number}", "customer_id": isp.customer_id}
            common |= {"started_at": now.replace(minute=number), "updated_at": now}
            if number < 2:
                common |= {"stopped_at": now, "closed_as_of": now, "closed_by": "stop"}
                await insert_session(db, "sessions", state="closed", closed_at=now, **common)
                await insert_session(db, "session_history", **common)
            else:
                await insert_session(db, "sessions", state="open", **common)
    mine, theirs = houses

    first = (await mine.isp_staff.get("/api/sessions?limit=3")).json
    rest = (await mine.isp_staff.get(f"/api/sessions?limit=3&cursor={first['next']}")).json
    assert [item["acct_session_id"] for item in first["items"] + rest["items"]] == ["s4", "s3", "s2", "s1", "s0"]
    assert rest["next"] is None
    assert {item["isp_id"] for item in first["items"]} == {mine.isp_id}
    for query, count in [
        ("active=true", 3),
        ("active=false", 2),
        ("acct_session_id=s1", 1),
        ("username=CUSTOMER@EXAMPLE.COM", 5),
        (f"customer_id={mine.customer_id}", 5),
        (f"customer_id={theirs.customer_id}", 0),
        ("device_id=2", 0),
    ]:
        assert len((await mine.isp_staff.get(f"/api/sessions?{query}")).json["items"]) == count, query
    assert len((await root.get("/api/sessions")).json["items"]) == 10
    for number in (0, 4):
        assert (await mine.program.get(f"/api/sessions/{UUID(int=mine.isp_id * 100 + number)}")).status == 200
        assert (await mine.program.get(f"/api/sessions/{UUID(int=theirs.isp_id * 100 + number)}")).code == "not_found"


@pytest.mark.postgres
async def test_rejects_are_listed_with_their_reason(houses: tuple[House, House], db: Db) -> None:
    for isp in houses:
        await db.execute(
            """
            INSERT INTO accounting.auth_log (isp_id, at, nas_id, username, outcome, reason, method, node)
            SELECT $1, now(), 1, 'user ' || n, CASE n WHEN 5 THEN 'accept' ELSE 'reject' END, 'bad_credentials', 'pap',
                   'n'
              FROM generate_series(1, 5) AS n
            """,
            isp.isp_id,
        )

    first = (await houses[0].isp_staff.get("/api/rejects?limit=3")).json
    rest = (await houses[0].isp_staff.get(f"/api/rejects?limit=3&cursor={first['next']}")).json
    rows = first["items"] + rest["items"]
    assert [row["username"] for row in rows] == ["user 4", "user 3", "user 2", "user 1"]
    assert {(row["isp_id"], row["reason"]) for row in rows} == {(houses[0].isp_id, "bad_credentials")}
    assert (await houses[0].isp_staff.get("/api/rejects?reason=expired")).json["items"] == []


@pytest.mark.postgres
async def test_no_secret_is_in_an_answer_the_log_or_the_database(
    root: Api, api: Api, db: Db, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    replies: list[Reply] = []

    async def keep(reply: Reply) -> Reply:
        replies.append(reply)
        return reply

    canaries = [
        f"canary-{name}-x7Kq" for name in ("device", "key", "radius", "customer", "changed", "isp", "user", "wrong")
    ]
    device, key, radius, customer, changed, of_isp, user, wrong = canaries
    isp = (await root.post("/api/isps", ISP)).json
    tenant = {"isp_id": isp["id"]}
    secrets = {"password": device, "api_key": key, "radius_secret": radius}
    made = await keep(await root.post("/api/devices", DEVICE | secrets | tenant, headers={"Idempotency-Key": "canary"}))
    await keep(await root.post("/api/devices", DEVICE | secrets | tenant, headers={"Idempotency-Key": "canary"}))
    await keep(await root.post("/api/devices", DEVICE | secrets | tenant))
    sub = await keep(await root.post("/api/customers", {"username": "c", "password": customer} | tenant))
    await keep(await root.patch(f"/api/customers/{sub.json['id']}", {"password": changed}))
    await keep(await root.patch(f"/api/customers/{sub.json['id']}", {"password": changed, "status": "x"}))
    await keep(await root.patch(f"/api/isps/{isp['id']}", {"radius_secret": of_isp}))
    new = {"email": "u@example.com", "password": user, "role": "isp_admin"} | tenant
    await keep(await root.post("/api/users", new))
    await keep(await api.post("/api/auth/login", {"email": "u@example.com", "password": wrong}))
    await keep(await api.post("/api/auth/login", {"email": "u@example.com", "password": [wrong]}))
    for path in (
        "/api/devices",
        "/api/customers",
        "/api/isps",
        "/api/users",
        "/api/audit",
        f"/api/devices/{made.json['id']}",
    ):
        await keep(await root.get(path))
    log_in = await api.post("/api/auth/login", {"email": "u@example.com", "password": user})
    shown_once = [isp["api_key"], isp["radius_secret"], log_in.json["access_token"], log_in.json["refresh_token"]]

    assert made.status == 201
    logged = "\n".join(JsonFormatter({}).format(record) for record in caplog.records)
    assert "a request" in logged
    dump = ""
    for table in await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'control'"):
        rows = await db.fetch(f"SELECT * FROM control.{table['tablename']}")  # noqa: S608
        dump += "".join(str(tuple(row)) for row in rows)
    for canary in canaries:
        assert not [reply for reply in replies if canary in reply.text], canary
        assert canary not in logged, canary
        assert canary not in dump, canary
    for secret in shown_once:
        assert not [reply for reply in replies if secret in reply.text]
        assert secret not in logged
        assert secret not in dump


def test_problems_are_a_closed_set_with_stable_names() -> None:
    assert all(re.fullmatch(r"[a-z_]+", code) for code in CODES)
    used = {
        code
        for path in Path(mgmt.__file__).parent.rglob("*.py")
        for code in re.findall(r'Problem\(\s*"([a-z_]+)"', path.read_text())
    }
    assert used <= set(CODES)


def test_the_steps_of_one_time_passwords_are_those_of_the_apps() -> None:
    from mgmt.auth import totp

    secret = totp.new_secret()
    assert totp.step_of(secret, pyotp.TOTP(secret).now()) in (int(time.time()) // 30, int(time.time()) // 30 - 1)
    assert totp.step_of(secret, PASSWORD) is None
