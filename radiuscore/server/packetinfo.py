"""What a UDP socket tells of a datagram beside its octets, and how to ask for it: the address it was sent to.

Addresses are octets. A `Datagram` is (octets, source, local, scope): ``source`` is 2 octets of port and 4 or 16 of
address, ``local`` the packed address that was asked (empty where the platform does not say), ``scope`` the interface
index where a link-local IPv6 address needs one, else 0. A reply is the same tuple with other octets.
"""

import socket
import struct
import sys
from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

BATCH: Final = 64  # datagrams per call; bounded, so that timers and the database connection are not starved
SLOT: Final = 4096  # the largest RADIUS packet (RFC 2865 §3); octets beyond it are padding or make the packet invalid

Datagram: TypeAlias = tuple[bytes, bytes, bytes, int]

IP_PKTINFO: Final[int | None] = getattr(socket, "IP_PKTINFO", 8 if sys.platform == "linux" else None)
PKTINFO4: Final = struct.Struct("I4s4s")  # in_pktinfo: interface, our address, the datagram's destination
PKTINFO6: Final = struct.Struct("16sI")  # in6_pktinfo: our address, interface

_LINK_LOCAL: Final = b"\xfe"  # first octet of fe80::/10
_SO_MEMINFO: Final = 55  # Linux 4.12; its last word is what SO_RXQ_OVFL would attach to every datagram
_MEMINFO: Final = struct.Struct("9I")


class DatagramSocket(Protocol):
    """One non-blocking UDP socket that is read and written in batches."""

    def fileno(self) -> int:
        """Return the file descriptor, for the event loop."""
        ...

    def receive(self) -> list[Datagram]:
        """Return up to `BATCH` datagrams, each cut to `SLOT` octets; empty when there is nothing to read.

        Raises OSError when the socket itself is broken.
        """
        ...

    def send(self, replies: Sequence[Datagram]) -> int:
        """Hand every reply to the kernel; return how many it did not take.

        Those are gone: a full socket buffer means that thousands wait there already, and a NAS that misses a reply
        asks again and gets the same octets from the duplicate table. A queue here would only make replies later.
        """
        ...

    def kernel_drops(self) -> int:
        """Return how many datagrams the kernel has dropped in the socket's life because nobody read them in time."""
        ...

    def close(self) -> None:
        """Close this process's descriptor; a socket that another process holds as well lives on there."""
        ...


def ask_for_local_address(sock: socket.socket) -> None:
    """Have the kernel say of each datagram which of the machine's addresses it was sent to."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    elif IP_PKTINFO is not None:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def kernel_drops(sock: socket.socket) -> int:
    """Return the socket's count of dropped datagrams, 0 where the platform does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        return int(_MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[8])
    except (OSError, struct.error):
        return 0


def scope_of(source: bytes, local: bytes, interface: int) -> int:
    """Return the interface where an IPv6 address means nothing without it; elsewhere 0, and routing decides."""
    return interface if source[2:3] == _LINK_LOCAL or local[:1] == _LINK_LOCAL else 0
