"""The sockets of a library's own server: one for each port of an engine, in the caller's process and event loop."""

import asyncio
import contextlib
import socket
from functools import partial
from typing import Final, Self, TypeAlias

from radiuscore.engine.engine import Engine
from radiuscore.server.batchsocket import datagram_socket
from radiuscore.server.discardlog import DiscardLog, device_at
from radiuscore.server.listener import Listener

Address: TypeAlias = tuple[str, int]

RECEIVE_BUFFER: Final = 8 << 20  # octets, if the system's limit allows: a reconnect storm waits in the kernel
DRAIN_S: Final = 5.0  # longer than any router waits for a reply


class UdpServer:
    """Answers datagrams from the moment `open` returns until `close`."""

    def __init__(self, auth: Listener, acct: Listener, addresses: tuple[Address, Address]) -> None:
        self.addresses: Final = addresses
        self._listeners: Final = (auth, acct)
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, engine: Engine, auth: Address, acct: Address) -> Self:
        """Bind an engine's two ports; port 0 is any free one, and an IPv6 address takes no IPv4.

        Raises `OSError`, which names the address, and leaves nothing open then.
        """
        note = DiscardLog(partial(device_at, engine.nases)).note
        with contextlib.ExitStack() as opened:
            sockets = [opened.enter_context(_bind(address)) for address in (auth, acct)]
            addresses = [(str(name[0]), int(name[1])) for name in (sock.getsockname() for sock in sockets)]
            listeners = [
                Listener(datagram_socket(sock), port, note)
                for sock, port in zip(sockets, (engine.auth, engine.acct), strict=True)
            ]
            opened.pop_all()
        for listener in listeners:
            listener.start()
        return cls(listeners[0], listeners[1], (addresses[0], addresses[1]))

    async def wait_closed(self) -> None:
        """Wait until `close` is called. Raises `OSError` if a socket breaks before."""
        broken = {listener.broken for listener in self._listeners}
        await asyncio.wait({self._closed, *broken}, return_when=asyncio.FIRST_COMPLETED)
        for future in broken:
            if future.done():
                future.result()

    async def close(self) -> None:
        """Stop reading, let handlers that are at work finish for at most 5 s, and close. Safe to call again."""
        if self._closed.done():
            return
        self._closed.set_result(None)
        for listener in self._listeners:
            listener.stop_reading()
        try:
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*(listener.drained() for listener in self._listeners))
        except TimeoutError:
            pass
        finally:
            for listener in self._listeners:
                listener.close()


def _bind(address: Address) -> socket.socket:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on UDP {host} port {port}: {error.strerror}") from error
    return sock
