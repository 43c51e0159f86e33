"""What the demo's router does, and what must have come of it: each packet shown as the server traced it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from http.client import HTTPConnection
from time import time
from typing import Any, Final, TypeAlias
from uuid import UUID

from mgmt.database import Database
from mgmt.demoisp import ROUTER, DemoIsp
from mgmt.faults import Fault
from mgmt.health import Readiness
from mgmt.serve import run_dir
from mgmt.terminal import say
from mgmt.trace import describe_event, traced
from radiuscore.settings import Settings
from radiuscore.store.pool import SYSTEM_ROLE
from radiuscore.store.session_queries import Session, find_session
from radiuscore.testing import FakeNas, FakeSession, Login, NoReply
from radiuscore.wire.codes import Code
from radiuscore.wire.rfc import CLASS

Packets: TypeAlias = "asyncio.Queue[Mapping[str, Any]]"

FIRST_INPUT: Final = 5_000_000_001  # beyond 32 bits, so that Gigawords must be right
FIRST_OUTPUT: Final = 9_000_000_000
LAST_INPUT: Final = 5_100_000_007
LAST_OUTPUT: Final = 9_200_000_011
SHOWN_WITHIN_S: Final = 5.0
MANAGED_WITHIN_S: Final = 30.0
SILENT_S: Final = 1.0
KNOCK: Final = "Status-Server"
KNOCK_EVERY_S: Final = 0.2
_POLL_S: Final = 0.1
_ID_RANGE: Final = 1 << 20  # Acct-Session-Ids of one run must not be those of the last


class Cycle:
    """One run of the demo's router. ``good`` stays true while everything is as it must be."""

    def __init__(self, database: Database, isp: DemoIsp, packets: Packets) -> None:
        self.good = True
        self._database = database
        self._isp = isp
        self._packets = packets
        self._shown: set[str] = set()

    async def run(self, router: FakeNas, stranger: FakeNas) -> None:
        """Log in, report a session, then knock with a wrong password and with a wrong secret."""
        isp = self._isp
        login = await router.login(isp.username, isp.password)
        await self._show(f"{isp.username} logs in with the right password")
        self._verify(login.accepted, "the login was accepted")
        if login.session is not None:
            await self._account(login, login.session)
        wrong = await router.login(isp.username, "not " + isp.password)
        await self._show(f"{isp.username} logs in with a wrong password")
        self._verify(wrong.packet.code == Code.ACCESS_REJECT, "the wrong password was rejected")
        silent = await _is_silent(stranger, isp)
        await self._show("a router with a wrong RADIUS secret asks")
        self._verify(silent, "the wrong secret got no answer")

    async def _account(self, login: Login, session: FakeSession) -> None:
        class_ = CLASS.first(login.packet)
        self._verify(class_ is not None and len(class_) == 16, "the answer carries the session's id as Class")
        session_id = UUID(bytes=class_ or bytes(16))
        await session.start()
        await self._show("the router reports Start")
        await session.interim(input_octets=FIRST_INPUT, output_octets=FIRST_OUTPUT)
        await self._show("the router reports an Interim-Update of more than 4 GiB")
        stored = await self._find(session_id)
        octets = (stored.state, stored.input_octets, stored.output_octets) if stored else None
        self._verify(octets == ("open", FIRST_INPUT, FIRST_OUTPUT), "the open session is stored, to the octet")
        await session.stop(input_octets=LAST_INPUT, output_octets=LAST_OUTPUT)
        await self._show("the router reports Stop")
        stored = await self._find(session_id)
        octets = (stored.state, stored.input_octets, stored.output_octets) if stored else None
        self._verify(octets == ("closed", LAST_INPUT, LAST_OUTPUT), "the closed session is stored, to the octet")
        if stored is not None:
            say(_row(stored))

    async def _find(self, session_id: UUID) -> Session | None:
        async with self._database.server.connect("accounting", role=SYSTEM_ROLE) as db:
            return await find_session(db, self._isp.isp_id, session_id)

    async def _show(self, what: str) -> None:
        say(f"\n== {what}")
        try:
            async with asyncio.timeout(SHOWN_WITHIN_S):
                say(describe_event(await self._next_packet()))
        except TimeoutError:
            say("  (its trace did not arrive in time)")

    async def _next_packet(self) -> Mapping[str, Any]:
        """Wait for a packet that is neither a retransmission of one shown nor a late knock."""
        while True:
            packet = await self._packets.get()
            request = packet.get("request", KNOCK)
            if request not in self._shown and not request.startswith(KNOCK):
                self._shown.add(request)
                return packet

    def _verify(self, good: bool, what: str) -> None:
        self.good = self.good and good
        say(f"{'ok' if good else 'FAILED'}: {what}")


async def run_cycle(settings: Settings, database: Database, isp: DemoIsp) -> bool:
    """Show one login and one accounting cycle of the running server; return whether all was as it must be."""
    auth, acct = (ROUTER, settings.radius_auth_port), (ROUTER, settings.radius_acct_port)
    async with (
        FakeNas(
            isp.radius_secret, auth=auth, acct=acct, source=ROUTER, sessions_before=int(time()) % _ID_RANGE
        ) as router,
        FakeNas("not " + isp.radius_secret, auth=auth, source=ROUTER, tries=1, timeout_s=SILENT_S) as stranger,
    ):
        await _wait_for_management(settings)
        async with _traced_packets(settings, router) as packets:
            cycle = Cycle(database, isp, packets)
            try:
                await cycle.run(router, stranger)
            except NoReply as error:
                say(f"FAILED: {error}")
                return False
    return cycle.good


async def _is_silent(stranger: FakeNas, isp: DemoIsp) -> bool:
    try:
        await stranger.login(isp.username, isp.password)
    except NoReply as error:
        return not error.ignored
    return False


async def _wait_for_management(settings: Settings) -> None:
    """Wait until the management process has heard of every worker. Raises `Fault`."""
    try:
        async with asyncio.timeout(MANAGED_WITHIN_S):
            while True:
                if await asyncio.to_thread(_is_ready, str(settings.api_host), settings.api_port):
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise Fault("The management process does not answer: its log lines above say why.") from None


def _is_ready(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=MANAGED_WITHIN_S)
    try:
        connection.request("GET", "/readyz")
        return bool(json.load(connection.getresponse())["status"] == Readiness.READY)
    except OSError:
        return False
    finally:
        connection.close()


@asynccontextmanager
async def _traced_packets(settings: Settings, router: FakeNas) -> AsyncIterator[Packets]:
    """Give the router's packets as the server traces them, from the next one on."""
    packets: Packets = asyncio.Queue()

    async def pump() -> None:
        async with aclosing(traced(run_dir(settings), ROUTER, None)) as events:
            async for event in events:
                packets.put_nowait(event)

    pumping = asyncio.create_task(pump())
    try:
        try:
            async with asyncio.timeout(MANAGED_WITHIN_S):
                await _knock_until_traced(packets, "auth", router.status)
                await _knock_until_traced(packets, "acct", partial(router.status, acct=True))
        except TimeoutError:
            raise Fault("The server does not trace its packets: its log lines above say why.") from None
        yield packets
    finally:
        pumping.cancel()
        await asyncio.wait([pumping])


async def _knock_until_traced(packets: Packets, port: str, knock: Callable[[], Awaitable[object]]) -> None:
    """Ask a port with Status-Server until that is traced: only then has its worker been told to trace."""
    while True:
        await knock()
        try:
            async with asyncio.timeout(KNOCK_EVERY_S):
                while True:
                    if (await packets.get()).get("server") == port:
                        return
        except TimeoutError:
            continue


def _row(session: Session) -> str:
    """Return a stored session as lines for a person."""
    shown = ("id", "username", "state", "session_time", "input_octets", "output_octets", "framed_ip_address")
    return "\n".join(["accounting.sessions:", *(f"    {name} = {getattr(session, name)}" for name in shown)])
