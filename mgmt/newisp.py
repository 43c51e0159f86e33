"""`radiuscore create-isp`: an ISP, its first router if one is named, and what to type on its routers."""

import asyncio
import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import Any, Final

from mgmt.accounts import add_isp
from mgmt.database import open_database
from mgmt.faults import EXIT_USAGE, Fault
from mgmt.models import Isp
from mgmt.store import devices
from mikrotik.script import radius_script
from radiuscore.settings import Settings

_ANYWHERE: Final = "192.0.2.1"  # an address of documentation: which of ours the default route leaves from
_BROADCAST: Final = IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class NewIsp:
    """What was created. ``script`` is for its routers, and ``None`` where this server's address is not known."""

    isp: Isp
    router: str | None
    device_id: int | None
    script: str | None = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return everything, with the keys, which are shown this once."""
        isp, limits = self.isp, self.isp.limits
        return {
            "id": isp.id,
            "name": isp.name,
            "company_name": isp.company_name,
            "email": isp.email,
            "subscription_plan": str(isp.subscription_plan),
            "max_devices": limits.max_devices,
            "max_customers": limits.max_customers,
            "time_zone": isp.time_zone,
            "api_key": isp.api_key,
            "radius_secret": isp.radius_secret,
            "device_id": self.device_id,
            "script": self.script,
        }

    def to_text(self) -> str:
        """Return the same for a person."""
        isp = self.isp
        lines = [
            f"ISP {isp.id} {isp.name} was created. Its keys, shown this once:",
            f"  API key        {isp.api_key}",
            f"  RADIUS secret  {isp.radius_secret}",
        ]
        if self.router is not None:
            lines.append(f"Its router {self.router} is device {self.device_id}.")
        if self.script is None:
            lines.append("Give --server ADDRESS, as the routers see this server, to be told what to type on them.")
        else:
            lines += ["Paste this into the terminal of its routers:", "", self.script.rstrip("\n")]
        return "\n".join(lines)


def create(isp: Isp, *, router: str | None, server: str | None, settings: Settings) -> NewIsp:
    """Create an ISP, and a device for its router if that is named. Raises `Fault`."""
    for option, address in {"--router": router, "--server": server}.items():
        if address is not None and not _is_address(address):
            raise Fault(f"{option} must be an IPv4 or IPv6 address of one machine, for example 192.0.2.1.", EXIT_USAGE)
    return asyncio.run(_create(isp, router, server or _address_towards(router or _ANYWHERE), settings))


async def _create(isp: Isp, router: str | None, server: str | None, settings: Settings) -> NewIsp:
    async with open_database(settings) as database, database.server.connect() as db, db.transaction():
        await add_isp(db, database.keyring, isp)
        assert isp.id is not None
        assert isp.radius_secret is not None
        device_id = None
        if router is not None:
            device_id = await devices.insert(db, isp.id, device_name=f"{isp.name} {router}"[:100], device_ip=router)
    if server is None:
        return NewIsp(isp, router, device_id, None)
    script = radius_script(server, isp.radius_secret, settings.radius_auth_port, settings.radius_acct_port)
    return NewIsp(isp, router, device_id, script)


def _is_address(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    anybody = address.is_unspecified or address.is_multicast or address == _BROADCAST
    return not anybody and "%" not in text


def _address_towards(router: str) -> str | None:
    """Return this machine's address on the way to a router, by asking the kernel's routes; nothing is sent."""
    family = socket.AF_INET6 if ":" in router else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((router, 1812))
        except OSError:
            return None
        return str(sock.getsockname()[0])
