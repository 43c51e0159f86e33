"""The embedded PostgreSQL: its directories, its sharing, and every way in which it may have ended before."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from radiuscore.store.embedded import EmbeddedError, EmbeddedPostgres, NoPostgres, find_bindir, make_directory
from radiuscore.store.pgbinaries import Account, major_version

pytestmark = pytest.mark.postgres

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")

OTHER_STARTER = """
import asyncio, sys
from radiuscore.store.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(sys.argv[1]) as server:
        print("started", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _programs() -> None:
    try:
        find_bindir()
    except NoPostgres as error:
        pytest.skip(str(error))


@pytest.fixture
def home() -> Iterator[Path]:
    """A path that is not there yet, where the database's user may go (pytest's own directories are closed to him)."""
    path = Path("/tmp", f"radiuscore-embedded-{secrets.token_hex(6)}")
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def ask(server: EmbeddedPostgres, query: str) -> object:
    db = await asyncpg.connect(server.dsn())
    try:
        return await db.fetchval(query)
    finally:
        await db.close()


async def is_gone(server: EmbeddedPostgres) -> bool:
    try:
        await ask(server, "SELECT 1")
    except OSError:
        return True
    return False


def postmaster(home: Path) -> int:
    return int((home / "data" / "postmaster.pid").read_text().split()[0])


def mode_and_owner(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mode & 0o777, found.st_uid, found.st_gid


def make(path: Path, mode: int) -> None:
    path.mkdir()
    path.chmod(mode)


def answers(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


async def kill_server(home: Path) -> None:
    pid = postmaster(home)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while answers(pid):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@asynccontextmanager
async def stranger(user: int | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program that has nothing to do with us."""
    process = await asyncio.create_subprocess_exec("sleep", "60", user=user)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def start_other(home: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_STARTER, str(home), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"started\n"
    return process


async def kill_hard(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


# -- start and stop ----------------------------------------------------------------------------------------------------


async def test_gives_a_database_whose_owner_is_bound_by_row_level_security(home: Path) -> None:
    told: list[str] = []
    server = EmbeddedPostgres(home, ephemeral=True, progress=told.append)

    async with server:
        assert await ask(server, "SELECT current_user::text || ' ' || current_database()") == "radiuscore radiuscore"
        assert await ask(server, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user") is False
        assert server.version.split(".")[0] == str(major_version(find_bindir()))

    assert await is_gone(server)
    # Before them one more, where the programs lie below a closed directory.
    assert told[-2:] == [f"Creating the database in {home} (once)", "Starting PostgreSQL"]


async def test_keeps_data_over_a_restart(home: Path) -> None:
    async with EmbeddedPostgres(home) as server:
        await ask(server, "CREATE TABLE kept AS SELECT 7 AS n")
    async with EmbeddedPostgres(home) as server:
        assert await ask(server, "SELECT n FROM kept") == 7


async def test_the_last_of_several_users_stops_it(home: Path) -> None:
    first, second = EmbeddedPostgres(home, ephemeral=True), EmbeddedPostgres(home, ephemeral=True)
    await asyncio.gather(first.start(), second.start())

    await first.stop()
    assert await ask(second, "SELECT 1") == 1
    await second.stop()
    assert await is_gone(second)


async def test_is_shared_by_two_processes(home: Path) -> None:
    other = await start_other(home)
    async with EmbeddedPostgres(home) as server:
        other.terminate()
        await other.wait()
        assert await ask(server, "SELECT 1") == 1
    assert await is_gone(server)


# -- after a kill ------------------------------------------------------------------------------------------------------


async def test_attaches_to_the_server_of_a_killed_process_and_stops_it_in_the_end(home: Path) -> None:
    await kill_hard(await start_other(home))
    pid = postmaster(home)

    async with EmbeddedPostgres(home) as server:
        assert await ask(server, "SELECT 1") == 1
        assert postmaster(home) == pid
    assert await is_gone(server)


async def test_recovers_when_everything_was_killed(home: Path) -> None:
    other = await start_other(home)
    server = EmbeddedPostgres(home)
    await ask(server, "CREATE TABLE kept AS SELECT 7 AS n")
    await kill_server(home)
    await kill_hard(other)

    async with server:
        assert await ask(server, "SELECT n FROM kept") == 7


async def test_revives_a_server_that_was_killed(home: Path) -> None:
    async with EmbeddedPostgres(home) as server:
        await ask(server, "CREATE TABLE kept AS SELECT 7 AS n")
        assert await server.revive() is False
        await kill_server(home)

        assert await server.revive() is True
        assert await ask(server, "SELECT n FROM kept") == 7


async def test_starts_when_the_pid_of_a_dead_server_is_another_programs_now(home: Path) -> None:
    async with EmbeddedPostgres(home, ephemeral=True):
        left_behind = (home / "data" / "postmaster.pid").read_text()
    account = Account.choose(home / "data")
    async with stranger(account.uid if account.steps_down else None) as other:
        _, rest = left_behind.split("\n", 1)
        (home / "data" / "postmaster.pid").write_text(f"{other.pid}\n{rest}")

        async with EmbeddedPostgres(home, ephemeral=True) as server:
            assert await ask(server, "SELECT 1") == 1
        assert answers(other.pid), "the stranger was mistaken for the server"


async def test_never_signals_a_pid_that_is_not_the_servers(home: Path) -> None:
    async with EmbeddedPostgres(home, ephemeral=True) as server:
        await kill_server(home)
        async with stranger() as other:
            (home / "data" / "postmaster.pid").write_text(f"{other.pid}\n")
            await server.stop()
            assert answers(other.pid)


async def test_starts_after_an_unfinished_initdb(home: Path) -> None:
    make_directory(home / "data.new")
    (home / "data.new" / "PG_VERSION").write_text("15\n")
    async with EmbeddedPostgres(home, ephemeral=True) as server:
        assert await ask(server, "SELECT 1") == 1


# -- directories -------------------------------------------------------------------------------------------------------


async def test_leaves_directories_that_exist_as_they_are(home: Path) -> None:
    make(home, 0o751)
    before = mode_and_owner(home)
    async with EmbeddedPostgres(home, ephemeral=True):
        assert mode_and_owner(home) == before
        assert mode_and_owner(home / "data")[0] == mode_and_owner(home / "run")[0] == 0o700


async def test_makes_missing_directories_private(home: Path) -> None:
    async with EmbeddedPostgres(home / "data dir" / "postgres", ephemeral=True) as server:
        assert await ask(server, "SELECT 1") == 1
    private = 0o710 if os.geteuid() == 0 else 0o700  # to root's, the database's user has the way through
    for made in (home, home / "data dir", home / "data dir" / "postgres"):
        assert mode_and_owner(made)[:2] == (private, os.geteuid())


@as_root
async def test_the_databases_user_owns_only_what_the_database_writes(home: Path) -> None:
    """Root opens files beside it, and must not be led elsewhere by a link that this user made."""
    async with EmbeddedPostgres(home / "postgres", ephemeral=True):
        owned = {
            path.name for path in (home, *home.rglob("*")) if path.lstat().st_uid != 0 and path.parent.owner() == "root"
        }
        assert owned == {"data", "run"}


@as_root
async def test_says_which_directory_is_closed_to_the_databases_user(home: Path) -> None:
    make(home, 0o700)
    with pytest.raises(EmbeddedError, match="cannot be reached by the database's user"):
        await EmbeddedPostgres(home / "postgres", ephemeral=True).start()
    assert mode_and_owner(home) == (0o700, 0, 0)


@as_root
async def test_copies_programs_that_are_below_a_closed_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bindir = find_bindir()
    if bindir.parent.name != "pginstall":
        pytest.skip("Debian's programs do not move, and are never below a closed directory")
    closed = home.with_name(home.name + "-closed")
    make(closed, 0o700)
    try:
        package = bindir.parent.parent
        (closed / package.name).symlink_to(package)
        (closed / f"{package.name}.libs").symlink_to(package.with_name(f"{package.name}.libs"))
        monkeypatch.setenv("PG_BINDIR", str(closed / package.name / "pginstall" / "bin"))

        async with EmbeddedPostgres(home, ephemeral=True) as server:
            assert await ask(server, "SELECT 1") == 1
        assert (home / "pgsql" / package.name / "pginstall" / "bin" / "postgres").exists()
        assert mode_and_owner(closed) == (0o700, 0, 0)
    finally:
        shutil.rmtree(closed)


async def test_works_below_a_path_too_long_for_a_socket(home: Path) -> None:
    async with EmbeddedPostgres(home / ("long" * 30) / "postgres", ephemeral=True) as server:
        assert await ask(server, "SELECT 1") == 1
        socket_dir = Path(server.dsn().partition("host=")[2])
        assert len(str(socket_dir)) < 80
    assert not os.access(socket_dir, os.F_OK)


async def test_refuses_a_socket_directory_that_somebody_else_prepared(home: Path) -> None:
    server = EmbeddedPostgres(home / ("long" * 30), ephemeral=True)
    socket_dir = Path(server.dsn().partition("host=")[2])
    make(socket_dir, 0o777)
    try:
        with pytest.raises(EmbeddedError, match="must be a directory of uid"):
            await server.start()
    finally:
        os.rmdir(socket_dir)


async def test_says_why_initdb_failed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = home.with_name(home.name + "-programs")
    make(programs, 0o755)
    try:
        (programs / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 16.1'\n")
        (programs / "initdb").write_text(
            "#!/bin/sh\necho 'running bootstrap script ... FATAL:  could not extend file: No space left on device'\n"
            "echo 'child process exited with exit code 134'\necho 'initdb: removing data directory'\nexit 1\n"
        )
        for program in programs.iterdir():
            program.chmod(0o755)
        monkeypatch.setenv("PG_BINDIR", str(programs))
        with pytest.raises(
            EmbeddedError, match=r"failed in .*: FATAL:  could not extend file: No space left on device\.$"
        ):
            await EmbeddedPostgres(home, ephemeral=True).start()
    finally:
        shutil.rmtree(programs)


# -- programs ----------------------------------------------------------------------------------------------------------


async def test_names_the_version_that_made_the_data(home: Path) -> None:
    async with EmbeddedPostgres(home, ephemeral=True):
        pass
    (home / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(NoPostgres, match="was made by PostgreSQL 9, which is not installed: set PG_BINDIR"):
        await EmbeddedPostgres(home, ephemeral=True).start()


def test_names_a_wrong_pg_bindir(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BINDIR", str(home))
    with pytest.raises(NoPostgres, match=f"PG_BINDIR={home} has no postgres and initdb"):
        find_bindir()


def test_says_what_to_do_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radiuscore.store.pgbinaries._bindirs", lambda: iter(()))
    with pytest.raises(NoPostgres, match=r"set DATABASE_URL, or pip install 'radiuscore\[embedded\]'"):
        find_bindir()


async def test_shows_why_postgres_does_not_start(home: Path) -> None:
    async with EmbeddedPostgres(home, ephemeral=True):
        pass
    with (home / "data" / "postgresql.conf").open("a") as conf:
        conf.write("max_connections = nonsense\n")
    with pytest.raises(EmbeddedError, match=r"PostgreSQL does not start .*postgres\.log has the rest"):
        await EmbeddedPostgres(home, ephemeral=True).start()
