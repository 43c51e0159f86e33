"""Who may ask what: every route of the table, for every role, and for the ids of another ISP."""

from typing import Any

import jwt
import pytest

from mgmt.auth.tokens import ALGORITHM, AUDIENCE, ISSUER
from mgmt.openapi import plain_path
from mgmt.routes import ROUTES
from mgmt.routing import Route
from tests.mgmt.api.conftest import DEVICE, JWT_SECRET_KEY, Api, House, Reply

pytestmark = pytest.mark.postgres

NOWHERE = 999_999_999
NO_SESSION = "00000000-0000-4000-8000-000000000000"
LETTERS = {"a": "admin", "i": "isp_admin", "s": "isp_staff", "k": "api_key"}

# By hand, beside the table: a new route fails until it is here, and so does a right that is given by mistake.
EXPECTED = {
    "POST /api/auth/login": None,
    "POST /api/auth/refresh": None,
    "POST /api/auth/logout": "ais",
    "GET /api/auth/me": "aisk",
    "POST /api/auth/password": "ais",
    "POST /api/auth/mfa/setup": "ais",
    "POST /api/auth/mfa/enable": "ais",
    "POST /api/auth/mfa/disable": "ais",
    "GET /api/isps": "a",
    "POST /api/isps": "a",
    "GET /api/isps/{id}": "aisk",
    "PATCH /api/isps/{id}": "ai",
    "DELETE /api/isps/{id}": "a",
    "GET /api/isps/{id}/stats": "aisk",
    "POST /api/isps/{id}/rotate-api-key": "ai",
    "POST /api/isps/{id}/rotate-radius-secret": "ai",
    "GET /api/users": "ai",
    "POST /api/users": "ai",
    "GET /api/users/{id}": "ai",
    "PATCH /api/users/{id}": "ai",
    "DELETE /api/users/{id}": "ai",
    "GET /api/devices": "aisk",
    "POST /api/devices": "aik",
    "GET /api/devices/{id}": "aisk",
    "PATCH /api/devices/{id}": "aik",
    "DELETE /api/devices/{id}": "aik",
    "POST /api/devices/{id}/test-connection": "aisk",
    "POST /api/devices/{id}/sync": "aisk",
    "GET /api/devices/{id}/interfaces": "aisk",
    "POST /api/devices/{id}/doctor": "aisk",
    "GET /api/customers": "aisk",
    "POST /api/customers": "aik",
    "GET /api/customers/{id}": "aisk",
    "PATCH /api/customers/{id}": "aisk",
    "DELETE /api/customers/{id}": "aik",
    "POST /api/customers/{id}/explain": "aisk",
    "GET /api/customers/{id}/sessions": "aisk",
    "GET /api/customers/{id}/usage": "aisk",
    "GET /api/service-plans": "aisk",
    "POST /api/service-plans": "aik",
    "GET /api/service-plans/{id}": "aisk",
    "PATCH /api/service-plans/{id}": "aik",
    "DELETE /api/service-plans/{id}": "aik",
    "GET /api/sessions": "aisk",
    "GET /api/sessions/{id}": "aisk",
    "GET /api/rejects": "aisk",
    "GET /api/audit": "ai",
}


def place(route: Route) -> str:
    return f"{route.method} {plain_path(route.path)}"


def path_of(route: Route, number: int) -> str:
    if "/sessions/{id" in route.path:
        return f"/api/sessions/{NO_SESSION}"
    return plain_path(route.path).replace("{id}", str(number))


async def ask(client: Api, route: Route, number: int, body: Any = None) -> Reply:
    return await client.send(
        route.method, path_of(route, number), ({} if body is None else body) if route.body else None
    )


def test_every_route_has_a_row_and_no_right_is_given_by_mistake() -> None:
    given = {
        place(route): None
        if route.roles is None
        else "".join(key for key, role in LETTERS.items() if role in route.roles)
        for route in ROUTES
    }
    assert given == EXPECTED
    assert len(ROUTES) == len(given)


def expired(user_id: int) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(user_id), "iat": 1, "nbf": 1, "exp": 900}
    return jwt.encode(claims | {"jti": "x", "sid": "x", "ver": 0}, JWT_SECRET_KEY, algorithm=ALGORITHM)


async def test_every_route_for_every_role(house: House, root: Api, api: Api) -> None:
    clients = {
        "admin": root,
        "isp_admin": house.isp_admin,
        "isp_staff": house.isp_staff,
        "api_key": house.program,
    }
    faulty = {"overlap_s": -1}  # so that keys are asked for, and not changed
    for route in sorted(ROUTES, key=lambda route: route.path.endswith("logout")):
        number = house.isp_id if "/isps/" in route.path and route.method != "DELETE" else NOWHERE
        nobody = await ask(api, route, number)
        late = await ask(api.bearing(expired(house.user_id)), route, number)
        if route.roles is None:
            assert (nobody.code, late.code) == ("validation_failed", "validation_failed"), place(route)
            continue
        assert (nobody.status, nobody.code) == (401, "token_missing"), place(route)
        assert (late.status, late.code) == (401, "token_expired"), place(route)
        for role, client in clients.items():
            reply = await ask(client, route, number, faulty)
            if role in route.roles:
                assert reply.status not in (401, 403, *range(500, 600)), (place(route), role, reply.text)
            else:
                assert (reply.status, reply.code) == (403, "forbidden"), (place(route), role, reply.text)


def ids(house: House) -> dict[str, int]:
    return {
        "/api/users/": house.user_id,
        "/api/devices/": house.device_id,
        "/api/customers/": house.customer_id,
        "/api/service-plans/": house.plan_id,
        "/api/isps/": house.isp_id,
    }


BODIES: dict[str, dict[str, Any]] = {
    "/api/users/": {"first_name": "Mallory"},
    "/api/devices/": {"notes": "Mallory", "radius_secret": "Mallory"},
    "/api/customers/": {"notes": "Mallory"},
    "/api/service-plans/": {"description": "Mallory"},
    "/api/isps/": {"name": "Mallory"},
}


# What is sent to a route of a row that does not change its fields.
OTHER_BODIES: dict[str, dict[str, Any]] = {
    "POST /api/isps/{id}/rotate-api-key": {},
    "POST /api/isps/{id}/rotate-radius-secret": {},
    "POST /api/devices/{id}/test-connection": {"connection_type": "api"},
    "POST /api/devices/{id}/sync": {"connection_type": "api"},
    "POST /api/customers/{id}/explain": {},
}


@pytest.mark.parametrize("role", ["isp_admin", "isp_staff", "program"])
async def test_another_isps_row_is_as_if_it_did_not_exist(houses: tuple[House, House], role: str, root: Api) -> None:
    mine, theirs = houses
    client: Api = getattr(mine, role)
    role_name = "api_key" if role == "program" else role
    for route in ROUTES:
        kind = next((prefix for prefix in BODIES if plain_path(route.path).startswith(prefix + "{id}")), None)
        if kind is None or route.roles is None or role_name not in route.roles:
            continue
        body = OTHER_BODIES.get(place(route), BODIES[kind])
        foreign = await ask(client, route, ids(theirs)[kind], body)
        missing = await ask(client, route, NOWHERE, body)
        expected = (403, "tenant_access_denied") if kind == "/api/isps/" else (404, "not_found")
        assert (foreign.status, foreign.code) == expected, place(route)
        assert foreign.text == missing.text, place(route)
        assert set(foreign.headers) == set(missing.headers), place(route)
    for kind, number in ids(theirs).items():
        assert "Mallory" not in (await root.get(f"{kind}{number}")).text


@pytest.mark.parametrize("role", ["isp_admin", "isp_staff", "program"])
async def test_another_isp_is_denied_in_every_query(houses: tuple[House, House], role: str) -> None:
    mine, theirs = houses
    client: Api = getattr(mine, role)
    for route in ROUTES:
        if route.query is None or "isp_id" not in route.query.model_fields or route.roles is None:
            continue
        if ("api_key" if role == "program" else role) not in route.roles:
            continue
        foreign, missing, own = [
            await client.get(f"{route.path}?isp_id={isp_id}") for isp_id in (theirs.isp_id, NOWHERE, mine.isp_id)
        ]
        assert (foreign.status, foreign.code) == (403, "tenant_access_denied"), place(route)
        assert foreign.text == missing.text
        assert own.status == 200
        assert {item["isp_id"] for item in own.json["items"]} <= {mine.isp_id}


async def test_another_isp_is_denied_in_every_body(houses: tuple[House, House], root: Api) -> None:
    mine, theirs = houses
    bodies = {
        "/api/devices": DEVICE | {"device_ip": "10.9.9.9"},
        "/api/customers": {"username": "new"},
        "/api/service-plans": {"name": "new"},
        "/api/users": {"email": "new@example.com", "password": "correct horse battery", "role": "isp_staff"},
    }
    creating = {route.path for route in ROUTES if route.body and "isp_id" in route.body.model_fields}
    assert creating == set(bodies)
    for path, body in bodies.items():
        foreign, missing = [
            await mine.isp_admin.post(path, body | {"isp_id": isp_id}) for isp_id in (theirs.isp_id, NOWHERE)
        ]
        assert (foreign.status, foreign.code) == (403, "tenant_access_denied"), path
        assert foreign.text == missing.text
        before = len((await root.get(f"{path}?isp_id={theirs.isp_id}")).json["items"])
        own = await mine.isp_admin.post(path, body | {"isp_id": mine.isp_id})
        assert (own.status, own.json["isp_id"]) == (201, mine.isp_id)
        assert len((await root.get(f"{path}?isp_id={theirs.isp_id}")).json["items"]) == before
        nowhere = await root.post(
            path, body | {"isp_id": NOWHERE, **({"email": "o@example.com"} if "email" in body else {})}
        )
        assert (nowhere.status, nowhere.json["errors"][0]["field"]) == (422, "isp_id"), path


async def test_another_isps_plan_and_router_cannot_be_referred_to(houses: tuple[House, House]) -> None:
    mine, theirs = houses
    for field, foreign in (("service_plan_id", theirs.plan_id), ("device_ids", [theirs.device_id])):
        missing = [NOWHERE] if isinstance(foreign, list) else NOWHERE
        replies = [
            await mine.isp_admin.post("/api/customers", {"username": "n", field: value}) for value in (foreign, missing)
        ]
        replies += [
            await mine.isp_admin.patch(f"/api/customers/{mine.customer_id}", {field: value})
            for value in (foreign, missing)
        ]
        assert {(reply.status, reply.text) for reply in replies} == {(422, replies[0].text)}
        assert replies[0].json["errors"][0]["field"] == field


async def test_lists_show_ones_own_and_an_admin_all(houses: tuple[House, House], root: Api) -> None:
    mine, theirs = houses
    for path in ("/api/devices", "/api/customers", "/api/service-plans", "/api/users", "/api/audit"):
        own = await mine.isp_admin.get(path)
        everybodys = await root.get(f"{path}?limit=200")
        assert {item["isp_id"] for item in own.json["items"]} == {mine.isp_id}, path
        assert {item["isp_id"] for item in everybodys.json["items"]} >= {mine.isp_id, theirs.isp_id}, path


async def test_nobody_sets_what_is_not_his(house: House) -> None:
    admin, staff = house.isp_admin, house.isp_staff
    for path, fields in {
        f"/api/customers/{house.customer_id}": ("isp_id", "id", "quota_state", "balance", "created_at", "username_key"),
        f"/api/devices/{house.device_id}": ("isp_id", "id", "proved_at", "message_authenticator_seen_at"),
        f"/api/users/{house.user_id}": ("isp_id", "token_version", "password_hash", "is_admin", "totp_secret"),
        f"/api/isps/{house.isp_id}": ("id", "api_key", "last_invoice_number"),
    }.items():
        for field in fields:
            reply = await admin.patch(path, {field: 1})
            assert (reply.status, reply.json["errors"][0]["code"]) == (422, "extra_forbidden"), (path, field)
    for contract in ({"max_devices": 999}, {"status": "active"}, {"subscription_plan": "enterprise"}):
        reply = await admin.patch(f"/api/isps/{house.isp_id}", contract)
        assert (reply.status, reply.code) == (403, "field_forbidden")
    refused = await staff.patch(f"/api/customers/{house.customer_id}", {"notes": "seen", "status": "suspended"})
    assert (refused.status, refused.json["errors"][0]["field"]) == (403, "status")
    allowed = await staff.patch(f"/api/customers/{house.customer_id}", {"notes": "seen", "password": "new password"})
    assert (allowed.status, allowed.json["notes"], allowed.json["status"]) == (200, "seen", "active")


async def test_nobody_makes_himself_more_than_he_is(house: House, root: Api) -> None:
    new = {"email": "new@example.com", "password": "correct horse battery", "role": "admin"}

    assert (await house.isp_admin.post("/api/users", new)).code == "field_forbidden"
    assert (await house.isp_admin.patch(f"/api/users/{house.user_id}", {"role": "admin"})).code == "field_forbidden"
    me = (await house.isp_admin.get("/api/auth/me")).json["user_id"]
    for own in ({"role": "isp_staff"}, {"status": "disabled"}, {"password": "another long password"}):
        assert (await house.isp_admin.patch(f"/api/users/{me}", own)).code == "own_account"
    assert (await house.isp_admin.delete(f"/api/users/{me}")).code == "own_account"
    made = await root.post("/api/users", new)
    assert (made.status, made.json["isp_id"]) == (201, None)
    assert (await house.isp_admin.get(f"/api/users/{made.json['id']}")).code == "not_found"
