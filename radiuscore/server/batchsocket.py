"""UDP in batches: up to 64 datagrams per system call, each with the address it was sent to, no compiler needed.

recvmmsg and sendmmsg are called through ctypes on buffers that are wired up once; per datagram only the octets are
copied. A reply leaves from the address that was asked: a wildcard socket would otherwise pick any of the machine's.
"""

import ctypes
import errno
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Final

from radiuscore.server.packetinfo import (
    BATCH,
    IP_PKTINFO,
    PKTINFO4,
    PKTINFO6,
    SLOT,
    Datagram,
    DatagramSocket,
    ask_for_local_address,
    kernel_drops,
    scope_of,
)
from radiuscore.server.plainsocket import PlainSocket

_AGAIN: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR})
_FULL: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM})
_PEER6: Final = struct.Struct("=2s4x16sI")  # sockaddr_in6 after the family: port, flow label, address, scope

_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def datagram_socket(sock: socket.socket) -> DatagramSocket:
    """Take over a bound UDP socket: in batches where the platform can do that, else one datagram at a time."""
    ask_for_local_address(sock)
    sock.setblocking(False)
    if not hasattr(_LIBC, "recvmmsg") or not hasattr(_LIBC, "sendmmsg"):
        return PlainSocket(sock)
    return BatchSocket6(sock) if sock.family == socket.AF_INET6 else BatchSocket4(sock)


class _IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class _MsgHdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _MMsgHdr(ctypes.Structure):
    _fields_ = [("hdr", _MsgHdr), ("len", ctypes.c_uint32)]


_HEADER: Final = ctypes.sizeof(_MMsgHdr)


class _Ring:
    """`BATCH` fixed slots that the kernel reads from or writes to, wired up once.

    The control buffer has exactly the room of one packet-info record, so the lengths that recvmmsg writes back are
    those it was given, and nothing has to be set again before the next call. The kernel holds plain addresses: the
    buffers are pinned by a view each, so that Python refuses to move them.
    """

    def __init__(self, name_size: int, info_size: int) -> None:
        self.control_step = socket.CMSG_SPACE(info_size)
        self.data = bytearray(BATCH * SLOT)
        self.names = bytearray(BATCH * name_size)
        self.controls = bytearray(BATCH * self.control_step)
        self._pinned = [memoryview(buffer) for buffer in (self.data, self.names, self.controls)]
        self.iov = (_IoVec * BATCH)()
        self.headers = (_MMsgHdr * BATCH)()
        data = ctypes.addressof(ctypes.c_char.from_buffer(self.data))
        names = ctypes.addressof(ctypes.c_char.from_buffer(self.names))
        controls = ctypes.addressof(ctypes.c_char.from_buffer(self.controls))
        iov = ctypes.addressof(self.iov)
        for i in range(BATCH):
            self.iov[i].base, self.iov[i].len = data + i * SLOT, SLOT
            header = self.headers[i].hdr
            header.name, header.namelen = names + i * name_size, name_size
            header.iov, header.iovlen = iov + i * ctypes.sizeof(_IoVec), 1
            header.control, header.controllen = controls + i * self.control_step, self.control_step
        self.address = ctypes.addressof(self.headers)

    def received_lengths(self) -> memoryview:
        """Return a view of the `BATCH` lengths recvmmsg writes (through a memoryview: a ctypes attribute is slower)."""
        word = ctypes.sizeof(ctypes.c_uint32)
        return memoryview(self.headers).cast("B").cast("I")[_MMsgHdr.len.offset // word :: _HEADER // word]

    def lengths_to_send(self) -> memoryview:
        """Return a view of the `BATCH` lengths sendmmsg reads (on Linux size_t is unsigned long)."""
        return memoryview(self.iov).cast("B").cast("L")[1::2]

    def fields(self, buffer: bytearray, step: int, start: int, size: int) -> list[memoryview]:
        """Return one view per slot of ``size`` octets at ``start``; reading it is one call without a slice."""
        view = memoryview(buffer)
        return [view[i * step + start : i * step + start + size] for i in range(BATCH)]


class _BatchSocket:
    """What both families share: the two system calls and what their errors mean."""

    def __init__(self, sock: socket.socket, name_size: int, level: int, kind: int, info_size: int) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._in = _Ring(name_size, info_size)
        self._out = _Ring(name_size, info_size)
        self._in_slots = self._in.fields(self._in.data, SLOT, 0, SLOT)
        self._in_lengths = self._in.received_lengths()
        self._out_lengths = self._out.lengths_to_send()
        self._recvmmsg = getattr(_LIBC, "recvmmsg")  # noqa: B009  # not there on every platform
        self._sendmmsg = getattr(_LIBC, "sendmmsg")  # noqa: B009
        self._in_address = ctypes.c_void_p(self._in.address)
        for i in range(BATCH):
            struct.pack_into("=H", self._out.names, i * name_size, sock.family)
            head = struct.pack("@Nii", socket.CMSG_LEN(info_size), level, kind)
            at = i * self._out.control_step
            self._out.controls[at : at + len(head)] = head

    def fileno(self) -> int:
        return self._fd

    def kernel_drops(self) -> int:
        return kernel_drops(self._sock)

    def close(self) -> None:
        self._sock.close()

    def _receive(self) -> list[int]:
        """Fill the slots; return the length of each datagram."""
        count = self._recvmmsg(self._fd, self._in_address, BATCH, socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            if number not in _AGAIN:
                raise OSError(number, "recvmmsg failed")
            return []
        return self._in_lengths[:count].tolist()

    def _send(self, count: int) -> int:
        """Send the first ``count`` slots; return how many the kernel did not take."""
        sent = refused = 0
        while sent < count:
            address = ctypes.c_void_p(self._out.address + sent * _HEADER)
            done = self._sendmmsg(self._fd, address, count - sent, socket.MSG_DONTWAIT)
            if done > 0:
                sent += done
                continue
            number = ctypes.get_errno()
            if number in _FULL:
                return refused + count - sent
            if number != errno.EINTR:  # this one destination cannot be reached; the others can
                refused += 1
                sent += 1
        return refused


class BatchSocket4(_BatchSocket):
    """A `DatagramSocket` for IPv4: sockaddr_in and in_pktinfo."""

    def __init__(self, sock: socket.socket) -> None:
        if IP_PKTINFO is None:
            raise OSError(errno.ENOPROTOOPT, "IP_PKTINFO is missing")
        super().__init__(sock, 16, socket.IPPROTO_IP, IP_PKTINFO, PKTINFO4.size)
        self._local_at = socket.CMSG_LEN(0) + 4
        self._peers = self._in.fields(self._in.names, 16, 2, 6)
        self._locals = self._in.fields(self._in.controls, self._in.control_step, self._local_at, 4)

    def receive(self) -> list[Datagram]:
        return [
            (slot[:length].tobytes(), peer.tobytes(), local.tobytes(), 0)
            for slot, peer, local, length in zip(
                self._in_slots, self._peers, self._locals, self._receive(), strict=False
            )
        ]

    def send(self, replies: Sequence[Datagram]) -> int:
        data, names, controls, lengths = self._out.data, self._out.names, self._out.controls, self._out_lengths
        step, local_at = self._out.control_step, self._local_at
        refused = 0
        for start in range(0, len(replies), BATCH):
            batch = replies[start : start + BATCH]
            for i, (octets, source, local, _) in enumerate(batch):
                length = len(octets)
                lengths[i] = length
                at = i * SLOT
                data[at : at + length] = octets
                at = i * 16 + 2
                names[at : at + 6] = source
                at = i * step + local_at
                controls[at : at + 4] = local
            refused += self._send(len(batch))
        return refused


class BatchSocket6(_BatchSocket):
    """A `DatagramSocket` for IPv6: sockaddr_in6 and in6_pktinfo."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, 28, socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, PKTINFO6.size)
        info = socket.CMSG_LEN(0)
        self._ports = self._in.fields(self._in.names, 28, 2, 2)
        self._addresses = self._in.fields(self._in.names, 28, 8, 16)
        self._locals = self._in.fields(self._in.controls, self._in.control_step, info, 16)
        self._interfaces = memoryview(self._in.controls).cast("I")[(info + 16) // 4 :: self._in.control_step // 4]
        self._out_peers = self._out.fields(self._out.names, 28, 2, 26)
        self._out_infos = self._out.fields(self._out.controls, self._out.control_step, info, PKTINFO6.size)

    def receive(self) -> list[Datagram]:
        arrived: list[Datagram] = []
        for i, length in enumerate(self._receive()):
            source = self._ports[i].tobytes() + self._addresses[i].tobytes()
            local = self._locals[i].tobytes()
            scope = scope_of(source, local, self._interfaces[i])
            arrived.append((self._in_slots[i][:length].tobytes(), source, local, scope))
        return arrived

    def send(self, replies: Sequence[Datagram]) -> int:
        data, lengths = self._out.data, self._out_lengths
        refused = 0
        for start in range(0, len(replies), BATCH):
            batch = replies[start : start + BATCH]
            for i, (octets, source, local, scope) in enumerate(batch):
                length = len(octets)
                lengths[i] = length
                at = i * SLOT
                data[at : at + length] = octets
                _PEER6.pack_into(self._out_peers[i], 0, source[:2], source[2:], scope)
                PKTINFO6.pack_into(self._out_infos[i], 0, local, scope)
            refused += self._send(len(batch))
        return refused
