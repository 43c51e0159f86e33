"""What a customer would get and why, his sessions, and what he used: over HTTP, of one's own ISP only."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Db
from tests.mgmt.api.conftest import Api, House

pytestmark = pytest.mark.postgres

STAFF = ("isp_admin", "isp_staff", "program")
SESSION: dict[str, Any] = {
    "username_key": "customer@example.com",
    "username": "customer@example.com",
    "session_time": 60,
    "input_octets": 5,
    "output_octets": 7,
    "node": "n",
    "start_estimate": 0,
    "statuses": 1,
}


async def insert(db: Db, table: str, **row: Any) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await db.execute(f"INSERT INTO accounting.{table} ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608


async def open_session(db: Db, house: House, number: int, **columns: Any) -> None:
    now = datetime.now(UTC)
    row = SESSION | {
        "id": UUID(int=house.isp_id * 100 + number),
        "isp_id": house.isp_id,
        "nas_id": house.device_id,
        "customer_id": house.customer_id,
        "acct_session_id": f"s{number}",
        "state": "open",
        "started_at": now - timedelta(hours=number),
        "updated_at": now,
    }
    await insert(db, "sessions", **row | columns)


async def ask(client: Api, house: House, **question: Any) -> Any:
    reply = await client.post(f"/api/customers/{house.customer_id}/explain", question)
    assert reply.status == 200, reply.text
    return reply.json


@pytest.mark.parametrize("role", STAFF)
async def test_a_customer_in_good_standing_is_let_in(house: House, role: str) -> None:
    said = await ask(getattr(house, role), house)

    assert (said["accepted"], said["rule"], said["standing"]) == (True, None, "normal")
    assert said["sentence"] == "Let in with all that plan Home 50 promises."
    assert [line for line in said["attributes"] if line.startswith("Mikrotik-Rate-Limit = ")], said["attributes"]
    assert (said["remedies"], said["displaced"], said["until"]) == ([], None, None)


async def test_a_reject_comes_with_its_reason_and_what_cures_it(house: House) -> None:
    customer, client = f"/api/customers/{house.customer_id}", house.isp_admin
    changed = await client.patch(
        customer,
        {
            "status": "suspended",
            "expires_at": "2026-01-01T00:00:00Z",
            "mac_addresses": ["aa:bb:cc:00:00:01"],
            "device_ids": [house.device_id],
        },
    )
    assert changed.status == 200, changed.text
    other = await client.post("/api/devices", {"device_name": "other", "device_ip": "192.168.9.9"})

    said = await ask(client, house, nas=other.json["id"], mac="AA-BB-CC-00-00-02", at="2026-06-01T12:00:00+03:00")
    assert (said["accepted"], said["rule"], said["attributes"]) == (False, "suspended", [])
    assert said["sentence"] == "Rejected: the account is suspended."
    cures = {remedy["rule"]: (remedy["field"], remedy["value"]) for remedy in said["remedies"]}
    assert cures == {
        "suspended": ("status", "active"),
        "expired": ("expires_at", None),
        "mac_not_allowed": ("mac_addresses", "aa:bb:cc:00:00:02"),
        "device_not_allowed": ("device_ids", other.json["id"]),
    }
    allowed = await ask(client, house, at="2025-06-01T12:00:00Z", mac="aabb.cc00.0001")
    assert [remedy["rule"] for remedy in allowed["remedies"]] == ["suspended"]
    await client.patch(customer, {"status": "active"})
    before = await ask(client, house, at="2025-12-31T23:00:00Z")
    assert (before["accepted"], before["until"]) == (True, "2026-01-01T00:00:00Z")


async def test_a_question_is_checked(houses: tuple[House, House]) -> None:
    mine, theirs = houses
    path = f"/api/customers/{mine.customer_id}/explain"

    for question, field in (
        ({"at": "yesterday"}, "at"),
        ({"mac": "not a mac"}, "mac"),
        ({"nas": theirs.device_id}, "nas"),
        ({"nas": 999_999}, "nas"),
        ({"password": "x"}, "password"),
    ):
        refused = await mine.isp_admin.post(path, question)
        assert (refused.status, refused.json["errors"][0]["field"]) == (422, field), question
    foreign, missing = [
        await mine.isp_admin.post(f"/api/customers/{number}/explain", {}) for number in (theirs.customer_id, 999_999)
    ]
    assert (foreign.status, foreign.code, foreign.text) == (404, "not_found", missing.text)


async def test_a_password_that_does_not_open_is_told(house: House, db: Db) -> None:
    await db.execute("UPDATE control.customers SET password = 'other:AAAA' WHERE id = $1", house.customer_id)

    refused = await house.isp_staff.post(f"/api/customers/{house.customer_id}/explain", {})
    assert (refused.status, refused.code) == (409, "conflict")
    assert "set it again" in refused.json["detail"]


async def test_the_session_that_would_be_ended_is_named(houses: tuple[House, House], root: Api, db: Db) -> None:
    mine, theirs = houses
    for house in houses:
        await house.isp_admin.patch(f"/api/customers/{house.customer_id}", {"simultaneous_use": 1})
    await open_session(db, mine, 1, calling_station_id="AA:BB:CC:00:00:01")
    await open_session(db, mine, 2, nas_id=theirs.device_id)  # another ISP's router is not named

    for client in (mine.isp_staff, root):
        said = await ask(client, mine)
        assert said["displaced"]["acct_session_id"] == "s2"
        assert said["displaced"]["device_name"] == f"device {theirs.device_id}"
    assert (await ask(theirs.isp_staff, theirs))["displaced"] is None
    await mine.isp_admin.patch(f"/api/service-plans/{mine.plan_id}", {"simultaneous_use_mode": "strict"})
    strict = await ask(mine.isp_staff, mine)
    assert (strict["accepted"], strict["rule"]) == (False, "too_many_sessions")
    assert "session s1 on Main Router" in strict["sentence"]


@pytest.mark.parametrize("role", STAFF)
async def test_the_sessions_are_the_customers_own(houses: tuple[House, House], root: Api, db: Db, role: str) -> None:
    mine, theirs = houses
    for house in houses:
        for number in range(3):
            await open_session(db, house, number)
        await open_session(db, house, 9, customer_id=house.customer_id + 1000)
    path, client = f"/api/customers/{mine.customer_id}/sessions", getattr(mine, role)

    first = (await client.get(f"{path}?limit=2")).json
    rest = (await client.get(f"{path}?limit=2&cursor={first['next']}")).json
    assert [one["acct_session_id"] for one in first["items"] + rest["items"]] == ["s0", "s1", "s2"]
    assert {one["isp_id"] for one in first["items"] + rest["items"]} == {mine.isp_id}
    assert rest["next"] is None
    assert len((await root.get(path)).json["items"]) == 3
    assert (await client.get(f"{path}?active=false")).json["items"] == []
    early = (datetime.now(UTC) - timedelta(minutes=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [one["acct_session_id"] for one in (await client.get(f"{path}?to={early}")).json["items"]] == ["s2"]
    assert (await client.get(f"/api/customers/{theirs.customer_id}/sessions")).code == "not_found"
    elsewhere = await client.get(f"/api/sessions?cursor={first['next']}")
    assert (elsewhere.status, elsewhere.code) == (422, "cursor_invalid")


async def test_usage_is_told_in_local_hours_and_days(houses: tuple[House, House], root: Api, db: Db) -> None:
    mine, theirs = houses
    await mine.isp_admin.patch(f"/api/isps/{mine.isp_id}", {"time_zone": "Asia/Kolkata"})
    for house, factor in ((mine, 1), (theirs, 1000)):
        common = {"isp_id": house.isp_id, "customer_id": house.customer_id, "session_time": 60 * factor}
        for number, hour in enumerate((18, 19, 20)):
            used = {"input_octets": (number + 1) * factor, "output_octets": 10 * factor}
            await insert(db, "usage_hour", hour=datetime(2026, 3, 1, hour, 30, tzinfo=UTC), **common, **used)
        for number, day in enumerate((1, 2, 3)):
            used = {"input_octets": (number + 1) * factor, "output_octets": 20 * factor}
            await insert(db, "usage_day", day=date(2026, 3, day), **common, **used)
    path = f"/api/customers/{mine.customer_id}/usage"

    hours = await mine.isp_staff.get(f"{path}?step=hour&from=2026-03-01T18:45:00Z&to=2026-03-01T20:30:00Z")
    assert hours.status == 200, hours.text
    assert hours.json["time_zone"] == "Asia/Kolkata"
    assert [item["begin"] for item in hours.json["items"]] == ["2026-03-02T00:00:00+05:30", "2026-03-02T01:00:00+05:30"]
    assert (hours.json["input_octets"], hours.json["output_octets"], hours.json["session_time"]) == (3, 20, 120)
    assert (hours.json["begin"], hours.json["end"]) == ("2026-03-02T00:00:00+05:30", "2026-03-02T02:00:00+05:30")
    days = await root.get(f"{path}?step=day&from=2026-03-01T18:29:00Z&to=2026-03-02T18:30:00Z")
    assert [item["begin"] for item in days.json["items"]] == ["2026-03-01T00:00:00+05:30", "2026-03-02T00:00:00+05:30"]
    assert (days.json["input_octets"], days.json["end"]) == (3, "2026-03-03T00:00:00+05:30")
    usual = await mine.program.get(path)
    assert (usual.json["step"], usual.json["items"], usual.json["input_octets"]) == ("day", [], 0)
    assert (await mine.isp_staff.get(f"/api/customers/{theirs.customer_id}/usage")).code == "not_found"


async def test_an_hour_that_comes_twice_is_told_twice(house: House, db: Db) -> None:
    await house.isp_admin.patch(f"/api/isps/{house.isp_id}", {"time_zone": "Europe/Prague"})
    common = {"isp_id": house.isp_id, "customer_id": house.customer_id, "session_time": 1, "output_octets": 1}
    for hour in (0, 1):  # 02:00 by summer time, and an hour later 02:00 again
        begin = datetime(2026, 10, 25, hour, tzinfo=UTC)
        await insert(db, "usage_hour", hour=begin, input_octets=hour + 1, **common)

    path = f"/api/customers/{house.customer_id}/usage?step=hour"
    both = (await house.isp_staff.get(f"{path}&from=2026-10-25T00:00:00Z&to=2026-10-25T01:30:00Z")).json
    assert [item["begin"] for item in both["items"]] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]
    assert both["end"] == "2026-10-25T03:00:00+01:00"
    second = (await house.isp_staff.get(f"{path}&from=2026-10-25T01:10:00Z&to=2026-10-25T01:20:00Z")).json
    assert [item["input_octets"] for item in second["items"]] == [2]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("step=week", "literal_error"),
        ("from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "value_error"),
        ("from=2024-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "range_too_long"),
        ("step=hour&from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "range_too_long"),
        ("from=2026-03-01", "timezone_aware"),
    ],
)
async def test_a_span_is_checked(house: House, query: str, code: str) -> None:
    refused = await house.isp_staff.get(f"/api/customers/{house.customer_id}/usage?{query}")

    assert (refused.status, refused.json["errors"][0]["code"]) == (422, code)
