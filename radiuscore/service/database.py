"""Which database the service works on, and whether it may: the schema's version and the keys are looked at first."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from radiuscore.settings import Settings
from radiuscore.store.embedded import DIRECTORY, EmbeddedPostgres
from radiuscore.store.keys import KEY_FILE, check_keys, load_or_make_keys
from radiuscore.store.migrate import Kind, Schema, state
from radiuscore.store.pool import SYSTEM_ROLE, connect
from radiuscore.store.sealing import BadKeys, Keyring

APPLICATION_NAME: Final = "radiuscore service"
_DRIVER: Final = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")
_SCHEMAS: Final[tuple[Schema, ...]] = ("control", "accounting")


class ServiceError(Exception):
    """The service cannot work with what it was given. The text is one sentence, without any secret."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where to look: two connection strings, ``None`` for the settings' database, and keys, ``None`` for theirs."""

    dsn: str | None = field(repr=False)
    accounting_dsn: str | None = field(repr=False)
    encryption_keys: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Database:
    """Where the two schemas are, and the keys that open them."""

    dsn: str = field(repr=False)
    accounting_dsn: str = field(repr=False)
    keyring: Keyring


def dsn_of(database: Any) -> str | None:
    """Return the connection string in what the service is given: text, or an object with ``.get_bind().url``.

    SQLAlchemy hides the password in ``str(url)``, so it is asked to show it. Raises `TypeError` and `ServiceError`.
    """
    if database is None:
        return None
    if not isinstance(database, str):
        bind = getattr(database, "get_bind", None)
        if bind is None:
            raise TypeError("give a connection string, an object with .get_bind(), or nothing")
        bound = bind()
        url = getattr(bound, "url", None) or bound.engine.url
        shown = getattr(url, "render_as_string", None)
        database = str(url) if shown is None else shown(hide_password=False)
    if not _DRIVER.match(database):
        raise ServiceError("The database is not a PostgreSQL: its connection string must begin with postgresql://.")
    return _DRIVER.sub("postgresql://", database)


@asynccontextmanager
async def open_database(source: Source) -> AsyncIterator[Database]:
    """Give the database, with the embedded PostgreSQL running if it is that.

    Raises `ServiceError`, `SettingsError`, `KeyFault`, `EmbeddedError` and `CannotConnect`.
    """
    settings = Settings.load()
    keys = source.encryption_keys or _keys_of(settings)
    dsn, accounting_dsn = source.dsn or settings.database_url, source.accounting_dsn
    if dsn is None:
        async with EmbeddedPostgres(settings.data_dir / DIRECTORY) as embedded:
            yield await _checked(embedded.dsn(), embedded.dsn(), keys)
        return
    if accounting_dsn is None and dsn_of(settings.database_url) == dsn_of(dsn):
        accounting_dsn = settings.accounting_database_url
    yield await _checked(dsn, accounting_dsn or dsn, keys)


def _keys_of(settings: Settings) -> str:
    if settings.encryption_keys is not None:
        return settings.encryption_keys
    if not (settings.data_dir / KEY_FILE).exists():
        raise ServiceError(
            f"There are no keys to open the database's secrets with: set ENCRYPTION_KEYS, or DATA_DIR to the directory "
            f"that radiuscore serve uses (it is {settings.data_dir}, which has none)."
        )
    return load_or_make_keys(settings.data_dir).encryption_keys


async def _checked(dsn: str, accounting_dsn: str, encryption_keys: str) -> Database:
    try:
        keyring = Keyring.parse(encryption_keys)
    except BadKeys as error:
        raise ServiceError(f"The encryption keys cannot be used: {error}.") from None
    for schema, one in zip(_SCHEMAS, (dsn, accounting_dsn), strict=True):
        db = await connect(one, role=SYSTEM_ROLE, application_name=APPLICATION_NAME)
        try:
            found = await state(db, schema)
            if found.kind in (Kind.EMPTY, Kind.OLDER):
                raise ServiceError(
                    f"The database's schema {schema} is at version {found.version}, and this release needs "
                    f"{found.wanted}: run radiuscore migrate."
                )
            if schema == "control":
                await check_keys(db, keyring)
        finally:
            await db.close(timeout=5)
    return Database(dsn, accounting_dsn, keyring)
