"""What can be created, read, changed and deleted, with the specification's own bodies."""

from io import BytesIO
from typing import Any

import pytest

from mgmt.models import api_key_hash
from radiuscore.store.sealing import Keyring
from tests.conftest import Db
from tests.mgmt.api.conftest import DEVICE, ISP, Api, House

pytestmark = pytest.mark.postgres


async def test_an_admin_creates_an_isp_with_the_specifications_body(root: Api, db: Db) -> None:
    made = await root.post("/api/isps", ISP)

    assert made.status == 201, made.text
    assert {name: made.json[name] for name in ISP} == ISP
    assert made.headers["Location"] == f"/api/isps/{made.json['id']}"
    stored = await db.fetchrow("SELECT api_key, radius_secret FROM control.isps WHERE id = $1", made.json["id"])
    assert stored is not None
    assert stored["api_key"] == api_key_hash(made.json["api_key"])
    assert made.json["radius_secret"] not in stored["radius_secret"]
    shown = await root.get(f"/api/isps/{made.json['id']}")
    assert made.json["api_key"] not in shown.text
    assert made.json["radius_secret"] not in shown.text
    listed = await root.get("/api/isps")
    assert [one["id"] for one in listed.json["items"]] == [made.json["id"]]


async def test_a_device_is_created_with_the_specifications_body(
    house: House, root: Api, db: Db, keyring: Keyring
) -> None:
    body = DEVICE | {"device_name": "Branch Router", "device_ip": "192.168.2.1", "device_model": "hAP ac²"}
    by_admin = await root.post("/api/devices", body | {"isp_id": house.isp_id})
    without = await root.post("/api/devices", body)

    assert by_admin.status == 201, by_admin.text
    public = {name: value for name, value in body.items() if name not in ("password", "api_key")}
    assert {name: by_admin.json[name] for name in public} == public
    assert (by_admin.json["has_password"], by_admin.json["has_api_key"]) == (True, True)
    assert by_admin.json["radius_secret_of"] == "isp"
    assert "admin123" not in by_admin.text
    assert (without.status, without.code) == (400, "isp_id_required")
    row = await db.fetchrow("SELECT id, isp_id, password FROM control.devices WHERE id = $1", by_admin.json["id"])
    assert row is not None
    place: dict[str, Any] = {"table": "devices", "row": row["id"], "column": "password", "isp_id": row["isp_id"]}
    assert keyring.open(row["password"], **place) == b"admin123"


@pytest.mark.parametrize(("plan", "limits"), [("basic", (10, 100)), ("pro", (20, 200)), ("enterprise", (50, 500))])
async def test_a_subscription_plan_decides_the_limits(root: Api, plan: str, limits: tuple[int, int]) -> None:
    body = {"name": "N", "company_name": "C", "email": "a@example.com", "subscription_plan": plan}

    made = (await root.post("/api/isps", body)).json
    assert (made["max_devices"], made["max_customers"]) == limits
    moved = (await root.patch(f"/api/isps/{made['id']}", {"subscription_plan": "enterprise"})).json
    assert (moved["max_devices"], moved["max_customers"]) == (50, 500)
    own = (await root.patch(f"/api/isps/{made['id']}", {"max_devices": 7})).json
    back = (await root.patch(f"/api/isps/{made['id']}", {"subscription_plan": "basic"})).json
    assert own["max_devices"] == 7
    assert (back["max_devices"], back["max_customers"]) == (7, 100)


async def test_a_customer_is_found_changed_and_deleted(house: House) -> None:
    api, path = house.isp_admin, f"/api/customers/{house.customer_id}"
    seen = await api.get(path)

    changed = await api.patch(
        path,
        {
            "full_name": "Ada",
            "mac_addresses": ["AA-BB-CC-00-11-22"],
            "device_ids": [house.device_id],
            "status": "unpaid",
        },
        headers={"If-Match": seen.headers["ETag"]},
    )
    assert changed.status == 200, changed.text
    assert changed.json["mac_addresses"] == ["aa:bb:cc:00:11:22"]
    assert changed.json["device_ids"] == [house.device_id]
    assert changed.json["username"] == "customer@example.com"
    assert changed.headers["ETag"] != seen.headers["ETag"]
    stale = await api.patch(path, {"notes": "x"}, headers={"If-Match": seen.headers["ETag"]})
    assert (stale.status, stale.code) == (412, "precondition_failed")
    for query, count in [
        ("q=ADA", 1),
        ("q=nobody", 0),
        ("status=unpaid", 1),
        ("status=active", 0),
        (f"service_plan_id={house.plan_id}", 1),
        ("username=CUSTOMER@example.com", 1),
    ]:
        found = await api.get(f"/api/customers?{query}")
        assert len(found.json["items"]) == count, query
    in_use = await api.delete(f"/api/devices/{house.device_id}")
    assert (in_use.status, in_use.code) == (409, "in_use")
    assert (await api.delete(f"/api/service-plans/{house.plan_id}")).code == "in_use"
    assert (await api.delete(path)).status == 204
    assert (await api.get(path)).code == "not_found"
    assert (await api.delete(f"/api/devices/{house.device_id}")).status == 204
    assert (await api.delete(f"/api/service-plans/{house.plan_id}")).status == 204


async def test_a_plan_keeps_hours_and_exact_money(house: House) -> None:
    api = house.isp_admin
    body = {"name": "Night", "login_hours": [[0, 360], [1440, 1800]], "price": "29.9900", "currency": "EUR"}

    made = await api.post("/api/service-plans", body)
    assert made.status == 201, made.text
    assert made.json["login_hours"] == [[0, 360], [1440, 1800]]
    assert made.json["price"] == "29.9900"
    taken = await api.post("/api/service-plans", body)
    assert taken.code == "name_taken"
    changed = await api.patch(f"/api/service-plans/{made.json['id']}", {"price": "0.0001", "login_hours": []})
    assert (changed.json["price"], changed.json["login_hours"], changed.json["currency"]) == ("0.0001", [], "EUR")
    weekly = await api.patch(f"/api/service-plans/{made.json['id']}", {"quota_period": "week", "quota_anchor_day": 9})
    assert (weekly.code, weekly.json["errors"][0]["field"]) == ("validation_failed", "quota_anchor_day")


async def test_names_and_addresses_are_unique_in_an_isp(house: House) -> None:
    api = house.isp_admin

    assert (await api.post("/api/devices", DEVICE)).code == "device_ip_taken"
    same = await api.post("/api/customers", {"username": "Customer@Example.com", "password": "x"})
    assert (same.status, same.code) == (409, "username_taken")


async def test_everything_that_is_wrong_is_told_at_once_and_no_value_repeated(house: House) -> None:
    body = {
        "device_name": "",
        "device_ip": "999.1.1.1",
        "coa_port": 0,
        "password": "canary\0secret",
        "role": "admin",
        "radius_sources": ["10.0.0.1/8"],
    }

    reply = await house.isp_admin.post("/api/devices", body)
    fields = {fault["field"].split(".")[0] for fault in reply.json["errors"]}
    assert reply.code == "validation_failed"
    assert fields == {"device_name", "device_ip", "coa_port", "password", "role", "radius_sources"}
    assert "canary" not in reply.text
    several = await house.isp_admin.get("/api/customers?limit=1000&nothing=1&status=dead")
    assert {fault["field"] for fault in several.json["errors"]} == {"limit", "nothing", "status"}


@pytest.mark.parametrize(
    ("kwargs", "status", "code"),
    [
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 422, "validation_failed"),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"data": b"[]", "headers": {"Content-Type": "application/json"}}, 422, "validation_failed"),
        (
            {"data": BytesIO(b'"' + b"x" * 2_000_000 + b'"'), "headers": {"Content-Type": "application/json"}},
            413,
            "body_too_large",
        ),
    ],
)
async def test_a_body_that_is_none_is_refused(house: House, kwargs: dict[str, Any], status: int, code: str) -> None:
    reply = await house.isp_admin.post("/api/devices", **kwargs)

    assert (reply.status, reply.code) == (status, code)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "::ffff:127.0.0.1", "255.255.255.255"],
)
async def test_a_device_must_not_be_at_an_address_that_we_do_not_connect_to(house: House, address: str) -> None:
    made = await house.isp_admin.post("/api/devices", DEVICE | {"device_ip": address})
    moved = await house.isp_admin.patch(f"/api/devices/{house.device_id}", {"device_ip": address})

    for reply in (made, moved):
        assert (reply.status, reply.json["errors"][0]["code"]) == (422, "address_refused")


async def test_wide_sources_are_for_admins_and_must_be_signed(house: House, root: Api) -> None:
    wide = {"radius_sources": ["10.0.0.0/16"]}
    path = f"/api/devices/{house.device_id}"

    by_isp = await house.isp_admin.patch(path, wide)
    unsigned = await root.patch(path, wide)
    signed = await root.patch(path, wide | {"require_message_authenticator": "yes"})
    assert by_isp.json["errors"][0]["code"] == "source_too_wide"
    assert unsigned.json["errors"][0]["field"] == "require_message_authenticator"
    assert signed.json["radius_sources"] == ["10.0.0.0/16"]


async def test_a_secret_is_rotated_with_overlap(house: House, root: Api, db: Db, keyring: Keyring) -> None:
    new = await house.isp_admin.post(f"/api/isps/{house.isp_id}/rotate-radius-secret", {"overlap_s": 3600})

    row = await db.fetchrow(
        "SELECT radius_secret, outgoing_radius_secret FROM control.isps WHERE id = $1", house.isp_id
    )
    assert row is not None
    opened = [
        keyring.open(row[column], table="isps", row=house.isp_id, column=column, isp_id=house.isp_id).decode()
        for column in ("radius_secret", "outgoing_radius_secret")
    ]
    assert opened == [new.json["radius_secret"], house.radius_secret]
    at_once = await root.post(f"/api/isps/{house.isp_id}/rotate-radius-secret", {"overlap_s": 0})
    assert at_once.json["outgoing_radius_secret_until"] is None


async def test_an_api_key_is_rotated_with_overlap(house: House, db: Db) -> None:
    path = f"/api/isps/{house.isp_id}/rotate-api-key"
    first = await house.isp_admin.post(path, {})
    new = house.program.with_key(first.json["api_key"])

    assert (await new.get("/api/devices")).status == 200
    assert (await house.program.get("/api/devices")).status == 200
    await db.execute("UPDATE control.isps SET previous_api_key_expires_at = now() - interval '1 second'")
    assert (await house.program.get("/api/devices")).code == "token_invalid"
    assert (await new.get("/api/devices")).status == 200


async def test_stats_tell_use_limits_and_today(house: House, root: Api, db: Db) -> None:
    await db.execute(
        """
        INSERT INTO accounting.auth_log (isp_id, at, nas_id, username, outcome, reason, method, node)
        SELECT $1, now(), 1, 'x', outcome, '', 'pap', 'n' FROM unnest(ARRAY['accept', 'reject', 'reject']) AS outcome
        """,
        house.isp_id,
    )
    await db.execute(
        "INSERT INTO accounting.usage_day VALUES ($1, 1, (now() AT TIME ZONE 'UTC')::date, 5, 7, 9)", house.isp_id
    )

    stats = await house.isp_staff.get(f"/api/isps/{house.isp_id}/stats")
    assert stats.status == 200, stats.text
    assert stats.json["devices"] == {"used": 1, "limit": 20}
    assert stats.json["customers"] == {"used": 1, "limit": 200}
    today = stats.json["today"]
    assert (today["logins"], today["rejects"], today["input_octets"], today["output_octets"]) == (1, 2, 5, 7)
    unlimited = await root.patch(f"/api/isps/{house.isp_id}", {"max_devices": 0})
    assert unlimited.json["max_devices"] == 0
    assert (await root.get(f"/api/isps/{house.isp_id}/stats")).json["devices"]["limit"] is None


async def test_an_empty_isp_is_deleted_and_another_is_not(house: House, root: Api) -> None:
    empty = (await root.post("/api/isps", ISP)).json["id"]

    assert (await root.delete(f"/api/isps/{house.isp_id}")).code == "in_use"
    assert (await root.delete(f"/api/isps/{empty}")).status == 204
    assert (await root.get(f"/api/isps/{empty}")).code == "not_found"
