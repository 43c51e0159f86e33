"""Quotas judged from what accounting counted: the action that begins, what ends it, and whom it does not concern."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from mgmt.react.directory import Directory
from mgmt.react.quota import QuotaWatch
from radiuscore.store.pool import Pool
from radiuscore.store.sessions import record
from radiuscore.store.snapshot import load_snapshot
from tests.store.reporting import interim

if TYPE_CHECKING:
    from radiuscore.store.sealing import Keyring
    from tests.conftest import Db, Tenant

pytestmark = pytest.mark.postgres

JUNE = datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp()
JULY = datetime(2026, 7, 1, 0, 0, 1, tzinfo=UTC).timestamp()
JULY_BEGINS = datetime(2026, 7, 1, tzinfo=UTC)
QUOTA = 1000


class Site:
    """Two tenants with a quota, a watch over it, and a clock."""

    def __init__(self, db: Db, pool: Pool, keyring: Keyring, tenants: tuple[Tenant, Tenant]) -> None:
        self.now = JUNE
        self.db = db
        self.one, self.two = tenants
        self._keyring = keyring
        self.directory = Directory()
        self.watch = QuotaWatch(pool, pool, self.directory, now=lambda: self.now)
        self._sessions = 0

    async def use(self, tenant: Tenant, amount: int, at: float | None = None, zone: str = "UTC") -> None:
        """Let a customer receive so many octets, in as many seconds, in a session of its own."""
        self._sessions += 1
        event = interim(
            0,
            amount,
            (0, amount),
            isp_id=tenant.isp_id,
            nas_id=tenant.device_id,
            customer_id=tenant.customer_id,
            acct_session_id=f"81{self._sessions:06x}",
        )
        when = self.now if at is None else at
        await record(self.db, [event._replace(received_at=when, zone=ZoneInfo(zone))])

    async def judge(self) -> int:
        """Let the directory be current, as the planner keeps it, and judge."""
        self.directory.load(await load_snapshot(self.db, self._keyring))
        return await self.watch.run()

    async def in_force(self, tenant: Tenant) -> tuple[Any, Any]:
        row = await self.db.fetchrow(
            "SELECT quota_state, quota_until FROM control.customers WHERE id = $1", tenant.customer_id
        )
        assert row is not None
        return row["quota_state"], row["quota_until"]

    async def set_plan(self, tenant: Tenant, **values: Any) -> None:
        for column, value in values.items():
            await self.db.execute(
                f"UPDATE control.service_plans SET {column} = $2 WHERE id = $1",  # noqa: S608
                tenant.plan_id,
                value,
            )


@pytest.fixture
async def site(db: Db, pool: Pool, keyring: Keyring, tenants: tuple[Tenant, Tenant]) -> Site:
    site = Site(db, pool, keyring, tenants)
    for tenant in tenants:
        await site.set_plan(tenant, data_quota_octets=QUOTA)
    return site


async def test_who_crosses_his_quota_is_throttled_until_the_period_ends(site: Site) -> None:
    await site.use(site.one, QUOTA - 1)
    await site.use(site.two, 1)
    assert await site.judge() == 0
    await site.use(site.one, 1)
    assert await site.judge() == 1
    assert await site.in_force(site.one) == ("throttle", JULY_BEGINS)
    assert await site.in_force(site.two) == (None, None)
    changes = await site.db.fetchval("SELECT count(*) FROM control.change_log")
    for _ in range(2):  # it is not written again, because every writing is a change that everybody follows
        await site.use(site.one, 5)
        assert await site.judge() == 0
    assert await site.db.fetchval("SELECT count(*) FROM control.change_log") == changes

    site.now = JULY
    assert await site.judge() == 1
    assert await site.in_force(site.one) == (None, None)


async def test_a_leader_who_was_away_sees_who_crossed_meanwhile(site: Site) -> None:
    await site.use(site.one, QUOTA)
    await site.db.execute("UPDATE accounting.usage_period SET changed_at = now() - interval '3 days'")
    assert await site.judge() == 1


@pytest.mark.parametrize("action", ["throttle", "walled_garden", "block"])
async def test_the_plan_says_what_happens(site: Site, action: str) -> None:
    await site.set_plan(site.one, quota_action=action, data_quota_octets=None, time_quota_s=60)
    await site.use(site.one, 60)  # seconds too
    await site.judge()
    assert (await site.in_force(site.one))[0] == action


async def test_a_top_up_lets_a_customer_out_although_he_uses_nothing(site: Site) -> None:
    await site.use(site.one, QUOTA)
    await site.judge()
    await site.db.execute("UPDATE accounting.usage_period SET changed_at = now() - interval '3 days'")
    await site.db.execute(
        "INSERT INTO control.quota_topups (isp_id, customer_id, octets, valid_from) VALUES ($1, $2, 500, $3)",
        site.one.isp_id,
        site.one.customer_id,
        datetime.fromtimestamp(JUNE - 60, UTC),
    )
    assert await site.judge() == 1
    assert await site.in_force(site.one) == (None, None)
    await site.use(site.one, 500)
    await site.judge()
    assert await site.in_force(site.one) == ("throttle", JULY_BEGINS)


@pytest.mark.parametrize("values", [{"data_quota_octets": None}, {"data_quota_octets": 10 * QUOTA}])
async def test_another_quota_or_none_ends_the_action(site: Site, values: dict[str, Any]) -> None:
    await site.use(site.one, QUOTA)
    await site.judge()
    await site.set_plan(site.one, **values)
    assert await site.judge() == 1
    assert await site.in_force(site.one) == (None, None)


async def test_usage_of_another_period_does_not_count(site: Site) -> None:
    await site.use(site.one, QUOTA, at=JUNE - 31 * 86_400)
    assert await site.judge() == 0


async def test_a_period_begins_at_midnight_where_the_isp_is(site: Site) -> None:
    await site.db.execute("UPDATE control.isps SET time_zone = 'Asia/Kolkata' WHERE id = $1", site.one.isp_id)
    site.now = datetime(2026, 6, 30, 18, 29, tzinfo=UTC).timestamp()  # 23:59 there
    await site.use(site.one, QUOTA, zone="Asia/Kolkata")
    assert await site.judge() == 1
    assert (await site.in_force(site.one))[1] == datetime(2026, 6, 30, 18, 30, tzinfo=UTC)
    site.now += 61
    assert await site.judge() == 1
    assert await site.in_force(site.one) == (None, None)


async def test_eighty_percent_is_told_once_in_a_period_whoever_leads(
    site: Site, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mgmt.react.quota")

    def told() -> list[tuple[int, int]]:
        return [(record.isp_id, record.customer_id) for record in caplog.records]  # type: ignore[attr-defined]

    await site.use(site.one, QUOTA * 8 // 10 - 1)
    await site.judge()
    assert told() == []
    await site.use(site.one, 1)
    await site.judge()
    await site.use(site.one, 100)
    await site.judge()
    site.watch = QuotaWatch(pool, pool, site.directory, now=lambda: site.now)  # another leader
    await site.judge()
    assert told() == [(site.one.isp_id, site.one.customer_id)]
    assert await site.in_force(site.one) == (None, None)
    site.now = JULY
    await site.use(site.one, QUOTA - 1)
    await site.judge()
    assert len(told()) == 2


async def test_a_customer_whom_the_directory_does_not_know_yet_is_left_alone(site: Site) -> None:
    await site.use(site.one, QUOTA)
    await site.judge()
    snapshot = await load_snapshot(site.db, site._keyring)
    site.directory.load(replace(snapshot, customers=[]))
    assert await site.watch.run() == 0
    assert (await site.in_force(site.one))[0] == "throttle"
