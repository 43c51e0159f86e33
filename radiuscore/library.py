"""The server as a library: the engine with a clock, handlers that are registered, and sockets when they are wanted."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar

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
OnAccess = TypeVar("OnAccess", bound=AccessHandler)
OnAccounting = TypeVar("OnAccounting", bound=AccountingFunction)


class RadiusServer:
    """A RADIUS server whose decisions are two functions of yours.

    ``nas`` are the routers that may ask; those without an ``id`` are numbered. Without a function for a kind of
    request, such requests get no answer. ``auth`` and ``acct`` are the addresses to listen on; they matter only to
    ``async with``. Raises `ValueError` for a router without a secret or with another's id.
    """

    def __init__(
        self,
        nas: Iterable[Nas],
        auth: Address = ("0.0.0.0", 1812),
        acct: Address = ("0.0.0.0", 1813),
    ) -> None:
        self.engine: Final = Engine(NasTable(_numbered(nas)), access=self._decide, accounting=self._record)
        self._access: AccessHandler | None = None
        self._accounting: AccountingFunction | None = None
        self._listen_on = (auth, acct)
        self._udp: UdpServer | None = None

    def on_access(self, function: OnAccess) -> OnAccess:
        """Register the function that decides Access-Requests: plain (stays on the hot path) or async.

        It gets an `AccessRequest` and returns `Accept`, `Reject`, or ``None`` to say nothing at all. What it raises is
        logged; the router hears nothing, and its next try is decided afresh.
        """
        self._access = function
        return function

    def on_accounting(self, function: OnAccounting) -> OnAccounting:
        """Register the function that stores what routers report, as `AccountingEvent`: plain or async.

        The router is acknowledged when it has returned. It hears nothing if the function raises: `NotDurable` says
        that there is nothing wrong but the disk or the database, anything else is logged.
        """
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

    async def __aenter__(self) -> Self:
        """Open the sockets. Raises `OSError`, which names the address that cannot be had."""
        from radiuscore.server.udp import UdpServer

        if self._udp is not None:
            raise RuntimeError("this server is running already")
        self._udp = await UdpServer.open(self.engine, *self._listen_on)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Finish what is being answered, for at most 5 s, and close the sockets."""
        udp, self._udp = self._sockets, None
        await udp.close()

    async def serve_forever(self) -> None:
        """Answer until cancelled. Requests are answered from the moment ``async with`` is entered."""
        await self._sockets.wait_closed()

    @property
    def running(self) -> bool:
        """Whether its sockets are open."""
        return self._udp is not None

    @property
    def addresses(self) -> tuple[Address, Address]:
        """The addresses it listens on (auth, acct), with the ports that were bound."""
        return self._sockets.addresses

    @property
    def _sockets(self) -> UdpServer:
        if self._udp is None:
            raise RuntimeError("this needs open sockets: do it inside `async with server:`")
        return self._udp

    def _decide(self, request: AccessRequest) -> Decision | Awaitable[Decision]:
        return self._access(request) if self._access is not None else None

    async def _record(self, event: AccountingEvent) -> None:
        if self._accounting is None:
            raise NotDurable
        result = self._accounting(event)
        if isinstance(result, Awaitable):
            await result


def _numbered(given: Iterable[Nas]) -> list[Nas]:
    """Return the routers, each with an id of its own within its ISP."""
    nases = list(given)
    if unarmed := [nas for nas in nases if not nas.secret]:
        raise ValueError(f"the router at {', '.join(map(str, unarmed[0].networks))} has no secret")
    keys = [(nas.isp_id, nas.id) for nas in nases if nas.id]
    if len(set(keys)) < len(keys):
        raise ValueError("two routers of one ISP have the same id")
    taken = {number for _, number in keys}
    free = (number for number in count(1) if number not in taken)
    return [nas if nas.id else replace(nas, id=next(free)) for nas in nases]


def read_clocks() -> Moment:
    """Return now on both clocks."""
    return Moment(time.monotonic(), time.time())
