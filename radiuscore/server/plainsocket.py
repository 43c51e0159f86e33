"""UDP one datagram at a time, for platforms whose libc lacks recvmmsg; the interface is that of batches."""

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from radiuscore.server.packetinfo import BATCH, IP_PKTINFO, PKTINFO4, PKTINFO6, SLOT, Datagram, kernel_drops, scope_of

Ancillary: TypeAlias = tuple[int, int, bytes]

_ROOM: Final = socket.CMSG_SPACE(PKTINFO6.size) + socket.CMSG_SPACE(PKTINFO4.size)
_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM})


class PlainSocket:
    """A `DatagramSocket` over recvmsg and sendmsg. The address asked is known where there is IP_PKTINFO."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._six = sock.family == socket.AF_INET6

    def fileno(self) -> int:
        return self._sock.fileno()

    def kernel_drops(self) -> int:
        return kernel_drops(self._sock)

    def close(self) -> None:
        self._sock.close()

    def receive(self) -> list[Datagram]:
        arrived: list[Datagram] = []
        while len(arrived) < BATCH:
            try:
                octets, control, _, address = self._sock.recvmsg(SLOT, _ROOM)
            except (BlockingIOError, InterruptedError):
                break
            port = address[1].to_bytes(2, "big")
            if self._six:
                local, interface = _local6(control)
                source = port + socket.inet_pton(socket.AF_INET6, address[0].partition("%")[0])
                arrived.append((octets, source, local, scope_of(source, local, interface)))
            else:
                arrived.append((octets, port + socket.inet_aton(address[0]), _local4(control), 0))
        return arrived

    def send(self, replies: Sequence[Datagram]) -> int:
        refused = 0
        for sent, (octets, source, local, scope) in enumerate(replies):
            port = int.from_bytes(source[:2], "big")
            address: tuple[Any, ...]
            if self._six:
                address = socket.inet_ntop(socket.AF_INET6, source[2:]), port, 0, scope
                control = _from6(local, scope)
            else:
                address = socket.inet_ntoa(source[2:]), port
                control = _from4(local)
            try:
                self._sock.sendmsg([octets], control, 0, address)
            except OSError as error:
                if error.errno in _FULL:
                    return refused + len(replies) - sent
                refused += 1  # this one destination cannot be reached; the others can
        return refused


def _from4(local: bytes) -> list[Ancillary]:
    """Return what makes a reply leave from our address ``local``; nothing where that is not known."""
    if not local or IP_PKTINFO is None:
        return []
    return [(socket.IPPROTO_IP, IP_PKTINFO, PKTINFO4.pack(0, local, bytes(4)))]


def _from6(local: bytes, scope: int) -> list[Ancillary]:
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, PKTINFO6.pack(local, scope))] if local else []


def _local4(control: list[Ancillary]) -> bytes:
    for level, kind, value in control:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO and len(value) >= PKTINFO4.size:
            ours: bytes = PKTINFO4.unpack_from(value)[1]
            return ours
    return b""


def _local6(control: list[Ancillary]) -> tuple[bytes, int]:
    for level, kind, value in control:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(value) >= PKTINFO6.size:
            ours, interface = PKTINFO6.unpack_from(value)
            return ours, interface
    return b"", 0
