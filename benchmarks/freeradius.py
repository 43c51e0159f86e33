"""FreeRADIUS 3.2 with `files`: as Debian configures it, or ``bare``, which does as little as a RADIUS server can.

As Debian does it: the modules of its default site, no log of logins; changed are the ports, the clients and the users.
``bare`` keeps `files` and what checks a password, nothing else; accounting is acknowledged and forgotten.
The Accept carries what the product's does, but for Message-Authenticator, which version 3.2.1 does not put there.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.population import SECRET, password, username
from benchmarks.product import Serving, first_accept, free_port

_DEBIAN: Final = Path("/etc/freeradius/3.0")
_PROGRAM: Final = shutil.which("freeradius") or shutil.which("radiusd")

_CONFIGURATION: Final = """
prefix = {folder}
localstatedir = {folder}
sysconfdir = {folder}
name = radiusd
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/radiusd.pid
max_request_time = 30
cleanup_delay = 5
max_requests = 65536
hostname_lookups = no
log {{
  destination = files
  file = {folder}/radius.log
  auth = no
}}
security {{
  max_attributes = 200
  reject_delay = 0
  status_server = no
  allow_vulnerable_openssl = yes
}}
proxy_requests = no
thread pool {{
  start_servers = 5
  max_servers = 32
  min_spare_servers = 3
  max_spare_servers = 10
  max_requests_per_server = 0
  auto_limit_acct = no
}}
client routers {{
  ipaddr = 127.0.0.0/8
  secret = "{secret}"
  require_message_authenticator = no
}}
modules {{
  pap {{
  }}
  chap {{
  }}
  mschap {{
    use_mppe = yes
  }}
  files {{
    usersfile = {folder}/users
    key = "%{{User-Name}}"
  }}
  always ok {{
    rcode = ok
  }}
}}
server benchmark {{
  listen {{
    type = auth
    ipaddr = 127.0.0.1
    port = {auth}
  }}
  listen {{
    type = acct
    ipaddr = 127.0.0.1
    port = {acct}
  }}
  authorize {{
    chap
    mschap
    files
    pap
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
    Auth-Type CHAP {{
      chap
    }}
    Auth-Type MS-CHAP {{
      mschap
    }}
  }}
  accounting {{
    ok
  }}
}}
"""

_USER: Final = """{name} Cleartext-Password := "{password}"
\tMikrotik-Rate-Limit = "10M/50M",
\tFramed-Pool = "customers",
\tAcct-Interim-Interval = 300,
\tClass = 0x{number:032x}

"""


@asynccontextmanager
async def freeradius(customers: int, *, bare: bool, prefix: Sequence[str] = ()) -> AsyncIterator[Serving]:
    """Start FreeRADIUS with the customers of `population`, give it once it accepts, and stop it."""
    if _PROGRAM is None:
        raise SystemExit("FreeRADIUS is not installed: apt-get install freeradius")
    with tempfile.TemporaryDirectory() as name:
        folder, auth, acct = Path(name, "raddb"), free_port(), free_port()
        await asyncio.to_thread(_configure if bare else _configure_as_debian, folder, customers, auth, acct)
        process = await asyncio.create_subprocess_exec(
            *prefix,
            _PROGRAM,
            "-f",
            "-d",
            str(folder),
            env=os.environ | {"LC_ALL": "C"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await first_accept(auth, process)
            yield Serving(process.pid, auth, acct)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def version() -> str:
    """Return the first line of what FreeRADIUS says of itself."""
    if _PROGRAM is None:
        return ""
    process = await asyncio.create_subprocess_exec(_PROGRAM, "-v", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said.decode().splitlines()[0]


def _configure(folder: Path, customers: int, auth: int, acct: int) -> None:
    folder.mkdir()
    configuration = _CONFIGURATION.format(folder=folder, secret=SECRET.decode(), auth=auth, acct=acct)
    (folder / "radiusd.conf").write_text(configuration)
    (folder / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
    (folder / "users").write_text(_users(customers))


def _configure_as_debian(folder: Path, customers: int, auth: int, acct: int) -> None:
    """Copy the package's configuration and change only where it listens, for whom, and where it keeps its files."""
    shutil.copytree(_DEBIAN, folder, symlinks=True)
    main = (folder / "radiusd.conf").read_text()
    for old, new in (
        ("raddbdir = /etc/freeradius/3.0", f"raddbdir = {folder}"),
        ("logdir = /var/log/freeradius", f"logdir = {folder}"),
        ("run_dir = ${localstatedir}/run/${name}", f"run_dir = {folder}"),
        ("\tuser = freerad\n\tgroup = freerad\n", ""),
    ):
        main = main.replace(old, new)
    (folder / "radiusd.conf").write_text(main)
    site = folder / "sites-available/default"
    parts = site.read_text().split("\tport = 0\n")
    ports = (auth, acct, auth, acct)
    site.write_text("".join(f"{part}\tport = {port}\n" for part, port in zip(parts, ports, strict=False)) + parts[-1])
    (folder / "clients.conf").write_text(
        f'client routers {{\n  ipaddr = 127.0.0.0/8\n  secret = "{SECRET.decode()}"\n}}\n'
    )
    (folder / "proxy.conf").write_text("realm LOCAL {\n}\n")  # Debian's sends our customers' realm elsewhere
    (folder / "mods-config/files/authorize").write_text(_users(customers))
    (folder / "sites-enabled/inner-tunnel").unlink()


def _users(customers: int) -> str:
    users = (_USER.format(name=username(n), password=password(n), number=n) for n in range(1, customers + 1))
    return "".join(users)
