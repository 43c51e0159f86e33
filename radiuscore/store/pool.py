"""Connections to PostgreSQL: found among several hosts, in the role they work in, with the types the records use.

Several hosts (``postgresql://db1,db2/radius``) are tried all at once, each on its own timeout, and the first that
takes writes wins. asyncpg's own list is tried in order under one timeout, so that a frozen first host is never passed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg
import orjson
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

DirectConnection: TypeAlias = "asyncpg.Connection[Any]"
Connection: TypeAlias = "DirectConnection | PoolConnectionProxy[Any]"
Pool: TypeAlias = "asyncpg.Pool[Any]"

SYSTEM_ROLE: Final = "radiuscore_system"
ISP_ROLE: Final = "radiuscore_isp"
CONNECT_TIMEOUT_S: Final = 5.0
COMMAND_TIMEOUT_S: Final = 10.0

SET_ISP: Final = "SELECT set_config('app.isp_id', $1, true)"


class CannotConnect(ConnectionError):
    """No host of the connection string took the connection. Names hosts and reasons, never user or password."""

    def __init__(self, reasons: dict[str, BaseException]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(f"{host}: {_reason(error)}" for host, error in reasons.items()))


async def connect(
    dsn: str,
    *,
    role: str | None = None,
    application_name: str = "radiuscore",
    connect_timeout: float = CONNECT_TIMEOUT_S,
    command_timeout: float | None = COMMAND_TIMEOUT_S,
) -> DirectConnection:
    """Return a connection to the first host that answers and takes writes; timeouts in seconds.

    ``role`` is what the connection acts as, also after a pool has reset it; by default the one that logs in.
    Raises `CannotConnect`.
    """
    settings = {"application_name": application_name, "timezone": "UTC"} | ({"role": role} if role else {})

    async def try_host(one: str) -> DirectConnection:
        db: DirectConnection = await asyncpg.connect(
            one,
            timeout=connect_timeout,
            command_timeout=command_timeout,
            server_settings=settings,
            target_session_attrs=SessionAttribute.read_write,
        )
        try:
            await _set_codecs(db)
        except BaseException:
            db.terminate()
            raise
        return db

    attempts = {asyncio.create_task(try_host(one)): host for host, one in split_hosts(dsn).items()}
    return await _first(attempts)


async def open_pool(
    dsn: str,
    *,
    role: str | None = SYSTEM_ROLE,
    application_name: str = "radiuscore",
    min_size: int = 1,
    max_size: int = 8,
    command_timeout: float | None = COMMAND_TIMEOUT_S,
) -> Pool:
    """Return a pool of such connections. Close it; raises `CannotConnect` if the first one cannot be made."""

    async def make(*_: Any, **__: Any) -> DirectConnection:
        return await connect(dsn, role=role, application_name=application_name, command_timeout=command_timeout)

    return await asyncpg.create_pool(connect=make, min_size=min_size, max_size=max_size)


@asynccontextmanager
async def as_isp(pool: Pool, isp_id: int) -> AsyncIterator[Connection]:
    """Give a connection of a pool of role `ISP_ROLE`, in a transaction that sees one ISP's rows and no others.

    The setting ends with the transaction, so that the next user of the connection has none, which is an error there.
    """
    async with pool.acquire() as db, db.transaction():
        await db.execute(SET_ISP, str(isp_id))
        yield db


def split_hosts(dsn: str) -> dict[str, str]:
    """Return one connection string per host, keyed by how the host is shown to people (``db1:5432``).

    Hosts stand in the address or in the parameter ``host``, ports in either place, as libpq has it.
    """
    url = urlsplit(dsn)
    login, at, location = url.netloc.rpartition("@")
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    hosts = query.pop("host", "") or location
    if not hosts:
        return {"the default host": dsn}
    ports = query.pop("port", "").split(",")
    given = hosts.split(",")
    if len(ports) not in (1, len(given)):
        raise ValueError(f"{len(given)} hosts but {len(ports)} ports")
    ports = ports * len(given) if len(ports) == 1 else ports
    found = {}
    for host, port in zip(given, ports, strict=True):
        if host.startswith("/"):
            one = url._replace(netloc=login + at, query=urlencode(query | {"host": host} | _port(port), safe="/"))
            shown = host
        else:
            shown = host if not port or _has_port(host) else f"{host}:{port}"
            one = url._replace(netloc=login + at + quote(shown, safe=":[]%"), query=urlencode(query))
        found[shown] = urlunsplit(one)
    return found


async def _first(attempts: dict[asyncio.Task[DirectConnection], str]) -> DirectConnection:
    """Return the first success and undo the others; raise what all of them said if there is none."""
    reasons: dict[str, BaseException] = {}
    try:
        pending = set(attempts)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (error := task.exception()) is None:
                    del attempts[task]
                    return task.result()
                reasons[attempts[task]] = error
    finally:
        await _undo(attempts)
    raise CannotConnect(reasons) from next(iter(reasons.values()))


async def _undo(attempts: dict[asyncio.Task[DirectConnection], str]) -> None:
    for task in attempts:
        task.cancel()
    for result in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(result, asyncpg.Connection):
            result.terminate()


async def _set_codecs(db: DirectConnection) -> None:
    """Make json and jsonb plain Python values; inet, cidr and uuid are asyncpg's own doing."""
    for name in ("json", "jsonb"):
        await db.set_type_codec(name, schema="pg_catalog", encoder=_to_json, decoder=orjson.loads)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _port(port: str) -> dict[str, str]:
    return {"port": port} if port else {}


def _reason(error: BaseException) -> str:
    match error:
        case TimeoutError():
            return "no answer"
        case asyncpg.TargetServerAttributeNotMatched():
            return "takes no writes"
        case _:
            return str(error) or type(error).__name__
