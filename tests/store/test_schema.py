"""The control schema: the specification's names and types, and the rules that the database itself keeps."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from radiuscore.aaa.records import (
    CustomerStatus,
    ExpiredAction,
    MessageAuthenticatorPolicy,
    QuotaAction,
    QuotaDirection,
    QuotaPeriod,
    SimultaneousUseMode,
)
from radiuscore.store.pool import connect
from tests.store.catalogue import describe

if TYPE_CHECKING:
    from tests.conftest import Db, Tenant

pytestmark = pytest.mark.postgres

SCHEMA_SQL = Path(__file__).parents[2] / "schema.sql"

COLUMNS = """
SELECT column_name,
       CASE data_type WHEN 'character varying' THEN format('varchar(%s)', character_maximum_length)
                      WHEN 'numeric' THEN format('numeric(%s,%s)', numeric_precision, numeric_scale)
                      ELSE data_type END AS type,
       is_nullable = 'YES' AS nullable, column_default
  FROM information_schema.columns WHERE table_schema = 'control' AND table_name = $1
"""


async def columns(db: Db, table: str) -> dict[str, tuple[str, bool, str | None]]:
    return {
        row["column_name"]: (row["type"], row["nullable"], row["column_default"])
        for row in await db.fetch(COLUMNS, table)
    }


# -- the specification's names and types (M1 to M8, M10) ---------------------------------------------------------------


async def test_isps_are_as_specified(db: Db) -> None:
    found = await columns(db, "isps")
    assert found["id"][:2] == ("integer", False)
    assert found["name"][:2] == ("varchar(100)", False)
    assert found["company_name"][:2] == ("varchar(200)", False)
    assert found["email"][:2] == ("varchar(120)", False)
    assert found["subscription_plan"][0] == "varchar(50)"
    assert found["max_devices"][0] == found["max_customers"][0] == "integer"
    assert found["api_key"][:2] == ("varchar(100)", False)
    assert found["radius_secret"][1] is True
    row = await db.fetchrow(
        """
        INSERT INTO control.isps (name, company_name, email, api_key) VALUES ('a', 'b', 'c', repeat('0', 64))
        RETURNING subscription_plan, max_devices, max_customers, time_zone, status
        """
    )
    assert tuple(row or ()) == ("basic", 10, 100, "UTC", "active")
    for column in ("api_key", "email"):
        with pytest.raises(asyncpg.UniqueViolationError, match=f"isps_{column}_key"):
            await db.execute(
                "INSERT INTO control.isps (name, company_name, email, api_key) VALUES ('a', 'b', $1, $2)",
                "c" if column == "email" else "d",
                ("0" if column == "api_key" else "1") * 64,
            )


@pytest.mark.parametrize("table", ["devices", "customers", "invoices", "service_plans"])
async def test_belongs_to_an_isp(db: Db, table: str) -> None:
    assert (await columns(db, table))["isp_id"][:2] == ("integer", False)
    assert await db.fetchval(
        """
        SELECT count(*) FROM pg_constraint
         WHERE conrelid = ('control.' || $1)::regclass AND contype = 'f' AND confrelid = 'control.isps'::regclass
        """,
        table,
    )


async def test_only_an_admin_belongs_to_no_isp(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    insert = "INSERT INTO control.users (isp_id, email, password_hash, first_name, last_name, role) "
    await db.execute(insert + "VALUES (NULL, 'admin@example.com', 'hash', 'Admin', 'User', 'admin')")
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute(insert + "VALUES (NULL, 'x@example.com', 'hash', 'A', 'B', 'isp_admin')")
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute(insert + "VALUES ($1, 'x@example.com', 'hash', 'A', 'B', 'admin')", tenants[0].isp_id)
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute(insert + "VALUES ($1, 'Admin@example.com', 'h', 'A', 'B', 'isp_staff')", tenants[0].isp_id)


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("devices", "username password api_key device_name device_ip device_model location notes radius_sources"),
        ("devices", "radius_secret nas_identifier coa_port api_port ssh_port use_tls swap_octets"),
        ("devices", "require_message_authenticator limit_proxy_state"),
        ("isps", "name company_name email subscription_plan max_devices max_customers time_zone"),
        ("customers", "username password service_plan_id status expires_at framed_ip_address mac_addresses"),
        ("customers", "simultaneous_use full_name email phone notes"),
        ("service_plans", "name download_bps upload_bps burst_download_bps rate_limit data_quota_octets quota_period"),
        ("service_plans", "quota_action throttle_download_bps session_timeout_s idle_timeout_s interim_interval_s"),
        ("service_plans", "framed_pool address_list simultaneous_use simultaneous_use_mode price currency"),
        ("service_plans", "billing_period expired_action"),
    ],
)
async def test_has_a_column_for_what_is_sent(db: Db, table: str, names: str) -> None:
    assert set(names.split()) <= (await columns(db, table)).keys()


async def test_schema_sql_is_safe_to_run_again(empty_database: str) -> None:
    db = await connect(empty_database)
    await db.execute(SCHEMA_SQL.read_text())
    await db.execute(
        "INSERT INTO control.isps (name, company_name, email, api_key) VALUES ('a', 'b', 'c', repeat('0', 64))"
    )
    before = [await describe(db, schema) for schema in ("control", "accounting")]

    await db.execute(SCHEMA_SQL.read_text())

    assert [await describe(db, schema) for schema in ("control", "accounting")] == before
    assert await db.fetchval("SELECT count(*) FROM control.isps") == 1
    await db.close()


# -- conventions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("devices.require_message_authenticator", MessageAuthenticatorPolicy),
        ("customers.status", CustomerStatus),
        ("customers.quota_state", QuotaAction),
        ("service_plans.expired_action", ExpiredAction),
        ("service_plans.simultaneous_use_mode", SimultaneousUseMode),
        ("service_plans.quota_period", QuotaPeriod),
        ("service_plans.quota_action", QuotaAction),
        ("service_plans.quota_direction", QuotaDirection),
    ],
)
async def test_enumerations_are_those_of_the_records(db: Db, column: str, values: type[StrEnum]) -> None:
    table, _, name = column.partition(".")
    [check] = await db.fetch(
        """
        SELECT pg_get_constraintdef(con.oid) AS rule FROM pg_constraint AS con
          JOIN pg_attribute AS att ON att.attrelid = con.conrelid AND con.conkey = ARRAY[att.attnum]
         WHERE con.contype = 'c' AND con.conrelid = ('control.' || $1)::regclass AND att.attname = $2
        """,
        table,
        name,
    )
    assert set(re.findall(r"'(\w+)'", check["rule"])) == set(values)


async def test_every_column_with_a_unit_says_which(db: Db) -> None:
    unit = r"_(s|bps|octets|percent|port|price|zone)$|^(octets|seconds|amount|price|subtotal|tax|total|priority)$"
    silent = await db.fetch(
        """
        SELECT rel.relname || '.' || att.attname FROM pg_attribute AS att JOIN pg_class AS rel ON rel.oid = att.attrelid
         WHERE rel.relnamespace = 'control'::regnamespace AND rel.relkind = 'r' AND att.attnum > 0
           AND att.attname ~ $1 AND att.atttypid <> 'boolean'::regtype AND att.attname <> 'swap_octets'
           AND col_description(rel.oid, att.attnum) IS NULL
        """,
        unit,
    )
    assert silent == []


async def test_types_follow_the_conventions(db: Db) -> None:
    for row in await db.fetch(
        """
        SELECT table_name, column_name, data_type, numeric_precision, numeric_scale, identity_generation
          FROM information_schema.columns WHERE table_schema = 'control'
        """
    ):
        where = f"{row['table_name']}.{row['column_name']}"
        assert row["data_type"] not in ("timestamp without time zone", "real", "double precision", "money"), where
        if row["data_type"] == "numeric":
            assert (row["numeric_precision"], row["numeric_scale"]) == (14, 4), where
        if row["column_name"] == "id":
            assert row["identity_generation"] == "BY DEFAULT", where
            assert row["data_type"] == ("integer" if row["table_name"] == "isps" else "bigint"), where


async def test_every_foreign_key_has_an_index(db: Db) -> None:
    """Otherwise deleting a customer reads whole tables. isps are few and hardly ever deleted."""
    bare = await db.fetch(
        """
        SELECT con.conrelid::regclass::text || ': ' || pg_get_constraintdef(con.oid) FROM pg_constraint AS con
         WHERE con.contype = 'f' AND con.connamespace = 'control'::regnamespace
           AND con.confrelid <> 'control.isps'::regclass
           AND NOT EXISTS (
             SELECT FROM pg_index AS ix
              WHERE ix.indrelid = con.conrelid AND ix.indpred IS NULL
                AND (ix.indkey::int2[])[0:cardinality(con.conkey) - 1] @> con.conkey)
        """
    )
    assert bare == []


async def test_no_extension_is_needed(db: Db) -> None:
    assert [row["extname"] for row in await db.fetch("SELECT extname FROM pg_extension")] == ["plpgsql"]


# -- rules -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "Africa/Johannesburg", "America/Argentina/Buenos_Aires"])
async def test_takes_a_time_zone_of_the_database_of_zones(db: Db, tenants: tuple[Tenant, Tenant], zone: str) -> None:
    assert await db.execute("UPDATE control.isps SET time_zone = $1", zone) == "UPDATE 2"


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "X+3", "europe/berlin", "../UTC"])
async def test_refuses_another_time_zone(db: Db, tenants: tuple[Tenant, Tenant], zone: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await db.execute("UPDATE control.isps SET time_zone = $1", zone)
    assert caught.value.constraint_name == "isps_time_zone_check"


@pytest.mark.parametrize(
    "change",
    [
        "customers SET framed_ip_address = '10.0.0.0/24'",
        "customers SET framed_ip_address = '::1'",
        "customers SET framed_ipv6_prefix = '10.0.0.0/24'",
        "customers SET simultaneous_use = 0",
        "customers SET status = 'gone'",
        "customers SET username = ''",
        "customers SET quota_until = now()",
        "devices SET device_ip = '10.0.0.1/24'",
        "devices SET coa_port = 0",
        "devices SET require_message_authenticator = 'maybe'",
        "devices SET radius_sources = '{10.0.0.0/8}'",
        "devices SET radius_sources = '{2001:db8::/32}'",
        "service_plans SET interim_interval_s = 59",
        "service_plans SET login_hours = '{[0,10081)}'",
        "service_plans SET quota_period = 'week', quota_anchor_day = 8",
        "service_plans SET currency = 'eur'",
        "service_plans SET data_quota_octets = 0",
        "service_plans SET rate_limit = repeat('x', 248)",
        "isps SET api_key = 'plain'",
        "isps SET previous_api_key = repeat('1', 64)",
        "isps SET max_devices = -1",
    ],
)
async def test_refuses(db: Db, tenants: tuple[Tenant, Tenant], change: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute(f"UPDATE control.{change}")


async def test_the_same_username_exists_at_two_isps_and_once_at_each(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    assert await db.fetchval("SELECT count(*) FROM control.customers WHERE username = $1", tenants[0].username) == 2
    with pytest.raises(asyncpg.UniqueViolationError, match="customers_isp_id_username_key_key"):
        await db.execute(
            "INSERT INTO control.customers (isp_id, username, username_key) VALUES ($1, $2, $2)",
            tenants[0].isp_id,
            tenants[0].username,
        )


async def test_the_same_address_exists_at_two_isps_and_once_at_each(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    with pytest.raises(asyncpg.UniqueViolationError, match="devices_isp_id_device_ip_key"):
        await db.execute(
            "INSERT INTO control.devices (isp_id, device_name, device_ip) VALUES ($1, 'x', $2)",
            tenants[0].isp_id,
            tenants[0].device_ip,
        )


@pytest.mark.parametrize(
    "move",
    [
        "UPDATE control.devices SET device_ip = '10.9.9.9', proved_at = now() WHERE id = $1",
        "UPDATE control.devices SET radius_sources = '{10.9.9.9/32}' WHERE id = $1",
    ],
)
async def test_a_device_that_moves_is_not_proved_any_more(db: Db, tenants: tuple[Tenant, Tenant], move: str) -> None:
    device = tenants[0].device_id
    await db.execute(
        "UPDATE control.devices SET proved_at = now(), message_authenticator_seen_at = now() WHERE id = $1", device
    )
    read = (
        "SELECT proved_at IS NOT NULL OR message_authenticator_seen_at IS NOT NULL FROM control.devices WHERE id = $1"
    )
    await db.execute("UPDATE control.devices SET notes = 'y', device_ip = device_ip WHERE id = $1", device)
    assert await db.fetchval(read, device) is True
    await db.execute(move, device)
    assert await db.fetchval(read, device) is False


async def test_an_admin_may_register_a_wide_source_that_must_sign(
    system_db: Db, db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    await system_db.execute(
        """
        UPDATE control.devices SET radius_sources = '{10.0.0.0/8}', require_message_authenticator = 'yes'
         WHERE id = $1
        """,
        tenants[0].device_id,
    )
    # and its ISP may change anything else of it
    isp = await db.fetchval("SELECT set_config('app.isp_id', $1, false)", str(tenants[0].isp_id))
    assert isp == str(tenants[0].isp_id)
    await db.execute("SET ROLE radiuscore_isp")
    assert await db.execute("UPDATE control.devices SET notes = 'x', radius_sources = radius_sources") == "UPDATE 1"
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute("UPDATE control.devices SET require_message_authenticator = 'auto'")


async def test_a_device_is_not_deleted_from_under_a_customer_bound_to_it(
    db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    mine = tenants[0]
    await db.execute(
        "INSERT INTO control.customer_devices (isp_id, customer_id, device_id) VALUES ($1, $2, $3)",
        mine.isp_id,
        mine.customer_id,
        mine.device_id,
    )
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await db.execute("DELETE FROM control.devices WHERE id = $1", mine.device_id)
    await db.execute("DELETE FROM control.customers WHERE id = $1", mine.customer_id)
    await db.execute("DELETE FROM control.devices WHERE id = $1", mine.device_id)
    assert await db.fetchval("SELECT count(*) FROM control.devices") == 1


async def test_an_invoice_outlives_its_customer(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    mine = tenants[0]
    await db.execute(
        """
        INSERT INTO control.invoices (isp_id, customer_id, number, currency, bill_to)
        VALUES ($1, $2, 1, 'EUR', 'Ann')
        """,
        mine.isp_id,
        mine.customer_id,
    )
    await db.execute("DELETE FROM control.customers WHERE id = $1", mine.customer_id)
    row = await db.fetchrow("SELECT isp_id, customer_id, bill_to FROM control.invoices")
    assert tuple(row or ()) == (mine.isp_id, None, "Ann")


async def test_a_period_is_invoiced_once(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    insert = """
    INSERT INTO control.invoices (isp_id, customer_id, number, currency, status, period_start, period_end)
    VALUES ($1, $2, $3, 'EUR', $4, '2026-11-01', '2026-12-01')
    """
    mine = tenants[0]
    await db.execute(insert, mine.isp_id, mine.customer_id, 1, "void")
    await db.execute(insert, mine.isp_id, mine.customer_id, 2, "open")
    with pytest.raises(asyncpg.UniqueViolationError, match="invoices_once_per_period"):
        await db.execute(insert, mine.isp_id, mine.customer_id, 3, "open")


async def test_changes_are_dated(db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)
    touched = await db.fetchval("UPDATE control.customers SET updated_at = $1 RETURNING updated_at", old)
    assert touched > old
