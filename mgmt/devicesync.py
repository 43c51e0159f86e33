"""Talks to devices: with which login, through which port, how many at once; and what is read of one for the database.

A device is the ISP's own, so its answers are a stranger's: texts are cut to what the database holds, numbers to what
they may be. No database connection is held by anything here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakValueDictionary

from mgmt.apiconfig import RouterDefaults
from mgmt.problems import Problem
from mgmt.store.device_reach import Target
from mikrotik import AddressGuard, AsyncMikroTikClient, ConnectionType, MikroTikConnectionConfig, as_dict
from mikrotik.records import ClientCounts, DeviceInfo, InterfaceStats
from radiuscore.store.sealing import CannotOpen, Keyring

AT_ONCE: Final = 4  # routers that one ISP's requests talk to
MAX_WAITING: Final = 16  # requests of one ISP that wait for their turn
MAX_INTERFACES: Final = 1000  # that are stored
MAX_TEXT: Final = 1000

_INT: Final = 2**31 - 1
_BIGINT: Final = 2**63 - 1
_COUNTER: Final = 2**64 - 1  # what RouterOS counts to


class _Turns:
    """The turns of one ISP."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0


@dataclass(frozen=True, slots=True)
class RouterDesk:
    """Opens connections to devices, a few at once for each ISP: one ISP's dead routers do not keep others waiting."""

    keyring: Keyring = field(repr=False)
    guard: AddressGuard
    defaults: RouterDefaults
    turns: "WeakValueDictionary[int, _Turns]" = field(default_factory=WeakValueDictionary, repr=False)

    @asynccontextmanager
    async def client(self, target: Target, way: ConnectionType) -> AsyncIterator[AsyncMikroTikClient]:
        """Give a client of a device once it is its ISP's turn. Raises `Problem` where the device has no login."""
        config = self._config(target, way)
        async with self._turn(target.isp_id), AsyncMikroTikClient(config) as client:
            yield client

    def _config(self, target: Target, way: ConnectionType) -> MikroTikConnectionConfig:
        if not target.username or target.password is None:
            raise Problem("device_credentials_missing", "Set the device's username and password.")
        place: dict[str, Any] = {"table": "devices", "row": target.device_id, "column": "password"}
        way = way_of(target, way)
        try:
            password = self.keyring.open(target.password, isp_id=target.isp_id, **place).decode()
        except CannotOpen:
            detail = "The password was sealed with a key that this server does not have: set it again."
            raise Problem("conflict", detail) from None
        try:
            return MikroTikConnectionConfig(
                host=target.address,
                port=self._port(target, way),
                username=target.username,
                password=password,
                connection_type=way,
                timeout=self.defaults.timeout_s,
                tls_fingerprint=target.tls_fingerprint,
                ssh_host_key=target.ssh_host_key,
                guard=self.guard,
            )
        except ValueError as error:  # which never holds a secret
            raise Problem("conflict", f"The device cannot be logged in to: {error}.") from None

    def _port(self, target: Target, way: ConnectionType) -> int:
        match way:
            case ConnectionType.SSH:
                return target.ssh_port or self.defaults.ssh_port
            case ConnectionType.API:
                return target.api_port or self.defaults.api_port
            case ConnectionType.API_SSL:
                return (target.api_port if target.use_tls else None) or self.defaults.api_ssl_port
            case ConnectionType.REST:
                return self.defaults.rest_port

    @asynccontextmanager
    async def _turn(self, isp_id: int) -> AsyncIterator[None]:
        turns = self.turns.setdefault(isp_id, _Turns())
        if turns.waiting >= MAX_WAITING:
            raise Problem("busy", "Too many of the ISP's devices are being talked to.", headers={"Retry-After": "5"})
        turns.waiting += 1
        try:
            await turns.slots.acquire()
        finally:
            turns.waiting -= 1
        try:
            yield
        finally:
            turns.slots.release()


def way_of(target: Target, way: ConnectionType | None) -> ConnectionType:
    """Return the way in that is used: the API of a device that has TLS is not talked to in clear."""
    if way is None or (way is ConnectionType.API and target.use_tls):
        return ConnectionType.API_SSL if target.use_tls else ConnectionType.API
    return way


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device is and how it is, as the database and JSON hold it."""

    model: str | None
    serial_number: str | None
    uptime_s: int | None
    cpu_percent: int | None
    memory_free_octets: int | None
    memory_total_octets: int | None
    clients: ClientCounts
    interfaces: tuple[dict[str, Any], ...]

    @property
    def client_count(self) -> int:
        """How many customers are connected. Hotspot customers have DHCP leases as well, and are counted once."""
        return min(self.clients.ppp + max(self.clients.hotspot, self.clients.dhcp), _INT)

    @property
    def stored_interfaces(self) -> list[dict[str, Any]]:
        """The interfaces that stay: those of sessions are gone within the hour."""
        return [one for one in self.interfaces if not one["dynamic"]][:MAX_INTERFACES]


async def read_device(client: AsyncMikroTikClient) -> Reading:
    """Read what a sync stores. Raises `MikroTikError`."""
    info = await client.get_device_info()
    interfaces = await client.get_interface_stats()
    return reading_of(info, interfaces, await client.get_client_counts())


def reading_of(info: DeviceInfo, interfaces: tuple[InterfaceStats, ...], clients: ClientCounts) -> Reading:
    """Return a reading whose every value can be stored."""
    resources = info.resources
    return Reading(
        model=clean(info.model),
        serial_number=clean(info.serial_number),
        uptime_s=_bounded(resources.uptime_s, _BIGINT),
        cpu_percent=_bounded(resources.cpu_load_percent, 100),
        memory_free_octets=_bounded(resources.free_memory_octets, _BIGINT),
        memory_total_octets=_bounded(resources.total_memory_octets, _BIGINT),
        clients=clients,
        interfaces=tuple(map(interface_of, interfaces)),
    )


def interface_of(interface: InterfaceStats) -> dict[str, Any]:
    """Return an interface as JSON and the database can hold it."""
    return {name: _plain(value) for name, value in as_dict(interface).items()}


def clean(text: str | None) -> str | None:
    """Return a device's text without what PostgreSQL and JSON cannot hold, and not longer than anybody needs."""
    if text is None:
        return None
    return text[:MAX_TEXT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    return _bounded(value, _COUNTER) if isinstance(value, int) and not isinstance(value, bool) else value


def _bounded(number: int | None, top: int) -> int | None:
    return number if number is not None and 0 <= number <= top else None
