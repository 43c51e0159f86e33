"""What `radiuscore trace` asks for, resolved to devices and ISPs; and what it prints."""

import pytest

from mgmt.trace import describe_event
from mgmt.tracing import TraceFault, find_targets
from tests.conftest import Db, Tenant


async def test_an_id_is_one_device(system_db: Db, tenants: tuple[Tenant, Tenant]) -> None:
    for tenant in tenants:
        assert await find_targets(system_db, str(tenant.device_id), None) == [(tenant.isp_id, tenant.device_id)]


async def test_an_address_is_every_device_that_may_ask_from_there(
    system_db: Db, db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    both = [(tenant.isp_id, tenant.device_id) for tenant in tenants]
    await db.execute("UPDATE control.devices SET radius_sources = '{10.9.0.0/24}' WHERE id = $1", tenants[1].device_id)

    assert await find_targets(system_db, "192.168.88.1", None) == both
    assert await find_targets(system_db, "10.9.0.7", None) == both[1:]


async def test_a_name_is_traced_where_it_exists_and_else_everywhere(
    system_db: Db, db: Db, tenants: tuple[Tenant, Tenant]
) -> None:
    await db.execute(
        "UPDATE control.customers SET username = 'anna', username_key = 'anna' WHERE id = $1", tenants[0].customer_id
    )

    assert await find_targets(system_db, None, "anna") == [(tenants[0].isp_id, None)]
    assert await find_targets(system_db, None, "nobody") == [(tenant.isp_id, None) for tenant in tenants]


@pytest.mark.parametrize("nas", ["203.0.113.77", "999999999", "9" * 30, "router", "192.168.88.1/24", "٣"])
async def test_what_is_no_device_is_said(system_db: Db, tenants: tuple[Tenant, Tenant], nas: str) -> None:
    with pytest.raises(TraceFault, match=r"^(No device is registered with|'.*' is neither the address nor)"):
        await find_targets(system_db, nas, None)


def test_a_packet_without_an_answer_is_shown_with_its_reason() -> None:
    event = {
        "at": 1_795_437_196.868,
        "server": "auth",
        "isp_id": 1,
        "nas_id": 7,
        "source": "192.0.2.1",
        "port": 41648,
        "request": 'Access-Request 3\n  User-Name = "anna"',
        "reply": None,
        "reason": "bad_message_authenticator",
    }

    assert describe_event(event) == (
        "12:33:16.868 ISP 1, device 7, from 192.0.2.1 port 41648 to auth:\n"
        "    Access-Request 3\n"
        '      User-Name = "anna"\n'
        "  no answer: bad_message_authenticator"
    )
    answered = describe_event(event | {"reply": "Access-Reject 3", "reason": "bad_credentials"})
    assert answered.endswith("  answered (bad_credentials):\n    Access-Reject 3")
