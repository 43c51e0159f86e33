"""Bring a database to the schema this release needs, one schema (``control``, ``accounting``) at a time.

An empty database gets its part of ``schema.sql``, which is the whole current schema; an older one gets the numbered
files it lacks, in order, each in a transaction with its line in ``<schema>.schema_version``. Both end the same, which
a test compares. The advisory lock is taken before any DDL, because even CREATE IF NOT EXISTS races with itself.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Literal, TypeAlias

import asyncpg

from radiuscore.store.pool import Connection, connect

Schema: TypeAlias = Literal["control", "accounting"]

MIGRATION_LOCK: Final = (0x5241, 1)
ROLES: Final = ("radiuscore_isp", "radiuscore_system")
_FILE_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")

LOCK: Final = "SELECT pg_advisory_lock($1, $2)"
TRY_LOCK: Final = "SELECT pg_try_advisory_lock($1, $2)"
UNLOCK: Final = "SELECT pg_advisory_unlock($1, $2)"
HAS_VERSIONS: Final = "SELECT to_regclass($1 || '.schema_version') IS NOT NULL"
CAN_WORK: Final = """
SELECT coalesce(bool_and(pg_has_role(current_user, rolname, CASE WHEN $2 < 16 THEN 'MEMBER' ELSE 'SET' END)), false)
       AND count(*) = cardinality($1::text[])
  FROM pg_roles
 WHERE rolname = ANY ($1)
"""
# The table's name is one of two constants.
FIND_VERSIONS: Final = {
    "control": "SELECT version, sha256 FROM control.schema_version",
    "accounting": "SELECT version, sha256 FROM accounting.schema_version",
}
RECORD_VERSION: Final = {
    "control": """
INSERT INTO control.schema_version (version, name, sha256) VALUES ($1, $2, $3)
    ON CONFLICT (version) DO UPDATE SET name = excluded.name, sha256 = excluded.sha256
""",
    "accounting": """
INSERT INTO accounting.schema_version (version, name, sha256) VALUES ($1, $2, $3)
    ON CONFLICT (version) DO UPDATE SET name = excluded.name, sha256 = excluded.sha256
""",
}


class MigrationError(Exception):
    """The database cannot be brought to this release's schema. The text is for an operator."""


class RolesMissing(MigrationError):
    """The two roles are missing and this user may not make them; ``statements`` are for the server's administrator."""

    def __init__(self, user: str) -> None:
        self.statements = "\n".join(
            [*(f"CREATE ROLE {role} NOLOGIN;" for role in ROLES), f'GRANT {", ".join(ROLES)} TO "{user}";']
        )
        super().__init__(
            f"The database's user {user} may not create the roles that radiuscore works with. Have an administrator "
            f"of the server run this, and start again:\n{self.statements}"
        )


class Kind(Enum):
    """How a database's schema stands to this release's."""

    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class State:
    """What `state` found: the database's version (0 when empty) and this release's."""

    kind: Kind
    version: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file. ``version`` counts from 1, which is the first release's whole schema."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The hash by which an applied file is known to be unchanged."""
        return sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Release:
    """What one release knows of one schema: how to make it, and every step that led there."""

    schema: Schema
    preamble: str
    sql: str
    migrations: tuple[Migration, ...]

    @classmethod
    def load(cls, schema: Schema, root: Traversable | None = None) -> "Release":
        """Read this release's files, or those below ``root`` (``schema.sql`` and ``migrations/``)."""
        package = files("radiuscore")
        text = _schema_sql(package) if root is None else root.joinpath("schema.sql").read_text()
        folder = (package if root is None else root).joinpath("migrations", schema)
        return cls(schema, _preamble(text), _part(text, schema), tuple(_migrations(folder)))

    @property
    def version(self) -> int:
        """The version that this release needs."""
        return self.migrations[-1].version


async def state(db: Connection, schema: Schema, release: Release | None = None) -> State:
    """Return how the database stands to this release (two small queries, no lock)."""
    wanted = (release or Release.load(schema)).version
    version = max(await _applied(db, schema), default=0)
    if version == 0:
        return State(Kind.EMPTY, 0, wanted)
    kind = Kind.CURRENT if version == wanted else Kind.OLDER if version < wanted else Kind.NEWER
    return State(kind, version, wanted)


async def migrate(
    dsn: str, *, schema: Schema, release: Release | None = None, report: Callable[[str], None] | None = None
) -> tuple[str, ...]:
    """Bring one schema to this release's, and return what was done in words; nothing if it was there already.

    ``report`` hears the same while it happens. Two callers at once are safe: the second waits and finds it done.
    Raises `MigrationError`.
    """
    db = await connect(dsn, application_name="radiuscore migrate", command_timeout=None)
    done: list[str] = []

    def tell(what: str) -> None:
        done.append(what)
        if report is not None:
            report(what)

    try:
        await _take_lock(db, report)
        await _migrate_locked(db, release or Release.load(schema), tell)
        await db.execute(UNLOCK, *MIGRATION_LOCK)
    finally:
        await db.close(timeout=5)
    return tuple(done)


async def rehearse(db: Connection, schema: Schema, release: Release | None = None) -> None:
    """Make sure that `migrate` can install a schema that is not there yet: it is made, and undone again.

    Raises `MigrationError`.
    """
    undone = db.transaction()
    await undone.start()
    try:
        await _install(db, release or Release.load(schema))
    finally:
        await undone.rollback()


async def _take_lock(db: Connection, report: Callable[[str], None] | None) -> None:
    if await db.fetchval(TRY_LOCK, *MIGRATION_LOCK):
        return
    if report is not None:
        report("Waiting for another migration of this database")
    await db.execute(LOCK, *MIGRATION_LOCK)


async def _migrate_locked(db: Connection, release: Release, tell: Callable[[str], None]) -> None:
    applied = await _applied(db, release.schema)
    _check_history(release, applied)
    if not applied:
        await _install(db, release)
        tell(f"Created schema {release.schema}, version {release.version}")
        return
    for migration in release.migrations:
        if migration.version <= max(applied):
            if applied.get(migration.version) is None:  # schema.sql was run by hand, and knows no hashes
                await _record(db, release.schema, migration)
        else:
            async with db.transaction():
                await db.execute(release.preamble + migration.sql)
                await _record(db, release.schema, migration)
            tell(f"Migrated schema {release.schema} to version {migration.version} ({migration.name})")


async def _install(db: Connection, release: Release) -> None:
    try:
        async with db.transaction():
            await db.execute(release.preamble + release.sql)
            for migration in release.migrations:
                await _record(db, release.schema, migration)
    except asyncpg.InsufficientPrivilegeError as error:
        if await db.fetchval(CAN_WORK, list(ROLES), db.get_server_version().major):
            raise MigrationError(f"The database's user may not create schema {release.schema}: {error}.") from error
        raise RolesMissing(str(await db.fetchval("SELECT current_user"))) from error
    except asyncpg.RaiseError as error:  # what schema.sql itself finds wrong: an old server, an older schema
        raise MigrationError(f"{error}.") from error


def _check_history(release: Release, applied: dict[int, str | None]) -> None:
    newest = max(applied, default=0)
    if newest > release.version:
        raise MigrationError(
            f"Schema {release.schema} is at version {newest}, newer than this release's {release.version}: "
            "install the release that the database was migrated by."
        )
    for migration in release.migrations:
        if applied.get(migration.version) not in (None, migration.sha256):
            raise MigrationError(
                f"Migration {migration.version:04d}_{migration.name} of schema {release.schema} was applied in another "
                "form than this release has: the installation or the database was altered."
            )


async def _applied(db: Connection, schema: Schema) -> dict[int, str | None]:
    """Return the hash of every version in the database; ``None`` where schema.sql was run by hand."""
    if not await db.fetchval(HAS_VERSIONS, schema):
        return {}
    return {row["version"]: row["sha256"] for row in await db.fetch(FIND_VERSIONS[schema])}


async def _record(db: Connection, schema: Schema, migration: Migration) -> None:
    await db.execute(RECORD_VERSION[schema], migration.version, migration.name, migration.sha256)


def _schema_sql(package: Traversable) -> str:
    """Return schema.sql from inside the wheel, or from beside the package in a checkout."""
    inside = package.joinpath("schema.sql")
    beside = Path(str(package)).parent / "schema.sql"
    return (inside if inside.is_file() else beside).read_text(encoding="utf-8")


def _preamble(text: str) -> str:
    """Return what stands before the first part: the roles, and the functions by which a migration protects a table."""
    return text.partition("-- >>> ")[0]


def _part(text: str, schema: Schema) -> str:
    """Return what stands between the two markers of a schema."""
    _, _, rest = text.partition(f"-- >>> {schema}\n")
    part, end, _ = rest.partition(f"-- <<< {schema}\n")
    if not end:
        raise MigrationError(f"schema.sql has no part {schema}: the installation is damaged.")
    return part


def _migrations(folder: Traversable) -> list[Migration]:
    found = []
    for file in folder.iterdir():
        if match := _FILE_NAME.fullmatch(file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)) or not found:
        raise MigrationError(f"The migrations in {folder} are not numbered 1, 2, 3 and so on: it is damaged.")
    return found
