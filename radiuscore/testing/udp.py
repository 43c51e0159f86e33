"""One UDP socket and the task that reads it: every datagram goes to a function, and what that returns goes back."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

import asyncio_dgram

Address: TypeAlias = tuple[str, int]
"""An address in its shortest form, and a port."""
OnDatagram: TypeAlias = Callable[[bytes, Address], bytes | None]

_RECEIVE_BUFFER: Final = 1 << 20  # octets, if the system's limit allows; replies to 256 requests come at once
_log: Final = logging.getLogger(__name__)


class UdpSocket:
    """A bound socket. A function that raises is logged with its traceback, and the next datagram is read."""

    def __init__(self, on_datagram: OnDatagram) -> None:
        self._on_datagram = on_datagram

    async def open(self, source: Address) -> None:
        """Bind and begin to read. Raises `OSError`."""
        self._stream = await asyncio_dgram.bind(source)
        self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._reader = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Close the socket. Safe to call on a loop that is about to end."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        self._stream.close()

    @property
    def address(self) -> Address:
        """Where it is bound, with the port that was given out."""
        return plain_address(self._stream.sockname)

    async def send(self, datagram: bytes, peer: Address) -> None:
        try:
            await self._stream.send(datagram, peer)
        except OSError as error:  # of this datagram or an earlier one: to the peer it is lost like any other
            _log.debug("could not send to %s port %s: %s", *peer, error)

    async def _read(self) -> None:
        while True:
            try:
                datagram, peer = await self._stream.recv()
            except asyncio_dgram.TransportClosed:
                return
            except OSError:  # an ICMP error; whoever waits for a reply will miss it
                continue
            try:
                reply = self._on_datagram(datagram, plain_address(peer))
            except Exception:  # noqa: BLE001  # this loop owns the datagram: the next one must be read
                _log.exception("a datagram could not be handled")
                continue
            if reply is not None:
                await self.send(reply, plain_address(peer))


def plain_address(address: Any) -> Address:
    """Return a socket's address as text in its shortest form, without a zone, and a port."""
    host, port = address[:2]
    return str(ip_address(host.partition("%")[0])), port
