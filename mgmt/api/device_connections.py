"""Talking to devices: test, sync, interfaces. The device's login is opened for the call, and no connection to the
database is held while a router is talked to.
"""

from typing import Any

from mgmt.api.schemas.device_connections import (
    ClientsShown,
    ConnectionBody,
    ConnectionQuery,
    ConnectionShown,
    InterfaceShown,
    InterfacesShown,
    SyncShown,
)
from mgmt.audit import record
from mgmt.call import Answer, Call
from mgmt.devicesync import Reading, clean, interface_of, read_device, way_of
from mgmt.problems import Problem
from mgmt.store import device_reach as store
from mgmt.store import device_records
from mgmt.store.device_reach import Target
from mikrotik import ConnectionType, MikroTikError
from mikrotik.records import ConnectionTest
from radiuscore.store.pool import Connection

_SILENT = ("unreachable", "timeout")


async def test_device_connection(call: Call, body: ConnectionBody) -> Answer:
    """Log in to a device and ask who it is. What it is known by is pinned the first time."""
    way = parse_way(body.connection_type)
    target = await find_target(call)
    async with call.services.routers.client(target, way) as client:
        test = await client.test_connection()
    pinned = await _note(call, target, test, None)
    return Answer(ConnectionShown(**_connection(test), pinned=pinned))


async def sync_device(call: Call, body: ConnectionBody) -> Answer:
    """Read what a device is and how it is, and store it."""
    way = parse_way(body.connection_type)
    target = await find_target(call)
    reading: Reading | None = None
    fault: MikroTikError | None = None
    async with call.services.routers.client(target, way) as client:
        test = await client.test_connection()
        if test.success:
            try:
                reading = await read_device(client)
            except MikroTikError as error:
                fault = error
    pinned = await _note(call, target, test, reading)
    said = _connection(test) | ({} if fault is None else {"success": False} | fault_of(fault))
    return Answer(SyncShown(**said, pinned=pinned, **_reading(reading)))


async def list_device_interfaces(call: Call, query: ConnectionQuery) -> Answer:
    """Show a device's interfaces with their counters, read now."""
    way = None if query.connection_type is None else parse_way(query.connection_type)
    target = await find_target(call)
    way = way_of(target, way)
    said: dict[str, Any] = {"success": True, "error": None, "message": None, "hint": None}
    interfaces: list[InterfaceShown] = []
    async with call.services.routers.client(target, way) as client:
        try:
            interfaces = [_interface(interface_of(one)) for one in await client.get_interface_stats()]
        except MikroTikError as error:
            said = {"success": False} | fault_of(error)
    return Answer(InterfacesShown(connection_type=way.value, interfaces=interfaces, **said))


def parse_way(text: str) -> ConnectionType:
    """Return the way in that a request names. Raises `Problem`."""
    try:
        return ConnectionType(text)
    except ValueError:
        known = ", ".join(way.value for way in ConnectionType)
        raise Problem("unknown_connection_type", f"connection_type is one of {known}.") from None


async def find_target(call: Call) -> Target:
    """Return how to log in to the device of the path. Raises `Problem` where there is none."""
    device_id = call.id()
    async with call.transaction() as db:
        isp_id = await call.isp_of_row(db, device_records.FIND_ISP, device_id)
        target = await store.find_target(db, isp_id, device_id)
    if target is None:
        raise Problem("not_found")
    return target


def fault_of(error: MikroTikError) -> dict[str, str | None]:
    """Return what is shown of a failure."""
    return {"error": error.code, "message": clean(error.message), "hint": clean(error.hint)}


async def _note(call: Call, target: Target, test: ConnectionTest, reading: Reading | None) -> bool:
    """Store what came of a connection, which is the server's to say; tell whether something was pinned."""
    async with call.services.control.transaction(None) as db:
        if not test.success:
            await db.execute(store.NOTE_FAULT, *target.key, test.error, test.error in _SILENT)
            return False
        pin = {_pin_column(test): test.proof} if test.proof is not None else {}
        pins = pin.get("tls_fingerprint"), pin.get("ssh_host_key")
        pinned = await db.fetchval(store.PIN, *target.key, *pins) is not None
        if pinned:
            of_device = ("device", target.device_id)
            await record(call, db, "devices.pin", isp_id=target.isp_id, target=of_device, new=pin)
        if test.address == target.address:
            await db.execute(store.PROVE, *target.key)
        await db.execute(store.NOTE_ANSWER, *target.key, clean(test.identity), clean(test.version))
        if reading is not None:
            await _store_reading(db, target, reading)
        return pinned


async def _store_reading(db: Connection, target: Target, reading: Reading) -> None:
    await db.execute(
        store.NOTE_READING,
        *target.key,
        reading.model,
        reading.serial_number,
        reading.uptime_s,
        reading.cpu_percent,
        reading.memory_free_octets,
        reading.client_count,
        reading.stored_interfaces,
    )
    if reading.model is not None:
        await db.execute(store.NAME_MODEL, *target.key, reading.model[:100])


def _pin_column(test: ConnectionTest) -> str:
    return "ssh_host_key" if test.connection_type == ConnectionType.SSH.value else "tls_fingerprint"


def _connection(test: ConnectionTest) -> dict[str, Any]:
    return {
        "success": test.success,
        "connection_type": test.connection_type,
        "error": test.error,
        "message": clean(test.message),
        "hint": clean(test.hint),
        "latency_ms": test.latency_ms,
        "identity": clean(test.identity),
        "version": clean(test.version),
        "board_name": clean(test.board_name),
        "address": test.address,
        "proof": test.proof,
    }


def _reading(reading: Reading | None) -> dict[str, Any]:
    if reading is None:
        names = ("model", "serial_number", "uptime_s", "cpu_percent", "memory_free_octets", "memory_total_octets")
        return dict.fromkeys((*names, "clients", "client_count")) | {"interfaces": []}
    return {
        "model": reading.model,
        "serial_number": reading.serial_number,
        "uptime_s": reading.uptime_s,
        "cpu_percent": reading.cpu_percent,
        "memory_free_octets": reading.memory_free_octets,
        "memory_total_octets": reading.memory_total_octets,
        "clients": ClientsShown.model_validate(reading.clients),
        "client_count": reading.client_count,
        "interfaces": [_interface(one) for one in reading.interfaces],
    }


def _interface(interface: dict[str, Any]) -> InterfaceShown:
    return InterfaceShown(**interface)
