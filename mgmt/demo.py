"""`radiuscore serve --demo`: the real server on a database of its own, asked by a router of its own, and looked after.

Everything goes over UDP through the sockets, workers and statements that serve real routers. Nothing of the real
installation is touched: DATABASE_URL is not used, and all files are in a directory of the demo's, DATA_DIR/demo.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from mgmt.database import Database
from mgmt.democycle import run_cycle
from mgmt.demoisp import ROUTER, DemoIsp, find_or_make
from mgmt.faults import Fault
from mgmt.ports import with_free_ports
from mgmt.serve import configure_logs, make_first_admin, make_supervisor, open_installation
from mgmt.terminal import say
from mikrotik.script import radius_script
from radiuscore.server.datapath import CannotServe
from radiuscore.server.supervisor import Supervisor
from radiuscore.settings import Address, LogLevel, Settings, default_data_dir
from radiuscore.store.embedded import is_reachable

READY_S: Final = 60.0  # a small machine, for the first time
_PORTS: Final = {
    "RADIUS_AUTH_PORT": "radius_auth_port",
    "RADIUS_ACCT_PORT": "radius_acct_port",
    "API_PORT": "api_port",
}


def run_demo(settings: Settings, *, once: bool) -> int:
    """Run the demo; return 0 if all was as it must be. Without ``once`` it serves on until SIGTERM or SIGINT."""
    demo = settings_of_demo(settings)
    configure_logs(demo)
    return asyncio.run(_run(demo, once=once))


def settings_of_demo(settings: Settings) -> Settings:
    """Return settings that keep the demo apart: own directory, own database and keys, this machine only."""
    apart = replace(
        settings,
        database_url=None,
        accounting_database_url=None,
        data_dir=_directory(settings.data_dir / "demo"),
        jwt_secret_key=None,
        encryption_keys=None,
        radius_hosts=_hosts(settings),
        log_level=settings.log_level if "LOG_LEVEL" in settings.given else LogLevel.WARNING,
    )
    demo = with_free_ports(apart)
    for name, field in _PORTS.items():
        if getattr(demo, field) != getattr(apart, field):
            say(f"{name}: {getattr(apart, field)} is taken, so the demo uses {getattr(demo, field)}.")
    return demo


def _directory(wanted: Path) -> Path:
    """Return where the demo's files go; as root, not below a closed directory, where its database could not run."""
    if is_reachable(wanted):
        return wanted
    other = default_data_dir() / f"demo-{sha256(os.fsencode(wanted)).hexdigest()[:12]}"
    say(
        f"The demo's files go to {other}: its PostgreSQL does not run as root, and {wanted.parent} is closed to others."
    )
    return other


def _hosts(settings: Settings) -> tuple[Address, ...]:
    """Return the addresses that were chosen, or none but this machine's own; the demo's router must reach one."""
    own = ip_address(ROUTER)
    chosen = settings.radius_hosts if "RADIUS_HOST" in settings.given else ()
    return (
        chosen if any(host == own or (host.version == 4 and host.is_unspecified) for host in chosen) else (*chosen, own)
    )


async def _run(settings: Settings, *, once: bool) -> int:
    async with open_installation(settings) as database:
        admin = await make_first_admin(database)
        isp = await find_or_make(database)
        async with _running(make_supervisor(settings, database)) as ended:
            good = await run_cycle(settings, database, isp)
            if admin is not None:
                say(f"Administrator {admin.email} was created. The password is shown this once: {admin.password}")
            say("\nWhere to look next" + (", once it is started without --once:" if once else ", while it serves:"))
            _say_where_to_look(settings, database, isp)
            if not once:
                say("\nServing on; Ctrl-C ends it.")
                await ended
    return 0 if good else 1


@asynccontextmanager
async def _running(supervisor: Supervisor) -> AsyncIterator["asyncio.Task[None]"]:
    """Run the server, and give its task once every worker answers. Raises `Fault`."""
    task = asyncio.create_task(supervisor.run())
    try:
        await _ready(supervisor)
        yield task
    finally:
        supervisor.stop()
        await asyncio.gather(task, return_exceptions=True)


async def _ready(supervisor: Supervisor) -> None:
    try:
        async with asyncio.timeout(READY_S):
            await supervisor.ready()
    except CannotServe as error:
        raise Fault(str(error)) from error
    except TimeoutError:
        raise Fault(f"The workers did not answer within {READY_S:.0f} s: their log lines above say why.") from None


def _say_where_to_look(settings: Settings, database: Database, isp: DemoIsp) -> None:
    port = settings.radius_auth_port
    typed = sys.argv[0] if "/" in sys.argv[0] else "radiuscore"
    command = f"DATA_DIR={settings.data_dir} RADIUS_AUTH_PORT={port} {typed}"
    url = f"http://{settings.api_host}:{settings.api_port}"
    say(f"  {command} radtest {isp.username} {isp.password} --method mschapv2")
    say(f"  {command} trace --user {isp.username}")
    say(f"  curl {url}/readyz; curl {url}/metrics")
    say(f"  psql '{database.server.dsn}' -c 'TABLE accounting.sessions'")
    say(f"Any RADIUS client will do: radtest {isp.username} {isp.password} {ROUTER}:{port} 0 {isp.radius_secret}")
    script = radius_script("192.0.2.10", isp.radius_secret, port, settings.radius_acct_port)
    say("\nWhat a router would be told, if this server were at 192.0.2.10 and the router its device:\n")
    say(script.rstrip("\n"))
