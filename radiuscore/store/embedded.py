"""The PostgreSQL that runs when no DATABASE_URL is given: its life from the first start to the last user's exit.

The kernel's locks say who uses it: whoever holds ``users`` shared is a user, and a lock ends with its process, so a
``kill -9`` leaves nothing to clean up. Directories that exist are taken as they are; of those made here the database's
user owns only what the database writes. The server has a session of its own, so that Ctrl-C reaches us and not it.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Final
from urllib.parse import quote

import asyncpg

from radiuscore.store.pgbinaries import (
    Account,
    EmbeddedError,
    NoPostgres,
    Process,
    find_bindir,
    major_version,
    usable_by,
)

__all__ = ["OWNER", "EmbeddedError", "EmbeddedPostgres", "NoPostgres", "find_bindir", "make_directory"]

OWNER: Final = "radiuscore"  # the role that owns the database: no superuser, so that row-level security binds it too
DIRECTORY: Final = "postgres"  # below DATA_DIR: where every program of an installation finds the same one
_SUPERUSER: Final = "postgres"
_MAX_SOCKET_DIR: Final = 80  # octets; sun_path is 108 (104 on macOS) and the socket's name takes 16
_PLAIN_PATH: Final = re.compile(r"[\w/.@+-]+", re.ASCII)  # what needs no quoting in a DSN and in postgresql.conf
_FAULT: Final = re.compile(r"(error|FATAL|PANIC):  ?")
_START_TIMEOUT_S: Final = 120.0  # recovery after a crash replays the log first
_STOP_TIMEOUT_S: Final = 60.0
_LOCKED_TIMEOUT_S: Final = 10.0  # how long a killed server's children may hold on to its data directory
_POLL_S: Final = 0.02
_MAX_LOG_OCTETS: Final = 10_000_000


class EmbeddedPostgres:
    """A PostgreSQL below ``home``, shared by every process that enters it and stopped by the last that leaves.

    ``async with EmbeddedPostgres(path) as server: connect(server.dsn())``. ``ephemeral`` trades durability for speed
    (tests). ``progress`` is told in words what a slow first start is doing. Entering raises `EmbeddedError`.
    """

    def __init__(
        self, home: str | Path, *, ephemeral: bool = False, progress: Callable[[str], None] | None = None
    ) -> None:
        self.home: Final = Path(home).absolute()
        self.version = ""
        self._data = self.home / "data"
        self._ephemeral = ephemeral
        self._progress = progress or (lambda _: None)
        self._account = Account.choose(self._data)
        self._socket_dir = _socket_dir(self.home)
        self._process: Process | None = None
        self._users: IO[str] | None = None

    def dsn(self, db: str = OWNER, *, user: str = OWNER) -> str:
        """Return the connection string of a database; its owner is `OWNER`, the superuser ``postgres``."""
        return f"postgresql://{user}@/{quote(db)}?host={self._socket_dir}"

    async def __aenter__(self) -> "EmbeddedPostgres":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Join the server's users, and start it unless it runs already. Raises `EmbeddedError`."""
        self._prepare_directories()
        try:
            async with self._exclusive():
                self._users = _open_lock(self.home / "users")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                await self._run_server()
        except BaseException:
            await self.stop()
            raise

    async def revive(self) -> bool:
        """Start the server again if it is gone (killed, out of memory); return whether that was needed."""
        async with self._exclusive():
            if await self._answers():
                return False
            await self._run_server()
            return True

    async def stop(self) -> None:
        """Leave, and stop the server if nobody else uses it. Safe to call again."""
        if self._users is None:
            return
        async with self._exclusive():
            users, self._users = self._users, None
            with users:
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._let_go()
                    return
                await self._stop_server()

    # -- directories ---------------------------------------------------------------------------------------------

    def _prepare_directories(self) -> None:
        try:
            make_directory(self.home, self._account)
            _make_database_directory(self._socket_dir, self._account)
        except PermissionError as error:
            raise EmbeddedError(
                f"{error.filename} cannot be made by this user: set DATA_DIR to a directory that is yours."
            ) from error
        found = self._socket_dir.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != self._account.uid or found.st_mode & 0o077:
            raise EmbeddedError(
                f"{self._socket_dir} must be a directory of uid {self._account.uid} with mode 0700, and is not: "
                "remove it; it is made again."
            )
        if not self._account.can_enter(self.home):
            raise EmbeddedError(
                f"{self.home} cannot be reached by the database's user (uid {self._account.uid}; PostgreSQL does not "
                "run as root), because a directory above it is closed: choose a DATA_DIR that does not exist yet "
                "below an open directory, such as /var/lib/radiuscore, or set DATABASE_URL."
            )

    @contextlib.asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[None]:
        """Hold the lock under which the server is started and stopped."""
        with _open_lock(self.home / "lock") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(_POLL_S)
            yield

    # -- the server ----------------------------------------------------------------------------------------------

    async def _run_server(self) -> None:
        if not await self._answers():
            bindir = await asyncio.to_thread(self._find_programs)
            if not (self._data / "PG_VERSION").exists():
                self._progress(f"Creating the database in {self.home} (once)")
                await asyncio.to_thread(self._initdb, bindir)
            self._progress("Starting PostgreSQL")
            await self._launch_until_it_answers(bindir)
        await self._make_owner_and_database()

    def _find_programs(self) -> Path:
        made_by = self._data / "PG_VERSION"
        major = int(made_by.read_text()) if made_by.exists() else None
        try:
            bindir = find_bindir(major)
        except NoPostgres as error:
            if major is None:
                raise
            raise NoPostgres(
                f"{self._data} was made by PostgreSQL {major}, which is not installed: set PG_BINDIR to the programs "
                f"of version {major}; to upgrade, dump with those (pg_dumpall) and restore into a new DATA_DIR."
            ) from error
        if not self._account.can_enter(bindir / "postgres"):
            self._progress("Copying PostgreSQL to where its user can run it")
        return usable_by(self._account, bindir, self.home / "pgsql")

    def _initdb(self, bindir: Path) -> None:
        """Make the data directory; complete, or not there at all, whenever we are killed."""
        unfinished = self.home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        _make_database_directory(unfinished, self._account)
        # Letters of every language fold to lower case: in C, only PostgreSQL 17 and newer can do that for all machines.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if major_version(bindir) >= 17 else []
        command = [
            str(bindir / "initdb"),
            "-D",
            str(unfinished),
            "-U",
            _SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
        ]
        status, said = self._account.run([*command, *locale, *(["--no-sync"] if self._ephemeral else [])], self.home)
        if status != 0:
            raise EmbeddedError(f"PostgreSQL's initdb failed in {self.home}: {_what_is_wrong(said)}.")
        unfinished.rename(self._data)

    async def _launch_until_it_answers(self, bindir: Path) -> None:
        deadline = _now() + _LOCKED_TIMEOUT_S
        while True:
            log = _fresh_log(self.home / "postgres.log")
            began = log.stat().st_size
            self._launch(bindir, log)
            if await self._wait_until_it_answers():
                return
            with log.open("rb") as lines:
                lines.seek(began)
                said = lines.read()
            still_held = b"postmaster.pid" in said or b"shared memory" in said
            if not still_held or _now() > deadline:
                raise EmbeddedError(f"PostgreSQL does not start ({_what_is_wrong(said)}): {log} has the rest.")
            await asyncio.sleep(0.5)  # a killed server's children are still there

    def _launch(self, bindir: Path, log: Path) -> None:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": self._socket_dir,
            "unix_socket_permissions": "0700",
            "log_checkpoints": "off",
        }
        if self._ephemeral:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(bindir / "postgres"), "-D", str(self._data)]
        settings = [f"--{name}={value}" for name, value in options.items()]
        if self._process is not None:
            self._process.poll()  # a killed one is buried here, or its pid would seem to be in use
        with log.open("ab") as out:
            environ = os.environ | self._ignore_reused_pid()
            self._process = self._account.spawn([*command, *settings], self.home, out, environ)

    def _ignore_reused_pid(self) -> dict[str, str]:
        """Return the variable that makes PostgreSQL pass over a pid file whose pid another program has by now.

        After a power cut a container starts with the same few pids, and PostgreSQL would refuse for ever. It still
        looks for processes in the old server's shared memory.
        """
        pid = self._pid_in_file()
        name = Path(f"/proc/{pid}/comm")
        if pid is None or not name.exists() or name.read_text().strip() == "postgres":
            return {}
        return {"PG_GRANDPARENT_PID": str(pid)}

    async def _wait_until_it_answers(self) -> bool:
        assert self._process is not None
        deadline = _now() + _START_TIMEOUT_S
        while self._process.poll() is None:
            if await self._answers():
                return True
            if _now() > deadline:
                raise EmbeddedError(f"PostgreSQL is not ready after {_START_TIMEOUT_S:.0f} s: see {self.home}.")
            await asyncio.sleep(_POLL_S)
        return False

    async def _answers(self) -> bool:
        try:
            db = await asyncpg.connect(self.dsn("postgres", user=_SUPERUSER), timeout=5)
        except (OSError, asyncpg.CannotConnectNowError):
            return False
        self.version = db.get_settings().server_version.split()[0]
        await db.close()
        return True

    async def _make_owner_and_database(self) -> None:
        db = await asyncpg.connect(self.dsn("postgres", user=_SUPERUSER), timeout=5)
        try:
            if await db.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", OWNER) is None:
                await db.execute("CREATE ROLE radiuscore LOGIN CREATEROLE")
            if await db.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", OWNER) is None:
                await db.execute("CREATE DATABASE radiuscore OWNER radiuscore")
        finally:
            await db.close()

    async def _stop_server(self) -> None:
        pid = await self._server_pid()
        if pid is not None:
            os.kill(pid, signal.SIGINT)  # fast: ends the sessions, writes everything
            deadline = _now() + _STOP_TIMEOUT_S
            while self._pid_in_file() == pid and (self._process is None or self._process.poll() is None):
                if _now() > deadline:
                    os.kill(pid, signal.SIGQUIT)  # at once; the next start replays the log
                    break
                await asyncio.sleep(_POLL_S)
        if self._process is not None:
            # Not in a thread: at the interpreter's end none can be had any more.
            while self._process.poll() is None:  # noqa: ASYNC110  # a child's end sets no event
                await asyncio.sleep(_POLL_S)
            self._process = None
        if self._socket_dir.parent != self.home:  # ours alone, in /tmp
            with contextlib.suppress(OSError):
                self._socket_dir.rmdir()

    def _let_go(self) -> None:
        """Leave the server to its other users: it is a child that this process will not wait for."""
        if self._process is not None:
            self._process.returncode = 0
            self._process = None

    async def _server_pid(self) -> int | None:
        """Return the pid of the running server; never one that only stands in a dead server's file."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        return self._pid_in_file() if await self._answers() else None

    def _pid_in_file(self) -> int | None:
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            return int((self._data / "postmaster.pid").read_text().split()[0])
        return None


def is_reachable(path: Path) -> bool:
    """Tell whether the database's user could get to a directory that is made here: as root, he is another one."""
    existing = next(each for each in (path, *path.parents) if each.exists())
    return Account.choose(path).can_enter(existing)


def make_directory(path: Path, account: Account | None = None) -> None:
    """Make a directory and those above it that are missing, closed to others. What exists already stays as it is.

    Use it for DATA_DIR: as root they are root's with the group of the database's user and mode 0710, so that he passes
    through and changes nothing there. Were they his, a link that he made could lead root to any file.
    """
    missing = [each for each in (path, *path.parents) if not each.exists()]
    if not missing:
        return
    owner = account or Account.choose(path)
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        if owner.steps_down:
            os.chown(each, -1, owner.gid)
            each.chmod(0o710)


def _make_database_directory(path: Path, account: Account) -> None:
    """Make a directory of the database's user, mode 0700. One that exists stays as it is."""
    make_directory(path.parent, account)
    if path.exists():
        return
    path.mkdir(mode=0o700, exist_ok=True)
    if account.steps_down:
        os.chown(path, account.uid, account.gid)


def _socket_dir(home: Path) -> Path:
    near = home / "run"
    if len(os.fsencode(near)) <= _MAX_SOCKET_DIR and _PLAIN_PATH.fullmatch(str(near)):
        return near
    return Path("/tmp", "radiuscore-" + hashlib.sha256(os.fsencode(home)).hexdigest()[:16])


def _open_lock(path: Path) -> IO[str]:
    try:
        return path.open("w")
    except PermissionError as error:
        raise EmbeddedError(f"{path} belongs to another user: start as that user, or set another DATA_DIR.") from error


def _fresh_log(path: Path) -> Path:
    if path.exists() and path.stat().st_size > _MAX_LOG_OCTETS:
        path.rename(path.with_suffix(".log.1"))
    path.touch(mode=0o600)
    return path


def _what_is_wrong(output: bytes) -> str:
    """Return the first fault that a program told of, for it may have said more since; without one its last line."""
    lines = output.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    faults = [line[found.start() :] for line in lines if (found := _FAULT.search(line))]
    return (faults[0] if faults else lines[-1]).strip().rstrip(".")


def _now() -> float:
    return asyncio.get_running_loop().time()
