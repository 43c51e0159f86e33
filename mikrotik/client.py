"""`AsyncMikroTikClient`: one router, one held connection, the same records by every way in.

One command at a time (a lock), one deadline for a whole call, login included. The connection is opened by the first
call and kept: each login is a line in the router's log. It is closed after every exception but a plain refusal, for
after a time-out the next command would be given the old one's rows. After a failure to connect, calls fail at once
until the back-off has passed. Steps are logged under ``mikrotik.client``, without secrets.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from types import TracebackType
from typing import Final, Self, TypeVar

from mikrotik import faults, reading, ways
from mikrotik.addresses import resolve
from mikrotik.config import MikroTikConnectionConfig
from mikrotik.errors import REFUSALS, MenuUnsupported, MikroTikError
from mikrotik.exporting import export
from mikrotik.records import (
    ActiveSessions,
    ClientCounts,
    ConnectionTest,
    DeviceInfo,
    DhcpLease,
    HealthReading,
    HotspotSession,
    InterfaceStats,
    PppSession,
    RadiusCounters,
    RadiusSettings,
    Resources,
    SimpleQueue,
)
from mikrotik.transport import Command, Peer, Read, Row, Transport
from mikrotik.versions import Version, parse_version

logger = logging.getLogger(__name__)
T = TypeVar("T")

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 60.0
_MANY_ROWS: Final = 500  # above this rows become records in a thread: 5,000 would hold the event loop for 50 ms


class AsyncMikroTikClient:
    """Asks one router. All methods raise `MikroTikError` and take at most ``config.timeout`` seconds."""

    def __init__(self, config: MikroTikConnectionConfig) -> None:
        self.config = config
        self._transport: Transport | None = None
        self._lock = asyncio.Lock()
        self._failures = 0
        self._fault: MikroTikError | None = None
        self._not_before = 0.0
        self._name = f"{config.host}:{config.service_port} ({config.connection_type.value})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection, if there is one; a later call opens a new one."""
        async with self._lock:
            await self._drop()

    @property
    def peer(self) -> Peer | None:
        """Whom the open connection reached, and by what it can be pinned; ``None`` while there is none."""
        return None if self._transport is None else self._transport.peer

    # What a router is and how it is

    async def test_connection(self) -> ConnectionTest:
        """Connect, log in and ask who the router is; never raises `MikroTikError`, and does not mind the back-off."""
        try:
            async with self.session("testing the connection", fresh=True) as transport:
                started = monotonic()
                identity = await transport.read(reading.IDENTITY)
                latency_ms = round((monotonic() - started) * 1000, 1)
                resources = reading.parse_resources(_one(await transport.read(reading.RESOURCE)))
                return ConnectionTest(
                    success=True,
                    connection_type=self.config.connection_type.value,
                    latency_ms=latency_ms,
                    identity=_one(identity).get("name"),
                    version=resources.version,
                    board_name=resources.board_name,
                    address=transport.peer.address,
                    proof=transport.peer.proof,
                    anonymous_tls=transport.peer.anonymous_tls,
                )
        except MikroTikError as error:
            return ConnectionTest(
                success=False,
                connection_type=self.config.connection_type.value,
                error=error.code,
                message=error.message,
                hint=error.hint,
            )

    async def get_device_info(self) -> DeviceInfo:
        """Return identity, model, serial number, version, firmware and resources."""
        async with self.session("reading the device") as transport:
            identity = await transport.read(reading.IDENTITY)
            resource = await transport.read(reading.RESOURCE)
            routerboard = await _if_known(transport, reading.ROUTERBOARD)
        return reading.parse_device(_one(identity), _one(resource), _one(routerboard))

    async def get_resources(self) -> Resources:
        """Return uptime, loads and sizes: one round trip."""
        return reading.parse_resources(_one(await self.read(reading.RESOURCE)))

    async def get_health(self) -> tuple[HealthReading, ...]:
        """Return the sensors; none on the many boards that have none."""
        async with self.session("reading health") as transport:
            return reading.parse_health(await _if_known(transport, reading.HEALTH))

    async def get_interface_stats(self) -> tuple[InterfaceStats, ...]:
        """Return every interface with its counters, in the router's order."""
        return await _records(await self.read(reading.INTERFACES), reading.parse_interface)

    async def get_queues(self) -> tuple[SimpleQueue, ...]:
        """Return the simple queues, those of sessions (``<pppoe-NAME>``) included."""
        return await _records(await self.read(reading.QUEUES), reading.parse_queue)

    # Who is online

    async def get_ppp_sessions(self) -> tuple[PppSession, ...]:
        """Return ``/ppp active``."""
        return await _records(await self.read(reading.PPP_ACTIVE), reading.parse_ppp)

    async def get_hotspot_sessions(self) -> tuple[HotspotSession, ...]:
        """Return ``/ip hotspot active``."""
        return await _records(await self.read(reading.HOTSPOT_ACTIVE), reading.parse_hotspot)

    async def get_dhcp_leases(self) -> tuple[DhcpLease, ...]:
        """Return ``/ip dhcp-server lease``, those that nobody uses included."""
        return await _records(await self.read(reading.DHCP_LEASES), reading.parse_lease)

    async def get_active_sessions(self) -> ActiveSessions:
        """Return PPP and hotspot sessions and DHCP leases, under one deadline."""
        async with self.session("reading the active sessions") as transport:
            ppp = await _if_known(transport, reading.PPP_ACTIVE)
            hotspot = await _if_known(transport, reading.HOTSPOT_ACTIVE)
            leases = await _if_known(transport, reading.DHCP_LEASES)
        return ActiveSessions(
            await _records(ppp, reading.parse_ppp),
            await _records(hotspot, reading.parse_hotspot),
            await _records(leases, reading.parse_lease),
        )

    async def get_client_counts(self) -> ClientCounts:
        """Return how many are online by PPP, hotspot and DHCP; reads one short field of each row."""
        async with self.session("counting clients") as transport:
            ppp = await _if_known(transport, Read(reading.PPP_ACTIVE.menu, (".id",)))
            hotspot = await _if_known(transport, Read(reading.HOTSPOT_ACTIVE.menu, (".id",)))
            bound = {"status": "bound"}
            leases = await _if_known(transport, Read(reading.DHCP_LEASES.menu, (".id", "status"), where=bound))
        return ClientCounts(len(ppp), len(hotspot), len(leases))

    # RADIUS and configuration

    async def get_radius_settings(self) -> RadiusSettings:
        """Return everything that decides how the router uses RADIUS; see `RadiusSettings`."""
        async with self.session("reading the RADIUS settings") as transport:
            servers = await transport.read(reading.RADIUS)
            incoming = _one(await transport.read(reading.RADIUS_INCOMING))
            aaa = _one(await _if_known(transport, reading.PPP_AAA))
            profiles = await _if_known(transport, reading.HOTSPOT_PROFILES)
        return reading.parse_radius_settings(servers, incoming, aaa, profiles)

    async def get_radius_counters(self, server_id: str) -> RadiusCounters:
        """Return what the router counted for one of its ``/radius`` entries since it started."""
        rows = await self.run(Command("/radius", "monitor", {".id": server_id, "once": ""}))
        return reading.parse_counters(_one(rows))

    async def export(self, *, show_sensitive: bool = False, timeout_s: float | None = None) -> str:
        """Return the configuration as text. ``timeout_s`` is for large ones; else the configured one."""
        async with self.session("exporting", timeout_s=timeout_s) as transport:
            version = parse_version(_one(await transport.read(reading.RESOURCE)).get("version", ""))
            return await export(transport, version or Version(7, 0), show_sensitive=show_sensitive)

    # Anything else

    async def read(self, what: Read) -> list[Row]:
        """Read rows of a menu as text."""
        async with self.session(f"reading {what.menu}") as transport:
            started = monotonic()
            rows = await transport.read(what)
            logger.debug("%s: %s: %d rows in %.0f ms", self._name, what.menu, len(rows), (monotonic() - started) * 1e3)
            return rows

    async def run(self, command: Command) -> list[Row]:
        """Run a command that may change the router; its arguments are not logged."""
        async with self.session(f"running {command.menu}/{command.verb}") as transport:
            return await transport.run(command)

    async def disconnect(self, session: PppSession | HotspotSession) -> None:
        """Remove one session from the router, where a Disconnect-Request was not answered."""
        menu = reading.PPP_ACTIVE.menu if isinstance(session, PppSession) else reading.HOTSPOT_ACTIVE.menu
        await self.run(Command(menu, "remove", {".id": session.id}))

    async def set_queue_limit(self, queue: SimpleQueue, upload_bps: int, download_bps: int) -> None:
        """Change a simple queue's limit, where a CoA-Request was not answered; in force until the session ends."""
        await self.run(
            Command(reading.QUEUES.menu, "set", {".id": queue.id, "max-limit": f"{upload_bps}/{download_bps}"})
        )

    @asynccontextmanager
    async def session(
        self, step: str, *, timeout_s: float | None = None, fresh: bool = False
    ) -> AsyncIterator[Transport]:
        """Hold the connection for several commands under one deadline. ``fresh`` does not mind the back-off."""
        doing = "waiting for its turn"
        try:
            async with asyncio.timeout(self.config.timeout if timeout_s is None else timeout_s), self._lock:
                if self._transport is not None and not self._transport.alive:
                    await self._drop()  # the router hung up while nothing was asked: no fault of this call
                if self._transport is None:
                    doing = "connecting"
                    self._transport = await self._open(fresh)
                doing = step
                logger.debug("%s: %s", self._name, step)
                try:
                    yield self._transport
                except REFUSALS:
                    raise
                except BaseException:
                    await self._drop()
                    raise
        except TimeoutError as error:
            fault = faults.timed_out(self.config, doing)
            if doing == "connecting":
                self._failed(fault)
            raise fault from error
        except MikroTikError as error:
            logger.debug("%s: %s: %s", self._name, error.code, error.message)
            raise

    async def _open(self, fresh: bool) -> Transport:
        wait = self._not_before - monotonic()
        if self._fault is not None and wait > 0 and not fresh:
            again = f"{self._fault.message} Not tried again for {wait:.1f} s."
            raise type(self._fault)(again, self._fault.hint)
        logger.debug("%s: connecting as %s", self._name, faults.shown(self.config.username))
        try:
            address = await resolve(self.config.host, self.config.service_port, self.config.guard)
            transport = await ways.connect(self.config, address)
        except MikroTikError as error:
            self._failed(error)
            raise
        self._failures, self._fault = 0, None
        logger.debug("%s: logged in at %s, shown as %s", self._name, address, transport.peer.proof)
        return transport

    def _failed(self, fault: MikroTikError) -> None:
        pause = min(_FIRST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S)
        self._failures += 1
        self._fault = fault
        self._not_before = monotonic() + pause * random.uniform(0.75, 1.25)

    async def _drop(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            logger.debug("%s: closing", self._name)
            await transport.close()


def _one(rows: Sequence[Row]) -> Row:
    return rows[0] if rows else {}


async def _if_known(transport: Transport, what: Read) -> list[Row]:
    """Read a menu that not every board, version and set of packages has."""
    try:
        return await transport.read(what)
    except MenuUnsupported:
        return []


async def _records(rows: Sequence[Row], parse: Callable[[Row], T]) -> tuple[T, ...]:
    if len(rows) > _MANY_ROWS:
        return await asyncio.to_thread(lambda: tuple(map(parse, rows)))
    return tuple(map(parse, rows))
