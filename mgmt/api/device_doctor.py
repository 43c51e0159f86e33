"""What is wrong with how a device uses this RADIUS server, and the command that mends each."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any, Literal, NamedTuple, TypeAlias

from mgmt.api.device_connections import fault_of, find_target, parse_way
from mgmt.api.schemas.device_connections import DoctorQuery, DoctorShown, FindingShown
from mgmt.api.schemas.devices import Address
from mgmt.audit import MASK
from mgmt.call import Answer, Call
from mgmt.devicesync import clean, way_of
from mgmt.problems import Problem
from mgmt.roles import MANAGERS
from mgmt.store import device_reach as store
from mgmt.store.device_reach import Target
from mikrotik import MikroTikError
from mikrotik.doctor import examine
from mikrotik.facts import RouterFacts, read_facts
from mikrotik.findings import Finding, Seen
from mikrotik.intent import RadiusIntent
from mikrotik.values import quote
from radiuscore.store.rows import Row
from radiuscore.store.sealing import CannotOpen, Keyring

_Found: TypeAlias = Literal["asked", "report", "settings", "route"]


class _Server(NamedTuple):
    """Our address as the router sees it, and how it was found."""

    address: Address
    by: _Found


async def examine_device(call: Call, query: DoctorQuery) -> Answer:
    """Examine how a device uses RADIUS: each check passes, fails with the command that mends it, or is not known."""
    way = None if query.connection_type is None else parse_way(query.connection_type)
    target = await find_target(call)
    way = way_of(target, way)
    async with call.transaction() as db:
        side: Row = await db.fetchrow(store.FIND_RADIUS_SIDE, target.isp_id, target.device_id)
    if side is None:  # deleted just now
        raise Problem("not_found")
    secret = _secret(call.services.keyring, side)
    async with call.accounting() as db:
        report: Row | None = await db.fetchrow(store.FIND_LAST_REPORT, target.isp_id, target.device_id)
    server = await _server(call, query.server, report, target)
    said: dict[str, Any] = {"success": True, "error": None, "message": None, "hint": None}
    facts: RouterFacts | None = None
    async with call.services.routers.client(target, way) as client:
        try:
            facts = await read_facts(client)
        except MikroTikError as error:
            said = {"success": False} | fault_of(error)
    findings: tuple[Finding, ...] = ()
    if facts is not None:
        findings = examine(facts, _wanted(call, side, secret, server, facts, report), _seen(side, report))
    masked = call.role not in MANAGERS
    return Answer(
        DoctorShown(
            connection_type=way.value,
            server=server.address,
            server_by=server.by,
            version=None if facts is None or facts.version is None else str(facts.version),
            read_at=None if facts is None else facts.read_at,
            findings=[_shown(finding, secret if masked else None) for finding in findings],
            **said,
        )
    )


def _secret(keyring: Keyring, side: Row) -> str:
    """Return the RADIUS secret of the device, which may be its ISP's. Raises `Problem`."""
    isp_id = side["isp_id"]
    try:
        if side["radius_secret"] is not None:
            row = side["id"]
            octets = keyring.open(
                side["radius_secret"], table="devices", row=row, column="radius_secret", isp_id=isp_id
            )
        elif side["isp_radius_secret"] is not None:
            sealed = side["isp_radius_secret"]
            octets = keyring.open(sealed, table="isps", row=isp_id, column="radius_secret", isp_id=isp_id)
        else:
            raise Problem("radius_secret_missing", "Set the device's radius_secret, or make one for the ISP.")
    except CannotOpen:
        detail = "The RADIUS secret was sealed with a key that this server does not have: set it again."
        raise Problem("conflict", detail) from None
    return octets.decode()


def _wanted(
    call: Call, side: Row, secret: str, server: _Server, facts: RouterFacts, report: Row | None
) -> RadiusIntent:
    """Return how the router should ask us.

    Where its reports arrive it need not be told which address to send from; and a router that has no hotspot need not
    ask for one.
    """
    sources = side["radius_sources"] or [side["device_ip"]]
    only = sources[0] if len(sources) == 1 else None
    source = ip_address(str(only).partition("/")[0]) if only is not None and _is_one_address(str(only)) else None
    return RadiusIntent(
        server=server.address,
        secret=secret,
        auth_port=call.services.radius.auth_port,
        acct_port=call.services.radius.acct_port,
        coa_port=side["coa_port"],
        services=("ppp",) if facts.has_hotspot is False else ("ppp", "hotspot"),
        source=None if report is not None else source,
    )


def _is_one_address(network: str) -> bool:
    address, _, length = network.partition("/")
    return not length or int(length) == ip_address(address).max_prefixlen


def _seen(side: Row, report: Row | None) -> Seen:
    """Return what our side knows. A report is verified with the secret, if that was the only one at the time."""
    signed = report is not None and not side["rotating"] and report["updated_at"] > side["changed_at"]
    return Seen(signed=True if signed else None)


async def _server(call: Call, asked: Address | None, report: Row | None, target: Target) -> _Server:
    """Return which of our addresses the router should ask, from the surest source that says so. Raises `Problem`."""
    if asked is not None:
        return _Server(asked, "asked")
    if report is not None and report["local_address"] is not None:
        return _Server(ip_address(str(report["local_address"])), "report")
    version = ip_address(target.address).version
    named = [one for one in call.services.radius.hosts if one.version == version and not one.is_unspecified]
    if len(named) == 1:
        return _Server(named[0], "settings")
    own = await asyncio.to_thread(_address_towards, target.address)
    if own is None:
        raise Problem("conflict", "There is no route to the device: name the server's address in the query (server).")
    return _Server(own, "route")


def _address_towards(address: str) -> Address | None:
    """Return the address that the kernel would send from; nothing is sent."""
    family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return None
        return ip_address(probe.getsockname()[0])


def _shown(finding: Finding, hidden: str | None) -> FindingShown:
    command = finding.command
    if command is not None and hidden is not None:
        command = command.replace(f"secret={quote(hidden)}", f"secret={MASK}")
    return FindingShown(
        check=finding.check,
        status=finding.status.value,
        message=clean(finding.message) or "",
        command=clean(command),
    )
