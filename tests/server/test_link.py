"""A worker's connection to the database: opened when needed, cut when late, and whose fault an error is."""

import logging
from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import pytest

from radiuscore.server.link import DatabaseAway, DatabaseLink, is_about_the_data
from radiuscore.store.pool import DirectConnection, connect

pytestmark = pytest.mark.postgres


@pytest.fixture
async def link(empty_database: str) -> AsyncIterator[DatabaseLink]:
    link = DatabaseLink(partial(connect, empty_database), "a test")
    yield link
    await link.close()


async def pid_of(link: DatabaseLink) -> int:
    async with link.use(5) as db:
        return int(await db.fetchval("SELECT pg_backend_pid()"))


@pytest.fixture
async def observer(empty_database: str) -> AsyncIterator[DirectConnection]:
    connection = await connect(empty_database)
    yield connection
    await connection.close(timeout=5)


async def test_one_connection_serves_one_user_after_the_other(link: DatabaseLink) -> None:
    assert await pid_of(link) == await pid_of(link)


async def test_a_cut_connection_is_made_anew(link: DatabaseLink, observer: DirectConnection) -> None:
    pid = await pid_of(link)
    await observer.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    away = 0
    while (found := await _pid_or_none(link)) is None:
        away += 1
        assert away < 3
    assert found != pid


async def _pid_or_none(link: DatabaseLink) -> int | None:
    try:
        return await pid_of(link)
    except DatabaseAway:
        return None


async def test_the_works_own_fault_passes_through_and_costs_no_connection(link: DatabaseLink) -> None:
    pid = await pid_of(link)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with link.use(5) as db:
            await db.fetchval("SELECT 1 / 0")
    assert await pid_of(link) == pid


async def test_what_takes_too_long_is_cut_and_not_cancelled(link: DatabaseLink, observer: DirectConnection) -> None:
    """A cancelled commit that waits for a standby would be visible without being safe."""
    pid = await pid_of(link)
    with pytest.raises(DatabaseAway):
        async with link.use(0.1) as db:
            await db.execute("SELECT pg_sleep(2)")
    assert await observer.fetchval("SELECT state FROM pg_stat_activity WHERE pid = $1", pid) == "active"
    assert await pid_of(link) != pid


async def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    there = False

    async def maybe() -> DirectConnection:
        if not there:
            raise ConnectionRefusedError("connection refused")
        return await connect(empty_database)

    link = DatabaseLink(maybe, "a test")
    for _ in range(3):
        with pytest.raises(DatabaseAway, match="ConnectionRefusedError"):
            await pid_of(link)
    there = True
    await pid_of(link)
    await pid_of(link)
    await link.close()
    assert [record.getMessage() for record in caplog.records] == ["the database is away", "the database is back"]


@pytest.mark.parametrize(
    ("error", "to_blame"),
    [
        (asyncpg.CheckViolationError("x"), True),
        (asyncpg.CardinalityViolationError("x"), True),
        (asyncpg.NumericValueOutOfRangeError("x"), True),
        (asyncpg.DataError("x"), True),
        (ValueError("x"), True),
        (KeyError("x"), True),
        (asyncpg.ConnectionDoesNotExistError("x"), False),
        (asyncpg.ReadOnlySQLTransactionError("x"), False),
        (asyncpg.AdminShutdownError("x"), False),
        (asyncpg.CannotConnectNowError("x"), False),
        (asyncpg.TooManyConnectionsError("x"), False),
        (asyncpg.InsufficientPrivilegeError("x"), False),
        (asyncpg.DeadlockDetectedError("x"), False),
        (asyncpg.DiskFullError("x"), False),
        (asyncpg.UndefinedTableError("x"), False),
        (asyncpg.InterfaceError("connection is closed"), False),
        (asyncpg.InternalClientError("x"), False),
        (asyncpg.TargetServerAttributeNotMatched("x"), False),
        (TimeoutError(), False),
        (ConnectionResetError(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_whose_fault_an_error_is(error: Exception, to_blame: bool) -> None:
    assert is_about_the_data(error) is to_blame
