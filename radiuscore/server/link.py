"""One database connection that is opened when it is first needed and again after it was lost."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg

from radiuscore.store.pool import DirectConnection

Connect: TypeAlias = Callable[[], Awaitable[DirectConnection]]

_log: Final = logging.getLogger(__name__)

# SQLSTATE classes that speak of what was written: cardinality, data, constraint, program limit. Every other one
# (connection, shutdown, read-only after a failover, privileges, no space) says nothing of the record.
_ABOUT_THE_DATA: Final = frozenset({"21", "22", "23", "54"})


class DatabaseAway(Exception):
    """The database cannot do any work now: not there, too slow, or refusing everybody. Ask again later."""


class DatabaseLink:
    """Lends its connection to one user at a time. ``name`` says in the log what waits when it is away."""

    def __init__(self, connect: Connect, name: str) -> None:
        self._connect = connect
        self._name = name
        self._connection: DirectConnection | None = None
        self._away_since: float | None = None

    @asynccontextmanager
    async def use(self, timeout_s: float) -> AsyncIterator[DirectConnection]:
        """Lend the connection for work that takes at most ``timeout_s`` seconds.

        Raises DatabaseAway where the database is at fault; an error that the work itself is to blame for passes
        through. When time is up the connection is cut and no cancel request is sent: a cancelled commit that waits
        for a standby would be visible without being safe.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._open()
        except Exception as error:
            raise self._away(error) from error
        alarm = loop.call_later(timeout_s, connection.terminate)
        try:
            yield connection
        except Exception as error:
            if is_about_the_data(error) and not connection.is_closed():  # of a closed one any error may come
                raise
            self.drop()
            raise self._away(error) from error
        except BaseException:
            self.drop()
            raise
        finally:
            alarm.cancel()
        self._back()

    def drop(self) -> None:
        """Cut the connection; the next user gets a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Close the connection in good order, within two seconds."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await connection.close(timeout=2)
        except (OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
            connection.terminate()

    async def _open(self) -> DirectConnection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection

    def _away(self, error: BaseException) -> DatabaseAway:
        if self._away_since is None:
            self._away_since = asyncio.get_running_loop().time()
            _log.warning("the database is away", extra={"waiting": self._name, "error": _describe(error)})
        return DatabaseAway(_describe(error))

    def _back(self) -> None:
        if self._away_since is not None:
            seconds = round(asyncio.get_running_loop().time() - self._away_since, 1)
            self._away_since = None
            _log.info("the database is back", extra={"waiting": self._name, "away_s": seconds})


def is_about_the_data(error: BaseException) -> bool:
    """Tell whether what was written is to blame, so that writing it again cannot succeed."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _ABOUT_THE_DATA
    if isinstance(error, asyncpg.InterfaceError):
        return isinstance(error, ValueError)
    return not isinstance(error, OSError | asyncpg.InternalClientError)


def _describe(error: BaseException) -> str:
    """Return an error for the log without the statement's values, which the server puts into DETAIL and CONTEXT."""
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
