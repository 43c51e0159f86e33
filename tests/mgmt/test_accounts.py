"""Admins and ISPs, made by code that has a connection and by scripts that have only the settings."""

import asyncio
import base64
import re
from collections.abc import Callable

import pytest

from mgmt import accounts
from mgmt.accounts import add_admin, add_isp
from mgmt.faults import Fault
from mgmt.models import Isp, api_key_hash
from mgmt.passwords import is_password
from mgmt.store import isps
from radiuscore.settings import Settings
from radiuscore.store.keys import check_keys
from radiuscore.store.pool import DirectConnection, connect
from radiuscore.store.sealing import Keyring

OUTER = {
    "ENCRYPTION_KEYS": "k1:" + base64.b64encode(bytes(range(32))).decode(),
    "JWT_SECRET_KEY": "0123456789abcdefghijklmnopqrstuv",
}


def isp(**fields: object) -> Isp:
    given: dict[str, object] = {"name": "North", "company_name": "North Wireless", "email": "noc@north.example"}
    return Isp(**given | fields)  # type: ignore[arg-type]


async def test_an_isp_is_stored_with_its_plans_limits_and_its_keys(db: DirectConnection, keyring: Keyring) -> None:
    made = await add_isp(db, keyring, isp(subscription_plan="pro"))

    row = await db.fetchrow("SELECT * FROM control.isps WHERE id = $1", made.id)
    assert row is not None
    assert (row["name"], row["company_name"], row["email"]) == ("North", "North Wireless", "noc@north.example")
    assert (row["subscription_plan"], row["max_devices"], row["max_customers"]) == ("pro", 20, 200)
    assert made.api_key is not None
    assert row["api_key"] == api_key_hash(made.api_key)
    assert made.radius_secret is not None
    assert made.radius_secret not in row["radius_secret"]
    assert made.id is not None
    assert await isps.load_radius_secret(db, made.id, keyring) == made.radius_secret


async def test_limits_and_keys_that_are_given_are_kept(db: DirectConnection, keyring: Keyring) -> None:
    given = isp(max_devices=0, max_customers=7, time_zone="Africa/Nairobi", radius_secret="typed by hand")
    key = given.generate_api_key()

    made = await add_isp(db, keyring, given)

    row = await db.fetchrow("SELECT * FROM control.isps WHERE id = $1", made.id)
    assert row is not None
    assert (row["max_devices"], row["max_customers"], row["time_zone"]) == (0, 7, "Africa/Nairobi")
    assert (made.api_key, made.radius_secret) == (key, "typed by hand")


async def test_two_isps_with_one_email_are_refused(db: DirectConnection, keyring: Keyring) -> None:
    await add_isp(db, keyring, isp())

    with pytest.raises(Fault, match=r"^There is an ISP with the email NOC@north\.example already: use another one\.$"):
        await add_isp(db, keyring, isp(name="South", email="NOC@north.example"))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": ""}, "The name must not be empty."),
        ({"name": "x" * 101}, "The name must have at most 100 characters."),
        ({"name": "x\0"}, "The name must not hold a NUL."),
        ({"company_name": "x" * 201}, "The company name must have at most 200 characters."),
        ({"email": "noc"}, "The email must look like somebody@example.com."),
        ({"email": "x@" + "y" * 120}, "The email must have at most 120 characters."),
        ({"subscription_plan": "gold"}, "The subscription plan must be one of basic, pro, enterprise."),
        ({"max_devices": -1}, "The number of devices must be 0 (unlimited) or more."),
        ({"max_customers": 2**31}, "The number of customers must be 0 (unlimited) or more."),
        ({"time_zone": "Mars/Base"}, "The time zone must be a name of the IANA database, for example Africa/Nairobi."),
        ({"radius_secret": ""}, "The RADIUS secret must have 1 to 100 octets."),
    ],
)
async def test_an_isp_that_cannot_be_is_refused(
    db: DirectConnection, keyring: Keyring, fields: dict[str, object], fault: str
) -> None:
    with pytest.raises(Fault, match=f"^{re.escape(fault)}$"):
        await add_isp(db, keyring, isp(**fields))

    assert await db.fetchval("SELECT count(*) FROM control.isps") == 0


async def test_an_admin_belongs_to_no_isp_and_his_password_is_hashed(db: DirectConnection) -> None:
    admin = await add_admin(db, "admin@example.com", "correct horse battery", first_name="Ada", last_name="User")

    row = await db.fetchrow("SELECT * FROM control.users WHERE id = $1", admin.id)
    assert row is not None
    assert admin.password is None
    assert (row["role"], row["isp_id"], row["email"]) == ("admin", None, "admin@example.com")
    assert (row["first_name"], row["last_name"]) == ("Ada", "User")
    assert await is_password("correct horse battery", row["password_hash"])


async def test_without_a_password_one_is_generated(db: DirectConnection) -> None:
    one, other = [await add_admin(db, f"{name}@example.com") for name in ("one", "other")]

    stored = await db.fetchval("SELECT password_hash FROM control.users WHERE id = $1", one.id)
    assert one.password is not None
    assert await is_password(one.password, stored)
    assert one.password != other.password


async def test_a_second_admin_with_the_email_and_a_weak_password_are_refused(db: DirectConnection) -> None:
    await add_admin(db, "admin@example.com")

    with pytest.raises(Fault, match=r"^There is a user with the email Admin@example\.com already"):
        await add_admin(db, "Admin@example.com")
    with pytest.raises(Fault, match=r"^The password has fewer than 12 characters"):
        await add_admin(db, "other@example.com", "admin123")


@pytest.fixture
def settings(database: str) -> Settings:
    return Settings.load({"DATABASE_URL": database, **OUTER}, None)


async def test_a_script_needs_only_the_settings(settings: Settings, database: str) -> None:
    made = await asyncio.to_thread(accounts.create_isp, isp(), settings=settings)
    admin = await asyncio.to_thread(accounts.create_admin, "admin@example.com", settings=settings)

    db = await connect(database)
    try:
        assert await db.fetchval("SELECT name FROM control.isps WHERE id = $1", made.id) == "North"
        assert await db.fetchval("SELECT role FROM control.users WHERE id = $1", admin.id) == "admin"
    finally:
        await db.close()


async def test_a_script_with_other_keys_than_the_databases_is_refused(settings: Settings, database: str) -> None:
    db = await connect(database)
    try:
        await check_keys(db, Keyring({"k1": bytes(32)}))
    finally:
        await db.close()

    with pytest.raises(Fault, match="ENCRYPTION_KEYS has a key k1, but not the one that this database"):
        await asyncio.to_thread(accounts.create_isp, isp(), settings=settings)


async def test_an_empty_database_is_migrated_for_a_script(empty_database: str, settings: Settings) -> None:
    environ = {"DATABASE_URL": empty_database, **OUTER}

    made = await asyncio.to_thread(accounts.create_isp, isp(), settings=Settings.load(environ, None))

    assert made.id == 1


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda url: url.replace("?host=", "?host=/nowhere"), r"^The database cannot be reached \(/nowhere"),
        (lambda url: re.sub(r"//[^@]*@", "//nobody_here@", url), r"nobody_here"),
    ],
)
async def test_a_database_that_is_not_there_is_one_sentence(
    settings: Settings, database: str, spoil: Callable[[str], str], fault: str
) -> None:
    if "?host=" not in database:
        pytest.skip("TEST_DATABASE_URL names a TCP address")
    environ = {"DATABASE_URL": spoil(database), **OUTER}

    with pytest.raises(Fault, match=fault):
        await asyncio.to_thread(accounts.create_isp, isp(), settings=Settings.load(environ, None))


async def test_a_newer_database_is_not_touched(settings: Settings, db: DirectConnection) -> None:
    await db.execute("DELETE FROM control.schema_version")
    await db.execute("INSERT INTO control.schema_version (version, name) VALUES (99, 'future')")

    with pytest.raises(Fault, match=r"schema control is at version 99, newer than this release's \d+: install"):
        await asyncio.to_thread(accounts.create_isp, isp(), settings=settings)


async def test_the_system_role_may_create_isps_too(system_db: DirectConnection, keyring: Keyring) -> None:
    assert (await add_isp(system_db, keyring, isp())).id is not None
