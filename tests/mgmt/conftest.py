"""A command line to run, and settings of an installation to run it for."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.conftest import free_ports

JWT_SECRET_KEY = "0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A DATA_DIR that does not exist yet. Not tmp_path: for root the database's user could not enter that."""
    path = Path("/tmp", f"radiuscore-test-{secrets.token_hex(6)}")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def environ(data_dir: Path) -> dict[str, str]:
    """Settings of an installation of its own: embedded database, free ports."""
    auth, acct, api = map(str, free_ports(3)[:3])
    ports = {"RADIUS_AUTH_PORT": auth, "RADIUS_ACCT_PORT": acct, "API_PORT": api}
    return {"DATA_DIR": str(data_dir), "RADIUS_WORKERS": "2"} | ports


@pytest.fixture
def own_database(database: str, environ: dict[str, str], encryption_keys: str) -> dict[str, str]:
    """Settings of an installation on a migrated PostgreSQL that is not embedded."""
    keys = {"ENCRYPTION_KEYS": encryption_keys, "JWT_SECRET_KEY": JWT_SECRET_KEY}
    return environ | keys | {"DATABASE_URL": database}


@pytest.fixture
def radiuscore(tmp_path: Path) -> Callable[..., Done]:
    """Run a command to its end, in a directory without a .env file."""

    def run(environ: dict[str, str], *args: str, stdin: str = "") -> Done:
        command = [sys.executable, "-P", "-m", "mgmt", *args]
        done = subprocess.run(
            command,
            env=inherited() | environ,
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


def inherited() -> dict[str, str]:
    """What a command needs of our environment: no setting of the product."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "PG_BINDIR")
    return {name: value for name, value in os.environ.items() if name in kept}
