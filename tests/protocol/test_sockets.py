"""What only sockets show: from where a reply comes, and that all of many are answered. Numbers: docs/protocol.md."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from radiuscore import Accept, AccountingEvent, Nas, RadiusServer
from radiuscore.wire.errors import Discard
from tests.protocol import oracle
from tests.protocol.asks import pap, report
from tests.protocol.bench import ONE
from tests.protocol.oracle import ACCESS_ACCEPT, ACCOUNTING_RESPONSE, read_reply, request

WILDCARD = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
DEADLINE_S = 10.0


class Server:
    """A library's server on all addresses of both families; ``durable`` lets accounting through."""

    def __init__(self) -> None:
        self.durable = asyncio.Event()
        self.durable.set()
        self.events: list[AccountingEvent] = []
        self.by_family = {family: self._server(host) for family, host in WILDCARD.items()}

    def _server(self, host: str) -> RadiusServer:
        server = RadiusServer([Nas(["127.0.0.1", "::1"], ONE)], auth=(host, 0), acct=(host, 0))
        server.on_access(lambda request: Accept() if request.proves("arctangent") else None)
        server.on_accounting(self._record)
        return server

    async def _record(self, event: AccountingEvent) -> None:
        self.events.append(event)
        await self.durable.wait()

    def ports(self, family: socket.AddressFamily) -> tuple[int, int]:
        auth, acct = self.by_family[family].addresses
        return auth[1], acct[1]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with made.by_family[socket.AF_INET], made.by_family[socket.AF_INET6]:
        yield made


def client(address: str, port: int) -> socket.socket:
    """Return a socket that hears only what comes from exactly this address and port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    sock.connect((address, port))
    sock.setblocking(False)
    return sock


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  # nothing announces it
            await asyncio.sleep(0.001)


async def exchange(sock: socket.socket, datagrams: list[bytes], heard: int | None = None) -> list[bytes]:
    """Send all, then return as many replies."""
    loop = asyncio.get_running_loop()
    for datagram in datagrams:
        await loop.sock_sendall(sock, datagram)
    async with asyncio.timeout(DEADLINE_S):
        return [await loop.sock_recv(sock, 65535) for _ in range(len(datagrams) if heard is None else heard)]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.5", "127.255.1.2", "::1"])
async def test_h9_the_reply_comes_from_the_address_and_port_that_were_asked(server: Server, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    auth, acct = server.ports(family)
    for port, ask, code in (
        (auth, pap(), ACCESS_ACCEPT),
        (auth, request(code=oracle.STATUS_SERVER, identifier=9, sign=ONE), ACCESS_ACCEPT),
        (acct, report(), ACCOUNTING_RESPONSE),
    ):
        with client(address, port) as sock:
            (reply,) = await exchange(sock, [ask])
            assert read_reply(reply, ask, ONE).code == code
    assert {event.local_address for event in server.events} == {address}


async def test_d7_256_identifiers_of_one_socket_are_all_answered(server: Server) -> None:
    asks = [pap(identifier=identifier) for identifier in range(256)]
    with client("127.0.0.1", server.ports(socket.AF_INET)[0]) as sock:
        replies = {reply[1]: reply for reply in await exchange(sock, asks)}
    assert len(replies) == 256
    for ask in asks:
        assert read_reply(replies[ask[1]], ask, ONE).code == ACCESS_ACCEPT


async def test_d7_256_reports_are_outstanding_at_once_and_all_acknowledged_when_they_are_kept(server: Server) -> None:
    server.durable.clear()
    asks = [report(identifier=identifier) for identifier in range(256)]
    with client("127.0.0.1", server.ports(socket.AF_INET)[1]) as sock:
        await exchange(sock, asks, heard=0)
        await until(lambda: len(server.events) == 256)
        await exchange(sock, asks, heard=0)  # every one again, while all are in flight
        discards = server.by_family[socket.AF_INET].engine.acct.counters.discards
        await until(lambda: discards[Discard.DUPLICATE_IN_FLIGHT] == 256)
        with pytest.raises(BlockingIOError):
            sock.recv(65535)
        server.durable.set()
        replies = {reply[1]: reply for reply in await exchange(sock, [], heard=256)}
    for ask in asks:
        assert read_reply(replies[ask[1]], ask, ONE).code == ACCOUNTING_RESPONSE
    assert len(server.events) == 256
