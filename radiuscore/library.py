"""The server as a library: the engine with a clock, handlers that are registered, and sockets when they are wanted."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.aaa.records import Nas
from radiuscore.aaa.requests import AccessRequest
from radiuscore.engine.answer_access import AccessHandler, Decision
from radiuscore.engine.engine import Engine
from radiuscore.engine.exchange import NotDurable
from radiuscore.engine.port import Outcome
from radiuscore.state.moment import Moment
from radiuscore.state.nastable import NasTable
from radiuscore.wire.codes import Code

if TYPE_CHECKING:
    from radiuscore.server.udp import UdpServer

Address: TypeAlias = tuple[str, int]
AccountingFunction: TypeAlias = Callable[[AccountingEvent], Any]


class RadiusServer:
    """A RADIUS server whose decisions are two functions of yours.

    ``nas`` are the routers that may ask. Without a function for a kind of request, such requests get no answer.
    ``auth`` and ``acct`` are the addresses to listen on; they matter only to ``async with``.
    """

    def __init__(
        self,
        nas: Iterable[Nas],
        auth: Address = ("0.0.0.0", 1812),
        acct: Address = ("0.0.0.0", 1813),
    ) -> None:
        numbered = (one if one.id else replace(one, id=number) for number, one in enumerate(nas, start=1))
        self._access: AccessHandler | None = None
        self._accounting: AccountingFunction | None = None
        self._addresses = (auth, acct)
        self._udp: UdpServer | None = None
        self.engine = Engine(NasTable(numbered), access=self._decide, accounting=self._record)

    def on_access(self, function: AccessHandler) -> AccessHandler:
        """Register the function that decides Access-Requests: plain (stays on the hot path) or async."""
        self._access = function
        return function

    def on_accounting(self, function: AccountingFunction) -> AccountingFunction:
        """Register the function that stores accounting: the NAS is acknowledged when it returns, not if it raises."""
        self._accounting = function
        return function

    def handle(self, datagram: bytes, source: Address, local: str | None = None, now: Moment | None = None) -> Outcome:
        """Return the reply to one datagram, a `Discard`, or an awaitable of either where a handler is async.

        Accounting-Requests go to the accounting port, all else to the authentication port.
        """
        port = self.engine.acct if datagram[:1] == bytes([Code.ACCOUNTING_REQUEST]) else self.engine.auth
        octets = source[1].to_bytes(2, "big") + ip_address(source[0]).packed
        asked = ip_address(local).packed if local is not None else b""
        return port.handle(datagram, octets, asked, now or read_clocks())

    async def __aenter__(self) -> RadiusServer:
        from radiuscore.server.udp import UdpServer

        self._udp = await UdpServer.open(self.engine, *self._addresses)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._udp is not None
        await self._udp.close()

    async def serve_forever(self) -> None:
        """Answer until cancelled. Requests are answered from the moment ``async with`` is entered."""
        assert self._udp is not None, "serve_forever belongs into `async with server:`"
        await self._udp.wait_closed()

    @property
    def addresses(self) -> tuple[Address, Address]:
        """The addresses it listens on (auth, acct), with the ports that were bound."""
        assert self._udp is not None, "the addresses are known inside `async with server:`"
        return self._udp.addresses

    def _decide(self, request: AccessRequest) -> Decision | Awaitable[Decision]:
        return self._access(request) if self._access is not None else None

    async def _record(self, event: AccountingEvent) -> None:
        if self._accounting is None:
            raise NotDurable
        result = self._accounting(event)
        if isinstance(result, Awaitable):
            await result


def read_clocks() -> Moment:
    """Return now on both clocks."""
    return Moment(time.monotonic(), time.time())
