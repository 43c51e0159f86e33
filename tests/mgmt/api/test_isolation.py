"""Many at once: two ISPs on two connections, creations at a limit, one key sent twice, one ISP that floods."""

import asyncio
import random

import pytest

from mgmt.store import expiry
from radiuscore.aaa.changes import Change, CustomerChange, NasChange, PlanChange, Snapshot
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import CustomerEntry, Replica
from radiuscore.store.changes import Changes, follow
from radiuscore.store.pool import SYSTEM_ROLE, connect
from radiuscore.store.sealing import Keyring
from tests.conftest import Db
from tests.end_to_end.conftest import until
from tests.mgmt.api.conftest import DEVICE, Api, House, build_house, serving

pytestmark = pytest.mark.postgres


async def test_a_thousand_requests_of_two_isps_on_two_connections_do_not_leak(
    database: str, keyring: Keyring, admin_user: str
) -> None:
    async with serving(database, keyring, pool=2, cancels=True) as api:
        root = await api.log_in(admin_user)
        houses = [await build_house(root, name) for name in ("north", "south")]
        chance = random.Random(7)
        seen = {"answers": 0, "cancelled": 0, "refused": 0}

        async def one(number: int) -> None:
            mine, theirs = houses if number % 2 else houses[::-1]
            client = mine.program if number % 3 else mine.isp_admin
            what = chance.choice(["list", "foreign", "own", "wrong", "create", "cancel"])
            try:
                async with asyncio.timeout(0.002 if what == "cancel" else 60):
                    match what:
                        case "foreign":
                            reply = await client.get(f"/api/customers/{theirs.customer_id}")
                            assert reply.code == "not_found"
                        case "own":
                            reply = await client.get(f"/api/devices/{mine.device_id}")
                            assert reply.json["isp_id"] == mine.isp_id
                        case "wrong":
                            reply = await client.post("/api/customers", {"username": "customer@example.com"})
                            assert reply.code in ("username_taken", "limit_reached")
                        case "create":
                            reply = await client.post("/api/service-plans", {"name": f"plan {number}"})
                            assert reply.json["isp_id"] == mine.isp_id
                        case _:
                            reply = await client.get("/api/customers?limit=200")
                            assert {row["isp_id"] for row in reply.json["items"]} == {mine.isp_id}
            except TimeoutError:
                assert what == "cancel"
                seen["cancelled"] += 1
            else:
                seen["refused" if reply.status >= 400 else "answers"] += 1

        for begin in range(0, 1000, 100):
            await asyncio.gather(*[one(number) for number in range(begin, begin + 100)])
        assert sum(seen.values()) == 1000
        assert min(seen.values()) > 50, seen
        for isp in houses:
            plans = (await isp.isp_admin.get("/api/service-plans?limit=200")).json["items"]
            assert {plan["isp_id"] for plan in plans} == {isp.isp_id}
        async with api.services.control.isp.acquire() as db:
            assert await db.fetchval("SELECT current_setting('app.isp_id', true)") in (None, "")


@pytest.mark.parametrize(("path", "what"), [("/api/devices", "devices"), ("/api/customers", "customers")])
async def test_of_fifty_creations_at_a_limit_minus_one_exactly_one_succeeds(
    house: House, root: Api, db: Db, path: str, what: str
) -> None:
    assert (await root.patch(f"/api/isps/{house.isp_id}", {f"max_{what}": 2})).status == 200

    def body(number: int) -> dict[str, str]:
        return DEVICE | {"device_ip": f"10.1.1.{number}"} if what == "devices" else {"username": f"user {number}"}

    senders = [house.isp_admin, house.program, root]
    replies = await asyncio.gather(
        *[
            senders[number % 3].post(path, body(number) | ({"isp_id": house.isp_id} if number % 3 == 2 else {}))
            for number in range(1, 51)
        ]
    )
    refused = [reply for reply in replies if reply.status != 201]
    assert len(refused) == 49
    for reply in refused:
        assert (reply.status, reply.code) == (409, "limit_reached")
        assert (reply.json["resource"], reply.json["used"], reply.json["limit"]) == (what, 2, 2)
    assert len((await root.get(f"{path}?isp_id={house.isp_id}")).json["items"]) == 2
    await root.patch(f"/api/isps/{house.isp_id}", {f"max_{what}": 0})
    assert (await house.isp_admin.post(path, body(60))).status == 201


async def test_a_request_with_an_idempotency_key_is_done_once(houses: tuple[House, House], db: Db) -> None:
    mine, theirs = houses
    client = mine.isp_admin.using(Idempotency_Key="key-1")
    body = {"username": "once", "password": "canary password"}

    first, *again = await asyncio.gather(*[client.post("/api/customers", body) for _ in range(10)])
    assert {reply.status for reply in (first, *again)} == {201}
    assert len({reply.json["id"] for reply in (first, *again)}) == 1
    assert sum(reply.headers.get("Idempotency-Replayed") == "true" for reply in (first, *again)) == 9
    other = await client.post("/api/customers", {"username": "another"})
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    for stranger in (theirs.isp_admin, mine.isp_staff, mine.program):
        reply = await stranger.using(Idempotency_Key="key-1").post("/api/customers", body)
        assert "Idempotency-Replayed" not in reply.headers
        assert reply.status == (403 if stranger is mine.isp_staff else 409 if stranger is mine.program else 201)
    stored = await db.fetch("SELECT response FROM control.idempotency_keys")
    assert stored
    assert not any("once" in row["response"] for row in stored)


async def test_what_was_refused_may_be_sent_again_with_its_key(house: House) -> None:
    client = house.isp_admin.using(Idempotency_Key="key-2")
    body = {"name": "Home 50"}

    assert (await client.post("/api/service-plans", body)).code == "name_taken"
    assert (await house.isp_admin.patch(f"/api/service-plans/{house.plan_id}", {"name": "Old"})).status == 200
    assert (await client.post("/api/service-plans", body)).status == 201
    keys = await rotated_keys(house)
    assert keys[0] == keys[1]


async def rotated_keys(house: House) -> list[str]:
    client = house.isp_admin.using(Idempotency_Key="rotate")
    return [(await client.post(f"/api/isps/{house.isp_id}/rotate-api-key", {})).json["api_key"] for _ in range(2)]


async def test_a_cursor_is_good_for_its_list_and_isp_only(houses: tuple[House, House], root: Api) -> None:
    mine, theirs = houses
    for house in houses:
        for number in range(7):
            await house.program.post("/api/customers", {"username": f"user {number}"})

    path, found, cursor = "/api/customers?limit=3", [], None
    for _ in range(3):
        page = (await mine.isp_admin.get(path + (f"&cursor={cursor}" if cursor else ""))).json
        found += [item["username"] for item in page["items"]]
        cursor = page["next"] or cursor
    assert page["next"] is None
    assert found == ["customer@example.com", *[f"user {number}" for number in range(7)]]
    for stranger, where in ((theirs.isp_admin, path), (root, path), (mine.isp_admin, "/api/devices?limit=3")):
        assert (await stranger.get(f"{where}&cursor={cursor}")).code == "cursor_invalid"
    assert cursor is not None
    for broken in (cursor[:-2] + "AA", "AAAA", "e30"):
        assert (await mine.isp_admin.get(f"{path}&cursor={broken}")).code == "cursor_invalid"


async def test_one_isps_flood_is_refused_and_the_others_are_served(
    database: str, keyring: Keyring, admin_user: str
) -> None:
    async with serving(database, keyring, rate=30) as api:
        root = await api.log_in(admin_user)
        houses = [await build_house(root, name) for name in ("north", "south")]

        replies = [await houses[0].program.get("/api/devices") for _ in range(40)]
        limited = [reply for reply in replies if reply.status == 429]
        assert len(limited) >= 10
        assert limited[0].code == "too_many_requests"
        assert 0 < int(limited[0].headers["Retry-After"]) <= 60
        assert limited[0].headers["RateLimit-Remaining"] == "0"
        assert (await houses[0].isp_admin.get("/api/devices")).status == 429
        neighbour = await houses[1].program.get("/api/devices")
        assert (neighbour.status, neighbour.headers["RateLimit-Limit"]) == (200, "30")
        strangers = [(await api.get("/api/devices")).status for _ in range(40)]
        assert strangers[-1] == 429


async def test_one_isps_requests_that_hang_do_not_hold_up_another(houses: tuple[House, House], db: Db) -> None:
    mine, theirs = houses
    holding = db.transaction()
    await holding.start()
    await db.execute("SELECT id FROM control.isps WHERE id = $1 FOR UPDATE", mine.isp_id)
    stuck = [asyncio.create_task(mine.program.post("/api/customers", {"username": f"u{n}"})) for n in range(20)]
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    await until(lambda: db.fetchval(waiting), lambda count: count >= 2)

    for _ in range(10):
        async with asyncio.timeout(2):
            assert (await theirs.isp_admin.get("/api/customers")).status == 200
    await holding.rollback()
    assert {reply.status for reply in await asyncio.gather(*stuck)} == {201}


async def test_what_ends_by_itself_is_cleared_away(house: House, database: str, db: Db) -> None:
    for path in ("rotate-api-key", "rotate-radius-secret"):
        assert (await house.isp_admin.post(f"/api/isps/{house.isp_id}/{path}", {"overlap_s": 0})).status == 200
    assert (await house.isp_admin.post(f"/api/isps/{house.isp_id}/rotate-radius-secret", {})).status == 200
    await db.execute("INSERT INTO control.login_throttle VALUES ('account:x', 1, now() - interval '2 days')")
    await db.execute("UPDATE control.isps SET outgoing_radius_secret_until = now() - interval '1 s'")
    await db.execute("UPDATE control.refresh_tokens SET expires_at = now() - interval '1 s'")
    system = await connect(database, role=SYSTEM_ROLE)

    try:
        assert await expiry.end_rotations(system) == 2
        assert await expiry.forget(system) == 4
        assert await expiry.end_rotations(system) + await expiry.forget(system) == 0
    finally:
        await system.close()
    row = await db.fetchrow("SELECT outgoing_radius_secret, previous_api_key, radius_secret FROM control.isps")
    assert row is not None
    assert (row[0], row[1]) == (None, None)
    assert row[2] is not None


async def test_a_change_over_rest_reaches_the_workers(house: House, database: str, keyring: Keyring) -> None:
    news = follow(lambda: connect(database, role=SYSTEM_ROLE), keyring)
    replica, devices, seen = Replica(), NasTable(), list[Change]()
    first = await anext(news)
    assert isinstance(first, Snapshot)
    replica.load(first)
    devices.load(first.nases)
    path = f"/api/customers/{house.customer_id}"

    def find() -> CustomerEntry | None:
        isp = replica.find_isp(house.isp_id)
        assert isp is not None
        return isp.customers.get("customer@example.com")

    async def until(kind: type[Change]) -> None:
        async with asyncio.timeout(10):
            while not any(isinstance(change, kind) for change in seen):
                update = await anext(news)
                assert isinstance(update, Changes)
                for change in update.changes:
                    seen.append(change)
                    if isinstance(change, NasChange):
                        devices.apply(change)
                    else:
                        replica.apply(change)
        seen.clear()

    assert (await house.isp_admin.patch(path, {"status": "suspended", "password": "changed"})).status == 200
    await until(CustomerChange)
    entry = find()
    assert entry is not None
    assert (entry.customer.status, entry.customer.password) == ("suspended", b"changed")
    assert (await house.isp_admin.patch(f"/api/devices/{house.device_id}", {"radius_secret": "new"})).status == 200
    await until(NasChange)
    assert (await house.isp_admin.patch(path, {"notes": "nobody is told of a note"})).status == 200
    assert (await house.isp_admin.post("/api/service-plans", {"name": "last"})).status == 201
    await until(PlanChange)
    assert not any(isinstance(change, CustomerChange) for change in seen)
    assert (await house.isp_admin.delete(path)).status == 204
    await until(CustomerChange)
    assert find() is None
