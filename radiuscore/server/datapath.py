"""The sockets that RADIUS comes in by: opened once by the supervisor, handed to the workers, kept when one dies.

The first socket of an address is bound without SO_REUSEPORT, so a second server is refused instead of taking every
other packet; only then is it shared, and each further worker gets its own with the same address.
"""

import errno
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, NamedTuple, TypeAlias

from radiuscore.server.config import SERVERS, Server

Address: TypeAlias = tuple[Any, ...]

RECEIVE_BUFFER: Final = 8 << 20  # octets: a reconnect storm waits in the kernel, some 10,000 requests
SEND_BUFFER: Final = 8 << 20
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_TRIES: Final = 20  # for a free port that is free in every address family
_SETTING: Final = {"auth": "RADIUS_AUTH_PORT", "acct": "RADIUS_ACCT_PORT"}
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class CannotServe(Exception):
    """The server cannot start; the message is one sentence for a person."""


class OpenSocket(NamedTuple):
    """A bound socket and which port of the engine it belongs to."""

    sock: socket.socket
    server: Server


@dataclass(frozen=True, slots=True)
class DataPath:
    """All sockets, one row per worker. ``skipped`` are addresses this machine has no IPv6 for."""

    auth_port: int
    acct_port: int
    of_worker: tuple[tuple[OpenSocket, ...], ...]
    skipped: tuple[str, ...]

    @property
    def receive_buffer(self) -> int:
        """The octets of unread datagrams that the kernel keeps for each socket (it reports twice that on Linux)."""
        asked = self.of_worker[0][0].sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        return asked // 2 if sys.platform == "linux" else asked

    def __enter__(self) -> "DataPath":
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close this process's descriptors; a worker that still has one goes on reading."""
        for row in self.of_worker:
            for one in row:
                one.sock.close()


def open_data_path(hosts: Sequence[str], auth_port: int, acct_port: int, workers: int) -> DataPath:
    """Bind both ports on every host, one socket per worker. Port 0 is any that is free on all hosts.

    Raises `CannotServe`; nothing stays open then.
    """
    rows: list[list[OpenSocket]] = [[] for _ in range(workers)]
    ports: list[int] = []
    skipped: set[str] = set()
    try:
        for server, port in zip(SERVERS, (auth_port, acct_port), strict=True):
            firsts = _open_firsts(server, hosts, port, skipped)
            ports.append(firsts[0].sock.getsockname()[1])
            rows[0] += firsts
            for first in firsts:
                if workers > 1:
                    first.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                for row in rows[1:]:
                    row.append(OpenSocket(_open(server, first.sock.family, first.sock.getsockname(), True), server))
    except BaseException:
        for row in rows:
            for one in row:
                one.sock.close()
        raise
    return DataPath(ports[0], ports[1], tuple(map(tuple, rows)), tuple(sorted(skipped)))


def _open_firsts(server: Server, hosts: Sequence[str], port: int, skipped: set[str]) -> list[OpenSocket]:
    """Open one socket per host, all with the same port number."""
    for attempt in range(_TRIES):
        opened: list[OpenSocket] = []
        try:
            for host in hosts:
                wanted = opened[0].sock.getsockname()[1] if opened else port
                family, address = _resolve(host, wanted)
                try:
                    opened.append(OpenSocket(_open(server, family, address, False), server))
                except _NoSuchFamily:
                    skipped.add(host)
        except CannotServe:
            _close(opened)
            if port or attempt == _TRIES - 1:
                raise
            continue
        if opened:
            return opened
        break
    raise CannotServe(f"RADIUS_HOST names only IPv6 addresses ({', '.join(hosts)}), and this machine has no IPv6.")


class _NoSuchFamily(Exception):
    """The machine has no IPv6, and the address was the IPv6 wildcard."""


def _resolve(host: str, port: int) -> tuple[int, Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        raise CannotServe(f"RADIUS_HOST names {host}, which is not an IPv4 or IPv6 address.") from None
    family, _, _, _, address = found[0]
    return family, address


def _open(server: Server, family: int, address: Address, shared: bool) -> socket.socket:
    host, port = str(address[0]), int(address[1])
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        if host == "::" and error.errno in _NO_IPV6:
            raise _NoSuchFamily from None
        raise CannotServe(f"A UDP socket for {host} cannot be opened: {error.strerror}.") from error
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _enlarge(sock)
        sock.bind(address)
    except OSError as error:
        sock.close()
        if host == "::" and error.errno in _NO_IPV6:
            raise _NoSuchFamily from None
        raise CannotServe(_why(server, host, port, error)) from error
    return sock


def _enlarge(sock: socket.socket) -> None:
    """Ask for large buffers: past the system's limit where we may, up to it otherwise."""
    for forced, plain, size in (
        (_SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER),
        (_SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER),
    ):
        try:
            if sys.platform != "linux":
                raise PermissionError
            sock.setsockopt(socket.SOL_SOCKET, forced, size)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, plain, size)


def _close(opened: Sequence[OpenSocket]) -> None:
    for one in opened:
        one.sock.close()


def _why(server: Server, host: str, port: int, error: OSError) -> str:
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"UDP {shown} is taken, most likely by another RADIUS server: stop that one, "
                f"or set {_SETTING[server]} to another port."
            )
        case errno.EACCES:
            return f"UDP {shown} needs root or CAP_NET_BIND_SERVICE: set {_SETTING[server]} to a port above 1023."
        case errno.EADDRNOTAVAIL:
            return f"RADIUS_HOST names {host}, which is not an address of this machine."
        case _:
            return f"UDP {shown} cannot be opened: {error.strerror}."
