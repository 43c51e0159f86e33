"""Both ways to read and write UDP, in batches and one by one: every test runs on both, over real sockets."""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

from radiuscore.server.batchsocket import BatchSocket4, BatchSocket6, datagram_socket
from radiuscore.server.packetinfo import BATCH, SLOT, DatagramSocket, ask_for_local_address
from radiuscore.server.plainsocket import PlainSocket

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
WILDCARD = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
FAMILIES = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])

Open = Callable[[int], tuple[DatagramSocket, int]]


@pytest.fixture(params=["batches", "one by one"])
def wildcard(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open a server socket on all addresses of a family; give it and its port."""
    opened: list[DatagramSocket] = []

    def open_one(family: int) -> tuple[DatagramSocket, int]:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind((WILDCARD[socket.AddressFamily(family)], 0))
        except OSError as error:
            sock.close()
            pytest.skip(f"no such family here: {error}")
        if request.param == "batches":
            server = datagram_socket(sock)
            assert isinstance(server, BatchSocket4 | BatchSocket6)
        else:
            ask_for_local_address(sock)
            sock.setblocking(False)
            server = PlainSocket(sock)
        opened.append(server)
        port: int = sock.getsockname()[1]
        return server, port

    yield open_one
    for server in opened:
        server.close()


def client(family: int, address: str, port: int, scope: int = 0) -> socket.socket:
    """Return a socket that hears only replies from exactly this address."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.connect((address, port) if family == socket.AF_INET else (address, port, 0, scope))
    return sock


def echo(server: DatagramSocket) -> None:
    replies = [(octets.upper(), source, local, scope) for octets, source, local, scope in server.receive()]
    assert server.send(replies) == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.5", "127.200.3.4"])
def test_a_reply_leaves_from_the_ipv4_address_that_was_asked(wildcard: Open, address: str) -> None:
    server, port = wildcard(socket.AF_INET)
    with client(socket.AF_INET, address, port) as asker:
        asker.send(b"who")
        ((octets, source, local, scope),) = server.receive()
        host, source_port = asker.getsockname()
        assert (octets, local, scope) == (b"who", socket.inet_aton(address), 0)
        assert source == struct.pack("!H4s", source_port, socket.inet_aton(host))
        server.send([(b"me", source, local, scope)])
        assert asker.recv(100) == b"me"


def addresses_of_this_machine() -> list[tuple[str, int]]:
    """Return its IPv6 addresses, each with the interface a link-local one needs."""
    table = Path("/proc/net/if_inet6")
    rows = [line.split() for line in table.read_text().splitlines()] if table.exists() else []
    found = [(IPv6Address(bytes.fromhex(row[0])), int(row[1], 16)) for row in rows]
    return [(str(address), index if address.is_link_local else 0) for address, index in found]


def test_a_reply_leaves_from_the_ipv6_address_that_was_asked(wildcard: Open) -> None:
    addresses = addresses_of_this_machine()
    if not addresses:
        pytest.skip("this machine has no IPv6")
    server, port = wildcard(socket.AF_INET6)
    for address, interface in addresses:
        with client(socket.AF_INET6, address, port, interface) as asker:
            asker.send(b"who")
            ((octets, source, local, scope),) = server.receive()
            host, source_port, _, _ = asker.getsockname()
            assert (octets, local, scope) == (b"who", socket.inet_pton(socket.AF_INET6, address), interface)
            assert source == struct.pack("!H", source_port) + IPv6Address(host.partition("%")[0]).packed
            server.send([(b"me", source, local, scope)])
            assert asker.recv(100) == b"me"


@FAMILIES
def test_reads_at_most_a_batch_in_the_order_of_arrival(wildcard: Open, family: int) -> None:
    server, port = wildcard(family)
    with client(family, LOOPBACK[socket.AddressFamily(family)], port) as asker:
        for number in range(BATCH + 3):
            asker.send(b"%d" % number)
        first, second, third = server.receive(), server.receive(), server.receive()
    assert [octets for octets, *_ in first] == [b"%d" % number for number in range(BATCH)]
    assert [octets for octets, *_ in second] == [b"%d" % number for number in range(BATCH, BATCH + 3)]
    assert third == []


@FAMILIES
def test_datagrams_of_any_length_keep_their_octets(wildcard: Open, family: int) -> None:
    """An empty datagram is not the end of the queue, and a slot does not show what it held before."""
    server, port = wildcard(family)
    sent = [b"x" * SLOT, b"", b"y" * 20, b"z" * (SLOT + 904), b"w"]
    with client(family, LOOPBACK[socket.AddressFamily(family)], port) as asker:
        for octets in sent:
            asker.send(octets)
        arrived = [octets for octets, *_ in server.receive()]
        asker.send(b"again")
        arrived += [octets for octets, *_ in server.receive()]
    assert arrived == [octets[:SLOT] for octets in sent] + [b"again"]


@FAMILIES
def test_sends_more_than_a_batch_each_to_its_own_asker(wildcard: Open, family: int) -> None:
    server, port = wildcard(family)
    address = LOOPBACK[socket.AddressFamily(family)]
    askers = [client(family, address, port) for _ in range(BATCH + 5)]
    try:
        for number, asker in enumerate(askers):
            asker.send(b"asker %d" % number)
        arrived = server.receive() + server.receive()
        assert server.send([(o.upper(), *rest) for o, *rest in arrived]) == 0  # type: ignore[misc]
        assert [asker.recv(100) for asker in askers] == [b"ASKER %d" % number for number in range(len(askers))]
    finally:
        for asker in askers:
            asker.close()


def test_a_reply_that_cannot_be_sent_does_not_stop_the_others(wildcard: Open) -> None:
    server, port = wildcard(socket.AF_INET)
    with client(socket.AF_INET, "127.0.0.1", port) as asker:
        asker.send(b"")
        ((_, source, local, scope),) = server.receive()
        nowhere = bytes(2) + source[2:]  # port 0: the kernel refuses it
        replies = [(b"1", source, local, scope), (b"2", nowhere, local, scope), (b"3", source, local, scope)]
        assert server.send(replies) == 1
        assert [asker.recv(10), asker.recv(10)] == [b"1", b"3"]


def test_the_kernels_drops_are_counted(wildcard: Open) -> None:
    server, port = wildcard(socket.AF_INET)
    with socket.socket(fileno=os.dup(server.fileno())) as same, client(socket.AF_INET, "127.0.0.1", port) as asker:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert server.kernel_drops() == 0
        for _ in range(100):
            asker.send(bytes(1000))
        kept = len(server.receive())
        assert 0 < kept < 100
        assert server.kernel_drops() == 100 - kept


class Kernel:
    """A sendmmsg that takes what the script says: a count, or an errno."""

    def __init__(self, *script: int | str) -> None:
        self.script = list(script)
        self.asked: list[int] = []

    def __call__(self, _fd: int, _address: object, count: int, _flags: int) -> int:
        self.asked.append(count)
        step = self.script.pop(0)
        if isinstance(step, int):
            return step
        ctypes.set_errno(getattr(errno, step))
        return -1


REPLIES: list[Any] = [(b"r", bytes(6), bytes(4), 0)] * 10


@pytest.mark.parametrize(
    ("kernel", "refused", "asked"),
    [
        (Kernel(10), 0, [10]),
        (Kernel(4, 6), 0, [10, 6]),
        (Kernel(4, "EINTR", 6), 0, [10, 6, 6]),
        (Kernel(4, "EAGAIN"), 6, [10, 6]),
        (Kernel("ENOBUFS"), 10, [10]),
        (Kernel(4, "EHOSTUNREACH", 5), 1, [10, 6, 5]),
        (Kernel("EPERM", "EPERM", 8), 2, [10, 9, 8]),
    ],
    ids=["all", "in two parts", "interrupted", "full", "full at once", "one unreachable", "two forbidden"],
)
def test_what_the_kernel_does_not_take_is_counted(kernel: Kernel, refused: int, asked: list[int]) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server = BatchSocket4(sock)
    server._sendmmsg = kernel
    try:
        assert (server.send(REPLIES), kernel.asked) == (refused, asked)
    finally:
        server.close()


def test_a_broken_socket_is_an_error(wildcard: Open) -> None:
    server, _ = wildcard(socket.AF_INET)
    server.close()
    with pytest.raises(OSError, match=r"Bad file descriptor|recvmmsg failed"):
        server.receive()
