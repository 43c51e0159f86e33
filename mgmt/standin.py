"""The server's own engine on a socket of this process, for asking as a router whose address is not ours.

The same configuration, the same decision and the same octets as the running server's, only that the packet's source is
given instead of read. Nothing is stored and nothing is logged.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from time import monotonic, time
from typing import Any, cast

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.changes import Snapshot
from radiuscore.engine.engine import Engine
from radiuscore.engine.policy_replica import Login, ReplicaPolicy
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.wire.errors import Discard


class StandIn(asyncio.DatagramProtocol):
    """Answers what it is sent as if it came from ``source``. ``reason`` is why the last request was refused."""

    def __init__(self, snapshot: Snapshot, source: str) -> None:
        replica = Replica()
        replica.load(snapshot)
        policy = ReplicaPolicy(replica, self._note, _refuse_to_record)
        self._port = Engine(NasTable(snapshot.nases), access=policy.access, accounting=policy.accounting).auth
        self._source = ip_address(source).packed
        self._transport: asyncio.DatagramTransport | None = None
        self.reason = ""

    @property
    def address(self) -> tuple[str, int]:
        """Where to ask."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own is not a subclass of it

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        source = addr[1].to_bytes(2, "big") + self._source
        outcome = self._port.handle(data, source, b"", Moment(monotonic(), time()))
        if isinstance(outcome, bytes):
            assert self._transport is not None
            self._transport.sendto(outcome, addr)
        elif isinstance(outcome, Discard):
            self.reason = outcome.value

    def _note(self, login: Login) -> None:
        self.reason = login.reason


@asynccontextmanager
async def stand_in(snapshot: Snapshot, source: str) -> AsyncIterator[StandIn]:
    """Give a stand-in that listens on the loopback interface."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: StandIn(snapshot, source), ("127.0.0.1", 0)
    )
    try:
        yield protocol
    finally:
        transport.close()


def _refuse_to_record(event: AccountingEvent) -> asyncio.Future[None]:
    raise RuntimeError("a stand-in takes no accounting")
