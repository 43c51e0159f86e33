"""The snapshot: every field of the records from its column, secrets opened, and who must not be in it left out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from radiuscore.aaa.records import (
    Customer,
    CustomerExtras,
    CustomerStatus,
    ExpiredAction,
    Isp,
    MessageAuthenticatorPolicy,
    Nas,
    QuotaAction,
    QuotaDirection,
    QuotaPeriod,
    RateLimit,
    ServicePlan,
    SimultaneousUseMode,
)
from radiuscore.store.sealing import Keyring
from radiuscore.store.snapshot import load_snapshot, read_all

if TYPE_CHECKING:
    from tests.conftest import Db, Tenant

pytestmark = pytest.mark.postgres

THEN = datetime(2026, 12, 1, 12, 30, tzinfo=UTC)


async def test_reads_two_isps_that_look_alike(system_db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring) -> None:
    snapshot = await load_snapshot(system_db, keyring)

    assert snapshot.isps == [Isp(tenant.isp_id, "Test ISP") for tenant in tenants]
    assert [nas.secret for nas in snapshot.nases] == [b"secret of A", b"secret of B"]
    assert {nas.sources for nas in snapshot.nases} == {(IPv4Network("192.168.88.1"),)}
    assert snapshot.customers == [
        Customer(
            tenant.customer_id,
            tenant.isp_id,
            tenant.username,
            tenant.username,
            tenant.password,
            tenant.plan_id,
        )
        for tenant in tenants
    ]
    assert [plan.rate_limit for plan in snapshot.plans] == [RateLimit(50_000_000, 10_000_000)] * 2


async def test_reads_every_field_of_a_plan(db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring) -> None:
    plan = tenants[0].plan_id
    await db.execute(
        """
        UPDATE control.service_plans SET name = 'Everything',
               download_bps = 1, upload_bps = 2, burst_download_bps = 3, burst_upload_bps = 4,
               burst_threshold_download_bps = 5, burst_threshold_upload_bps = 6, burst_time_s = 7, priority = 8,
               min_download_bps = 9, min_upload_bps = 10, rate_limit = '1M/2M',
               session_timeout_s = 11, idle_timeout_s = 12, interim_interval_s = 613,
               framed_pool = 'a', framed_ipv6_pool = 'b', delegated_ipv6_pool = 'c', address_list = 'd',
               mikrotik_group = 'e', login_hours = '{[10,20),[480,1020)}',
               simultaneous_use = 14, simultaneous_use_mode = 'strict', expired_action = 'walled_garden',
               walled_garden_address_list = 'f', walled_garden_pool = 'g', walled_garden_download_bps = 15,
               data_quota_octets = 16, time_quota_s = 17, quota_period = 'week', quota_anchor_day = 3,
               quota_direction = 'download', quota_action = 'block', throttle_rate_limit = '64k/64k'
         WHERE id = $1
        """,
        plan,
    )

    [first] = [each for each in (await load_snapshot(db, keyring)).plans if each.id == plan]

    assert first == ServicePlan(
        id=plan,
        isp_id=tenants[0].isp_id,
        name="Everything",
        rate_limit=RateLimit(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "1M/2M"),
        session_timeout_s=11,
        idle_timeout_s=12,
        interim_interval_s=613,
        framed_pool="a",
        framed_ipv6_pool="b",
        delegated_ipv6_pool="c",
        address_list="d",
        mikrotik_group="e",
        login_hours=((10, 20), (480, 1020)),
        simultaneous_use=14,
        simultaneous_use_mode=SimultaneousUseMode.STRICT,
        expired_action=ExpiredAction.WALLED_GARDEN,
        walled_garden_address_list="f",
        walled_garden_pool="g",
        walled_garden_rate_limit=RateLimit(download_bps=15),
        data_quota_octets=16,
        time_quota_s=17,
        quota_period=QuotaPeriod.WEEK,
        quota_anchor_day=3,
        quota_direction=QuotaDirection.DOWNLOAD,
        quota_action=QuotaAction.BLOCK,
        throttle_rate_limit=RateLimit(raw="64k/64k"),
    )


async def test_reads_every_field_of_a_customer(db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring) -> None:
    mine = tenants[0]
    await db.execute(
        """
        UPDATE control.customers SET username = 'Ann', username_key = 'ann', password = NULL, service_plan_id = NULL,
               status = 'unpaid', expires_at = $2, framed_ip_address = '10.0.0.7', framed_ipv6_prefix = '2001:db8::/64',
               delegated_ipv6_prefix = '2001:db8:1::/56', framed_routes = '{10.1.0.0/24}',
               mac_addresses = '{00:11:22:33:44:55}', simultaneous_use = 2, upload_bps = 5, address_list = 'vip',
               quota_state = 'throttle', quota_until = $2
         WHERE id = $1
        """,
        mine.customer_id,
        THEN,
    )
    await db.execute(
        "INSERT INTO control.customer_devices (isp_id, customer_id, device_id) VALUES ($1, $2, $3)",
        mine.isp_id,
        mine.customer_id,
        mine.device_id,
    )

    [first] = [each for each in (await load_snapshot(db, keyring)).customers if each.id == mine.customer_id]

    assert first == Customer(
        id=mine.customer_id,
        isp_id=mine.isp_id,
        username="Ann",
        username_key="ann",
        password=None,
        plan_id=None,
        status=CustomerStatus.UNPAID,
        expires_at=THEN.timestamp(),
        extras=CustomerExtras(
            framed_ip_address=IPv4Address("10.0.0.7"),
            framed_ipv6_prefix=IPv6Network("2001:db8::/64"),
            delegated_ipv6_prefix=IPv6Network("2001:db8:1::/56"),
            framed_routes=("10.1.0.0/24",),
            mac_addresses=frozenset([bytes.fromhex("001122334455")]),
            nas_ids=frozenset([mine.device_id]),
            simultaneous_use=2,
            rate_limit=RateLimit(upload_bps=5),
            address_list="vip",
            quota_state=QuotaAction.THROTTLE,
            quota_until=THEN.timestamp(),
        ),
    )


async def test_reads_every_field_of_a_device(db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring) -> None:
    mine = tenants[0]
    outgoing = keyring.seal(
        b"old", table="devices", row=mine.device_id, column="outgoing_radius_secret", isp_id=mine.isp_id
    )
    await db.execute(
        "UPDATE control.devices SET radius_sources = '{10.0.0.0/24, 2001:db8::1/128}' WHERE id = $1", mine.device_id
    )
    await db.execute(
        """
        UPDATE control.devices SET device_name = 'North', nas_identifier = 'north', outgoing_radius_secret = $2,
               require_message_authenticator = 'no', message_authenticator_seen_at = $3, limit_proxy_state = false,
               swap_octets = true, coa_port = 1700, proved_at = $3
         WHERE id = $1
        """,
        mine.device_id,
        outgoing,
        THEN,
    )

    [first] = [each for each in (await load_snapshot(db, keyring)).nases if each.id == mine.device_id]

    assert first == Nas(
        sources=["10.0.0.0/24", "2001:db8::1"],
        secret=b"secret of A",
        isp_id=mine.isp_id,
        id=mine.device_id,
        name="North",
        outgoing_secret=b"old",
        nas_identifier="north",
        require_message_authenticator=MessageAuthenticatorPolicy.NO,
        message_authenticator_seen=True,
        limit_proxy_state=False,
        swap_octets=True,
        coa_port=1700,
        proved_at=THEN.timestamp(),
    )


async def set_isp_secret(db: Db, keyring: Keyring, isp_id: int, column: str, secret: bytes) -> None:
    sealed = keyring.seal(secret, table="isps", row=isp_id, column=column, isp_id=isp_id)
    if column == "radius_secret":
        await db.execute("UPDATE control.isps SET radius_secret = $2 WHERE id = $1", isp_id, sealed)
    else:
        await db.execute("UPDATE control.isps SET outgoing_radius_secret = $2 WHERE id = $1", isp_id, sealed)


async def test_a_device_falls_back_to_its_own_isps_secret(
    db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    mine, other = tenants
    await set_isp_secret(db, keyring, mine.isp_id, "radius_secret", b"of the ISP")
    await set_isp_secret(db, keyring, mine.isp_id, "outgoing_radius_secret", b"the ISP's last")
    await db.execute("UPDATE control.devices SET radius_secret = NULL WHERE id = $1", mine.device_id)

    by_id = {nas.id: nas for nas in (await load_snapshot(db, keyring)).nases}

    assert (by_id[mine.device_id].secret, by_id[mine.device_id].outgoing_secret) == (b"of the ISP", b"the ISP's last")
    assert (by_id[other.device_id].secret, by_id[other.device_id].outgoing_secret) == (b"secret of B", None)


async def test_a_device_with_its_own_secret_has_nothing_of_its_isps(
    db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    for column in ("radius_secret", "outgoing_radius_secret"):
        await set_isp_secret(db, keyring, tenants[0].isp_id, column, b"of the ISP")
    [first] = [nas for nas in (await load_snapshot(db, keyring)).nases if nas.id == tenants[0].device_id]
    assert (first.secret, first.outgoing_secret) == (b"secret of A", None)


async def test_a_device_without_any_secret_is_left_out(
    db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    mine, other = tenants
    await db.execute("UPDATE control.devices SET radius_secret = NULL WHERE id = $1", mine.device_id)
    assert [nas.id for nas in (await load_snapshot(db, keyring)).nases] == [other.device_id]
    await set_isp_secret(db, keyring, mine.isp_id, "radius_secret", b"")
    assert [nas.id for nas in (await load_snapshot(db, keyring)).nases] == [other.device_id]


async def test_a_secret_from_another_row_lets_nobody_in(
    db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    """A password copied between customers does not open, and its row is not one without a password either."""
    mine, other = tenants
    for table in ("customers", "devices"):
        column = "password" if table == "customers" else "radius_secret"
        await db.execute(
            f"UPDATE control.{table} SET {column} = (SELECT {column} FROM control.{table} WHERE isp_id = $2) "  # noqa: S608
            "WHERE isp_id = $1",
            mine.isp_id,
            other.isp_id,
        )
    with caplog.at_level(logging.ERROR, "radiuscore.store"):
        snapshot = await load_snapshot(db, keyring)

    assert [customer.id for customer in snapshot.customers] == [other.customer_id]
    assert [nas.id for nas in snapshot.nases] == [other.device_id]
    assert f"ISP {mine.isp_id}, customer {mine.customer_id} is left out" in caplog.text
    assert f"ISP {mine.isp_id}, device {mine.device_id} is left out" in caplog.text
    assert "password123" not in caplog.text


async def test_reads_suspension_and_zone(db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring) -> None:
    await db.execute(
        "UPDATE control.isps SET status = 'suspended', time_zone = 'Asia/Kolkata' WHERE id = $1", tenants[1].isp_id
    )
    by_id = {isp.id: isp for isp in (await load_snapshot(db, keyring)).isps}
    assert by_id[tenants[0].isp_id].active
    assert by_id[tenants[1].isp_id] == Isp(tenants[1].isp_id, "Test ISP", active=False, zone=ZoneInfo("Asia/Kolkata"))


async def test_a_zone_that_python_does_not_know_is_utc(
    db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    await db.execute("ALTER TABLE control.isps DISABLE TRIGGER check_time_zone")
    await db.execute("UPDATE control.isps SET time_zone = 'Mars/Olympus' WHERE id = $1", tenants[0].isp_id)
    snapshot = await load_snapshot(db, keyring)
    assert {str(isp.zone) for isp in snapshot.isps} == {"UTC"}
    assert "time zone 'Mars/Olympus' is not known here" in caplog.text


async def test_is_one_moment(
    db: Db, system_db: Db, keyring: Keyring, insert_tenant: Callable[..., Awaitable[Tenant]], database: str
) -> None:
    """A customer that is added while the snapshot is read is not in it without his plan."""
    for number in range(3):
        await insert_tenant(db, username=f"user{number}")
    async with system_db.transaction(isolation="repeatable_read", readonly=True):
        await system_db.fetchval("SELECT 1 FROM control.isps LIMIT 1")
        await insert_tenant(db, username="late")
        snapshot = await read_all(system_db, keyring)
    assert (len(snapshot.isps), len(snapshot.plans), len(snapshot.customers)) == (3, 3, 3)
