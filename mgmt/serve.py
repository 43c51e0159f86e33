"""`radiuscore serve`: the database, the first admin, then the supervisor, which is handed the programs to run."""

import asyncio
import fcntl
import logging
import resource
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Literal

from mgmt.accounts import Admin, add_admin
from mgmt.apiconfig import ApiConfig
from mgmt.database import Database, open_database, prepare_data_dir
from mgmt.faults import Fault
from mgmt.ports import verify_ports_are_free
from mgmt.store import users
from mgmt.terminal import progress, say
from radiuscore.server import logs
from radiuscore.server.config import ServeConfig
from radiuscore.server.datapath import CannotServe
from radiuscore.server.supervisor import Supervisor
from radiuscore.settings import LogFormat, Settings
from radiuscore.store.embedded import EmbeddedError, EmbeddedPostgres

LOCK_NAME: Final = "serve.lock"
FIRST_ADMIN: Final = "admin@localhost"
REVIVE_EVERY_S: Final = 5.0

_LOG: Final = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises `Fault` where it cannot begin."""
    configure_logs(settings)
    forbid_core_dumps()
    asyncio.run(_serve(settings))


def forbid_core_dumps() -> None:
    """Let neither this process nor its children write their memory to disk when they crash: it holds every secret."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


async def _serve(settings: Settings) -> None:
    async with open_installation(settings) as database:
        admin = await make_first_admin(database)
        if admin is not None:
            say(f"Administrator {admin.email} was created. The password is shown this once: {admin.password}")
        try:
            await make_supervisor(settings, database).run()
        except CannotServe as error:
            raise Fault(str(error)) from error


@asynccontextmanager
async def open_installation(settings: Settings) -> AsyncIterator[Database]:
    """Give the database of a server that is about to start, and keep an embedded one alive. Raises `Fault`."""
    prepare_data_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        stack.enter_context(_only_one(settings.data_dir))
        verify_ports_are_free(settings)
        with progress("Opening the database") as tell:
            database = await stack.enter_async_context(open_database(settings, tell))
        if database.server.embedded is not None:
            keeper = asyncio.create_task(_keep_alive(database.server.embedded))
            stack.callback(keeper.cancel)
        yield database


async def make_first_admin(database: Database) -> Admin | None:
    """Create an admin where there is none, with a generated password; two servers at once make one."""
    async with database.server.connect() as db:
        if await users.has_admin(db):
            return None
        try:
            return await add_admin(db, FIRST_ADMIN)
        except Fault:
            if await users.has_admin(db):
                return None
            raise


def make_supervisor(settings: Settings, database: Database) -> Supervisor:
    """Return the supervisor with what it is to run."""
    config = ServeConfig(
        hosts=tuple(map(str, settings.radius_hosts)),
        auth_port=settings.radius_auth_port,
        acct_port=settings.radius_acct_port,
        workers=settings.radius_workers,
        dsn=database.server.dsn,
        accounting_dsn=database.server.accounting_dsn,
        encryption_keys=database.encryption_keys,
        data_dir=settings.data_dir,
        run_dir=run_dir(settings),
        log_level=settings.log_level.value,
        log_format=_log_format(settings),
        for_management=ApiConfig.of(settings, database.jwt_secret_key).to_json(),
    )
    return Supervisor(config, _management_argv(settings))


def run_dir(settings: Settings) -> Path:
    """Return where the sockets of a running server are."""
    return settings.data_dir / "run"


def configure_logs(settings: Settings) -> None:
    """Write this process's log lines as its children write theirs."""
    logs.configure(settings.log_level.value, _log_format(settings), {"process": "supervisor"})


def _log_format(settings: Settings) -> Literal["console", "json"]:
    if settings.log_format is None:
        return "console" if sys.stderr.isatty() else "json"
    return "console" if settings.log_format is LogFormat.CONSOLE else "json"


def _management_argv(settings: Settings) -> Sequence[str]:
    """Return the program of the management process; what is secret comes over its standard input."""
    address = ("--host", str(settings.api_host), "--port", str(settings.api_port))
    return (sys.executable, "-P", "-m", "mgmt.management", *address)


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold DATA_DIR against a second server, which would take the first one's sockets. Raises `Fault`."""
    with (data_dir / LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel's, so that it ends with this process
        except BlockingIOError:
            raise Fault(
                f"A server runs with DATA_DIR {data_dir} already: stop that one, or set another DATA_DIR."
            ) from None
        yield


async def _keep_alive(embedded: EmbeddedPostgres) -> None:
    """Start the embedded PostgreSQL again whenever it is gone. Runs until cancelled."""
    while True:
        await asyncio.sleep(REVIVE_EVERY_S)
        try:
            if await embedded.revive():
                _LOG.warning("the embedded PostgreSQL had ended and was started again")
        except EmbeddedError as error:
            _LOG.error("the embedded PostgreSQL cannot be started again: %s", error)
