"""The ports a server is about to open: refused in one sentence when taken, or, for the demo, replaced."""

import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mgmt.faults import Fault
from radiuscore.server.datapath import CannotServe, open_data_path
from radiuscore.settings import Address, Settings

_TRIES: Final = 50  # for a port that is free on every address

UDP: Final = socket.SOCK_DGRAM
TCP: Final = socket.SOCK_STREAM


def verify_ports_are_free(settings: Settings) -> None:
    """Make sure that all three ports can be opened, before anything slow is begun. Raises `Fault`."""
    hosts = tuple(map(str, settings.radius_hosts))
    try:
        open_data_path(hosts, settings.radius_auth_port, settings.radius_acct_port, 1).close()
    except CannotServe as error:
        raise Fault(str(error)) from error
    host, port = settings.api_host, settings.api_port
    fault = _bind(TCP, host, port)
    if fault is not None:
        raise Fault(f"TCP {f'[{host}]' if host.version == 6 else host}:{port} {_why(fault)}")


def with_free_ports(settings: Settings) -> Settings:
    """Return the settings with a free port in place of each that is taken and that nobody chose."""
    auth_port = _free_port(settings, "RADIUS_AUTH_PORT", UDP, settings.radius_hosts, settings.radius_auth_port)
    acct_port = _free_port(settings, "RADIUS_ACCT_PORT", UDP, settings.radius_hosts, settings.radius_acct_port)
    while acct_port == auth_port:
        acct_port = _find_free(UDP, settings.radius_hosts)
    api_port = _free_port(settings, "API_PORT", TCP, (settings.api_host,), settings.api_port)
    return replace(settings, radius_auth_port=auth_port, radius_acct_port=acct_port, api_port=api_port)


def is_own(address: str) -> bool:
    """Tell whether an address is one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, UDP) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True


def _free_port(settings: Settings, name: str, kind: int, hosts: Sequence[Address], port: int) -> int:
    if name in settings.given or all(_bind(kind, host, port) is None for host in hosts):
        return port
    return _find_free(kind, hosts)


def _find_free(kind: int, hosts: Sequence[Address]) -> int:
    for _ in range(_TRIES):
        with _socket(kind, hosts[0]) as sock:
            sock.bind((str(hosts[0]), 0))
            port: int = sock.getsockname()[1]
        if all(_bind(kind, host, port) is None for host in hosts):
            return port
    raise Fault("No port is free on every address: set RADIUS_HOST to one address.")


def _bind(kind: int, host: Address, port: int) -> OSError | None:
    """Bind for a moment; return why that is not possible."""
    with _socket(kind, host) as sock:
        if kind == TCP:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will: what was just left is free
        try:
            sock.bind((str(host), port))
        except OSError as error:
            return error
    return None


def _socket(kind: int, host: Address) -> socket.socket:
    if host.version == 4:
        return socket.socket(socket.AF_INET, kind)
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def _why(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "is taken: stop what uses it, or set API_PORT to another port."
        case errno.EACCES:
            return "needs root or CAP_NET_BIND_SERVICE: set API_PORT to a port above 1023."
        case errno.EADDRNOTAVAIL:
            return "cannot be opened: API_HOST is not an address of this machine."
        case _:
            return f"cannot be opened ({os.strerror(error.errno or 0)}): see API_HOST and API_PORT."
