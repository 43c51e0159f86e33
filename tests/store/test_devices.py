"""What workers learn of devices: written once, and for the address that it was learned at."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from radiuscore.aaa.devices import DeviceProved, DeviceSigned
from radiuscore.store.devices import record_proofs, record_signed
from radiuscore.store.snapshot import load_snapshot

if TYPE_CHECKING:
    from radiuscore.store.sealing import Keyring
    from tests.conftest import Db, Tenant

pytestmark = pytest.mark.postgres


def proof(tenant: Tenant, at: float, address: str = "192.168.88.1") -> DeviceProved:
    return DeviceProved(tenant.isp_id, tenant.device_id, at, ip_address(address).packed)


async def proved(db: Db, tenant: Tenant) -> float | None:
    at: float | None = await db.fetchval(
        "SELECT extract(epoch FROM proved_at)::float8 FROM control.devices WHERE id = $1", tenant.device_id
    )
    return at


async def test_the_first_proof_stays(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    mine, other = tenants
    await record_proofs(system_db, [proof(mine, 1000.25)])
    await record_proofs(system_db, [proof(other, 3000.0), proof(mine, 2000.0)])
    assert (await proved(system_db, mine), await proved(system_db, other)) == (1000.25, 3000.0)


async def test_a_proof_of_one_isp_is_not_anothers(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    mine, other = tenants
    await record_proofs(system_db, [DeviceProved(mine.isp_id, other.device_id, 1.0, ip_address("192.168.88.1").packed)])
    assert await proved(system_db, other) is None


async def test_a_proof_that_comes_after_a_move_does_not_count(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    """Or one could prove an address of one's own and then be given precedence at a neighbour's."""
    mine, _ = tenants
    late = proof(mine, 1000.0)
    await system_db.execute("UPDATE control.devices SET device_ip = '10.0.0.1' WHERE id = $1", mine.device_id)
    await record_proofs(system_db, [late])
    assert await proved(system_db, mine) is None
    await record_proofs(system_db, [proof(mine, 1001.0, "10.0.0.1")])
    assert await proved(system_db, mine) == 1001.0


@pytest.mark.parametrize(
    ("sources", "address", "counts"),
    [
        ("{2001:db8::1/128}", "2001:db8::1", True),
        ("{2001:db8::1/128}", "192.168.88.1", False),
        ("{192.168.88.1/32, 10.0.0.1/32}", "192.168.88.1", False),
        ("{192.168.88.0/24}", "192.168.88.1", False),
    ],
)
async def test_a_proof_counts_for_a_device_with_that_one_address(
    system_db: Db, tenants: tuple[Tenant, Tenant], sources: str, address: str, counts: bool
) -> None:
    mine, _ = tenants
    await system_db.execute(
        "UPDATE control.devices SET radius_sources = $2::text::cidr[] WHERE id = $1", mine.device_id, sources
    )
    await record_proofs(system_db, [proof(mine, 1.0, address)])
    assert (await proved(system_db, mine) is not None) is counts


async def test_the_latch_is_set_once_and_can_be_set_back(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    mine, other = tenants
    read = "SELECT extract(epoch FROM message_authenticator_seen_at)::int FROM control.devices WHERE id = $1"
    await record_signed(system_db, [DeviceSigned(mine.isp_id, mine.device_id, 1000.0)])
    await record_signed(system_db, [DeviceSigned(mine.isp_id, mine.device_id, 2000.0)])
    assert await system_db.fetchval(read, mine.device_id) == 1000
    assert await system_db.fetchval(read, other.device_id) is None

    await system_db.execute("UPDATE control.devices SET message_authenticator_seen_at = NULL")
    await record_signed(system_db, [DeviceSigned(mine.isp_id, mine.device_id, 3000.0)])
    assert await system_db.fetchval(read, mine.device_id) == 3000


async def test_nothing_to_record_is_nothing(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    await record_proofs(system_db, [])
    await record_signed(system_db, [])
    assert await proved(system_db, tenants[0]) is None


async def test_a_device_at_several_addresses_is_proved_at_each_apart(
    system_db: Db, tenants: tuple[Tenant, Tenant], keyring: Keyring
) -> None:
    """The first proof at an address stays, one from elsewhere does not count, and a worker that starts knows them."""
    mine, other = tenants
    sources = "UPDATE control.devices SET radius_sources = '{10.0.0.0/24, 10.9.9.9/32}' WHERE isp_id = $1"
    await system_db.execute(sources, mine.isp_id)
    await record_proofs(system_db, [proof(mine, 5.0, "10.0.0.1"), proof(mine, 6.0, "10.0.0.2"), proof(mine, 7.0)])
    await record_proofs(system_db, [proof(mine, 8.0, "10.0.0.1"), proof(mine, 9.0, "10.9.9.9"), proof(other, 9.5)])
    proofs = {nas.isp_id: dict(nas.address_proofs) for nas in (await load_snapshot(system_db, keyring)).nases}
    assert proofs == {
        mine.isp_id: {
            ip_address("10.0.0.1").packed: 5.0,
            ip_address("10.0.0.2").packed: 6.0,
            ip_address("10.9.9.9").packed: 9.0,
        },
        other.isp_id: {},
    }
    await system_db.execute(
        "UPDATE control.devices SET radius_sources = '{10.0.0.0/25}' WHERE isp_id = $1", mine.isp_id
    )
    again = {nas.isp_id: nas.address_proofs for nas in (await load_snapshot(system_db, keyring)).nases}
    assert again[mine.isp_id] == (), "at other addresses it starts unproved"
