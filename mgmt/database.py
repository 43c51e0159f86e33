"""The installation's database, found by the settings and ready to use: started if it is ours, migrated if it may be."""

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg

from mgmt.faults import Fault
from radiuscore.settings import Settings
from radiuscore.store import migrate
from radiuscore.store.embedded import DIRECTORY, EmbeddedError, EmbeddedPostgres, make_directory
from radiuscore.store.keys import KeyFault, check_keys, load_or_make_keys
from radiuscore.store.migrate import Kind, MigrationError, Schema, State
from radiuscore.store.pool import CannotConnect, DirectConnection, connect
from radiuscore.store.sealing import Keyring

Progress: TypeAlias = Callable[[str], None]

SCHEMAS: Final[tuple[Schema, ...]] = ("control", "accounting")


@dataclass(frozen=True, slots=True)
class Server:
    """Where the two schemas are. ``embedded`` is the PostgreSQL that runs because of us, if one does."""

    dsn: str = field(repr=False)
    accounting_dsn: str = field(repr=False)
    embedded: EmbeddedPostgres | None = None

    def dsn_of(self, schema: Schema) -> str:
        """Return the connection string of the schemas' owner for one of them."""
        return self.dsn if schema == "control" else self.accounting_dsn

    @asynccontextmanager
    async def connect(self, schema: Schema = "control", *, role: str | None = None) -> AsyncIterator[DirectConnection]:
        """Give a connection, as the schemas' owner unless a role is named. Raises `Fault`."""
        with as_faults():
            db = await connect(self.dsn_of(schema), role=role, application_name="radiuscore mgmt")
        try:
            yield db
        finally:
            await db.close(timeout=5)

    async def state(self, schema: Schema) -> State:
        """Return how one schema stands to this release. Raises `Fault`."""
        async with self.connect(schema) as db:
            with as_faults():
                return await migrate.state(db, schema)

    async def rehearse(self, schema: Schema) -> None:
        """Make sure that an empty database can take one schema, without changing it. Raises `Fault`."""
        async with self.connect(schema) as db:
            with as_faults():
                await migrate.rehearse(db, schema)

    async def migrate(self, schema: Schema, progress: Progress | None = None) -> tuple[str, ...]:
        """Bring one schema to this release; return what was done in words. Raises `Fault`."""
        with as_faults():
            return await migrate.migrate(self.dsn_of(schema), schema=schema, report=progress)


@dataclass(frozen=True, slots=True)
class Database:
    """A server whose schemas are this release's, and the keys that open it."""

    server: Server
    encryption_keys: str = field(repr=False)
    jwt_secret_key: str = field(repr=False)
    keyring: Keyring


@asynccontextmanager
async def open_server(settings: Settings, progress: Progress | None = None) -> AsyncIterator[Server]:
    """Start the embedded PostgreSQL, or name that of DATABASE_URL, which is not asked anything yet. Raises `Fault`."""
    if settings.database_url is not None:
        yield Server(settings.database_url, settings.accounting_database_url or settings.database_url)
        return
    prepare_data_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        with as_faults():
            embedded = EmbeddedPostgres(settings.data_dir / DIRECTORY, progress=progress)
            await stack.enter_async_context(embedded)
        yield Server(embedded.dsn(), embedded.dsn(), embedded)


@asynccontextmanager
async def open_database(settings: Settings, progress: Progress | None = None) -> AsyncIterator[Database]:
    """Give the database, migrated if it is embedded or empty, with keys that are its own. Raises `Fault`."""
    async with open_server(settings, progress) as server:
        for schema in SCHEMAS:
            state = await server.state(schema)
            verify_may_migrate(state, schema, embedded=server.embedded is not None)
            if state.kind is not Kind.CURRENT:
                await server.migrate(schema, progress)
        yield await unlock(settings, server)


async def unlock(settings: Settings, server: Server, *, remember: bool = True) -> Database:
    """Return a migrated database with its keys, which are made now if it is embedded and new. Raises `Fault`.

    ``remember``: let the database note a sealing key that it has not seen, and want that key from now on.
    """
    with as_faults():
        encryption_keys, jwt_secret_key = settings.encryption_keys, settings.jwt_secret_key
        if encryption_keys is None or jwt_secret_key is None:
            made = load_or_make_keys(settings.data_dir)
            encryption_keys = encryption_keys or made.encryption_keys
            jwt_secret_key = jwt_secret_key or made.jwt_secret_key
        keyring = Keyring.parse(encryption_keys)
        async with server.connect() as db:
            noting = db.transaction()
            await noting.start()
            await check_keys(db, keyring)
            await (noting.commit() if remember else noting.rollback())
    return Database(server, encryption_keys, jwt_secret_key, keyring)


def prepare_data_dir(data_dir: Path) -> None:
    """Make DATA_DIR if it is missing, and make sure that this user can write there. Raises `Fault`."""
    try:
        make_directory(data_dir)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except OSError as error:
        raise Fault(
            f"DATA_DIR {data_dir} cannot be written ({error.strerror}): give it to this user, "
            "or set DATA_DIR to a directory that is his."
        ) from None


@contextmanager
def as_faults() -> Iterator[None]:
    """Turn what a database may refuse into one sentence. Anything else is a bug, and keeps its traceback."""
    try:
        yield
    except (EmbeddedError, MigrationError, KeyFault) as error:
        raise Fault(str(error)) from error
    except CannotConnect as error:
        raise Fault(
            f"The database cannot be reached ({error}): see that PostgreSQL runs there, and that DATABASE_URL has the "
            "right address, name and password."
        ) from error
    except asyncpg.PostgresError as error:
        raise Fault(f"The database refused ({error}): see its log.") from error


def verify_may_migrate(state: State, schema: Schema, *, embedded: bool) -> None:
    """Make sure that nobody's database is migrated without his asking. Raises `Fault`."""
    if state.kind is Kind.NEWER:
        raise Fault(
            f"The database's schema {schema} is at version {state.version}, newer than this release's {state.wanted}: "
            "install the release that migrated it."
        )
    if state.kind is Kind.OLDER and not embedded:
        raise Fault(
            f"The database's schema {schema} is at version {state.version}, and this release needs {state.wanted}: "
            "make a backup, then run: radiuscore migrate"
        )
