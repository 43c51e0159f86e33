"""`radiuscore check-config`: everything a start would need, tried without changing anything; one line each."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple

from mgmt.database import SCHEMAS, Server, as_faults, open_server, unlock, verify_may_migrate
from mgmt.faults import Fault
from mgmt.ports import verify_ports_are_free
from mgmt.serve import LOCK_NAME
from mgmt.terminal import say
from radiuscore.settings import Settings, SettingsError
from radiuscore.store.embedded import DIRECTORY, find_bindir
from radiuscore.store.keys import KEY_FILE, LIST_CHECKS
from radiuscore.store.migrate import Kind
from radiuscore.store.pgbinaries import major_version

_WIDTH: Final = 15


class Finding(NamedTuple):
    """One thing that was tried: whether it will do, and in words how it is or what mends it."""

    what: str
    good: bool
    text: str


def check() -> int:
    """Print every finding; return 0 if a server can start, else 1."""
    good = asyncio.run(_print_findings())
    say("A server can start." if good else "A server cannot start like this.")
    return 0 if good else 1


async def _print_findings() -> bool:
    good = True
    async for finding in findings():
        good = good and finding.good
        say(f"{'ok   ' if finding.good else 'WRONG'}  {finding.what:<{_WIDTH}}  {finding.text}")
    return good


async def findings() -> AsyncIterator[Finding]:
    """Yield one finding after the other; what needs one that is wrong is not tried."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        yield Finding("settings", False, str(error))
        return
    given = ", ".join(sorted(settings.given)) or "none"
    yield Finding("settings", True, f"given: {given}; all others have their defaults")
    directory = _try("data directory", lambda: _look_at_data_dir(settings.data_dir))
    yield directory
    yield _try("ports", lambda: _look_at_ports(settings))
    if not settings.embedded or _exists(settings.data_dir / DIRECTORY / "data"):
        async for finding in _look_at_database(settings):
            yield finding
    elif directory.good:
        yield _try("database", lambda: _look_for_programs(settings))


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        with as_faults():
            return Finding(what, True, look())
    except Fault as fault:
        return Finding(what, False, str(fault))


def _exists(path: Path) -> bool:
    """Tell whether there is something that this user can see; a closed directory above it is no fault here."""
    return os.path.exists(path)


def _look_at_data_dir(data_dir: Path) -> str:
    existing = next(path for path in (data_dir, *data_dir.parents) if _exists(path))
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise Fault(
            f"DATA_DIR {data_dir}: this user cannot write to {existing}; give it to him, "
            "or set DATA_DIR to a directory that is his."
        )
    return f"{data_dir} " + ("can be written" if existing == data_dir else "is made at the first start")


def _look_at_ports(settings: Settings) -> str:
    ports = f"UDP {settings.radius_auth_port} and {settings.radius_acct_port}, TCP {settings.api_port}"
    if _is_served(settings.data_dir):
        return f"{ports} are those of the server that runs with this DATA_DIR"
    verify_ports_are_free(settings)
    return f"{ports} are free"


def _is_served(data_dir: Path) -> bool:
    """Tell whether a server runs with this DATA_DIR."""
    try:
        with (data_dir / LOCK_NAME).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _look_for_programs(settings: Settings) -> str:
    bindir = find_bindir()
    made_with = f"PostgreSQL {major_version(bindir)} of {bindir}"
    return f"none yet: the first start makes one in {settings.data_dir} with {made_with}"


async def _look_at_database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(open_server(settings))
            yield Finding("database", True, await _reach(server))
            migrated = True
            for schema in SCHEMAS:
                state = await server.state(schema)
                verify_may_migrate(state, schema, embedded=server.embedded is not None)
                migrated = migrated and state.kind is Kind.CURRENT
                if state.kind is Kind.EMPTY:
                    await server.rehearse(schema)
                later = "" if state.kind is Kind.CURRENT else f"; the next start makes it version {state.wanted}"
                yield Finding("schema", True, f"{schema} is {state.kind.value}, version {state.version}{later}")
            if migrated:
                yield await _look_at_keys(settings, server)
    except Fault as fault:
        yield Finding("database", False, str(fault))


async def _reach(server: Server) -> str:
    async with server.connect() as db:
        version = db.get_settings().server_version
    async with server.connect("accounting"):
        return f"PostgreSQL {version.split()[0]} answers" + (" (embedded)" if server.embedded else "")


async def _look_at_keys(settings: Settings, server: Server) -> Finding:
    path = settings.data_dir / KEY_FILE
    try:
        if settings.encryption_keys is None and not path.exists():
            async with server.connect() as db:
                if await db.fetch(LIST_CHECKS):
                    return Finding("keys", False, f"{path} is missing, and only it opens this database: restore it.")
            return Finding("keys", True, f"none yet: the first start makes them in {path}")
        await unlock(settings, server, remember=False)
    except Fault as fault:
        return Finding("keys", False, str(fault))
    kept = f"kept in {path}" if settings.encryption_keys is None else "as given"
    return Finding("keys", True, f"{kept}; keep a copy elsewhere: without them the database's secrets are lost")
