"""Devices: create, read, change, delete. Talking to them is elsewhere."""

from ipaddress import ip_address, ip_network
from typing import Any

import asyncpg

from mgmt.api.resource import load, lock, lock_room, refusals_explained, seal, version_of
from mgmt.api.schemas.base import Patch
from mgmt.api.schemas.devices import DevicePage, DeviceQuery, DeviceShown, NewDevice
from mgmt.audit import changes, record
from mgmt.call import Answer, Call, first_position
from mgmt.problems import invalid
from mgmt.roles import Role
from mgmt.store import device_records as store

_SECRETS = ("password", "api_key", "radius_secret")


async def list_devices(call: Call, query: DeviceQuery) -> Answer:
    """List devices, in the order they were created."""
    isp_id = call.isp_filter(query.isp_id)
    after = first_position(call.position(query.cursor))
    async with call.listing() as db:
        rows = await db.fetch(store.LIST, isp_id, after, query.state, query.location, query.q, query.limit + 1)
    page, cursor = call.page(rows, query.limit, "id")
    return Answer(DevicePage(items=[_shown(row) for row in page], next=cursor))


async def create_device(call: Call, body: NewDevice) -> Answer:
    """Create a device. Refused where the ISP has as many as it may have."""
    isp_id = call.isp_to_create_for(body.isp_id)
    fields = body.model_dump(mode="json", exclude={"isp_id"})
    _check(call, fields)
    with refusals_explained():
        async with call.transaction() as db:
            await lock_room(call, db, isp_id, "devices")
            device_id: int = await db.fetchval(store.NEXT_ID)
            await db.execute(
                store.INSERT, isp_id, device_id, seal(call, fields, "devices", device_id, isp_id, *_SECRETS)
            )
            await record(call, db, "devices.create", isp_id=isp_id, target=("device", device_id), new=fields)
            row = await load(db, store.FIND, isp_id, device_id)
    return Answer(_shown(row), version_of(row))


async def get_device(call: Call) -> Answer:
    """Show a device."""
    device_id = call.id()
    async with call.transaction() as db:
        row = await load(db, store.FIND, await call.isp_of_row(db, store.FIND_ISP, device_id), device_id)
    return Answer(_shown(row), version_of(row))


async def change_device(call: Call, body: Patch) -> Answer:
    """Change some fields of a device."""
    device_id, fields = call.id(), body.given()
    _check(call, fields)
    with refusals_explained():
        async with call.transaction() as db:
            isp_id = await call.isp_of_row(db, store.FIND_ISP, device_id)
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, device_id)
            old, new = changes(_shown(row).model_dump(mode="json"), fields)
            sealed = seal(call, new, "devices", device_id, isp_id, *_SECRETS)
            if new.keys() & store.RADIUS_FIELDS:
                await db.execute(store.UPDATE_RADIUS, isp_id, device_id, sealed)
            if new.keys() - store.RADIUS_FIELDS:
                await db.execute(store.UPDATE_OTHER, isp_id, device_id, sealed)
            if new:
                await record(call, db, "devices.change", isp_id=isp_id, target=("device", device_id), old=old, new=new)
            row = await load(db, store.FIND, isp_id, device_id)
    return Answer(_shown(row), version_of(row))


async def delete_device(call: Call) -> Answer:
    """Delete a device. Refused while customers are tied to it: they might then log in anywhere."""
    device_id = call.id()
    with refusals_explained():
        async with call.transaction() as db:
            isp_id = await call.isp_of_row(db, store.FIND_ISP, device_id)
            row = await lock(call, db, store.LOCK, store.FIND, isp_id, device_id)
            await db.execute(store.DELETE, isp_id, device_id)
            gone = _shown(row).model_dump(mode="json")
            await record(call, db, "devices.delete", isp_id=isp_id, target=("device", device_id), old=gone)
    return Answer(None)


def _check(call: Call, fields: dict[str, Any]) -> None:
    """Refuse addresses that this server must not connect to, and sources that only an admin may name."""
    address = fields.get("device_ip")
    if address is not None and not call.services.guard.allows(ip_address(address)):
        raise invalid(
            "device_ip",
            "this server does not connect to this address (OUTBOUND_ALLOW)",
            code="address_refused",
        )
    sources = [ip_network(source) for source in fields.get("radius_sources") or ()]
    wide = [source for source in sources if source.prefixlen < (24 if source.version == 4 else 48)]
    if wide and call.role is not Role.ADMIN:
        raise invalid(
            "radius_sources", "only an admin may register a source wider than /24 (IPv6: /48)", code="source_too_wide"
        )


def _shown(row: asyncpg.Record) -> DeviceShown:
    return DeviceShown.model_validate(dict(row))
