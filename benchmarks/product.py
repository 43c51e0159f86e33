"""The product as an operator runs it: `radiuscore serve` with one worker, on a database of `population`."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.population import Population
from benchmarks.traffic import SHARED, Router
from radiuscore.testing.credentials import Method
from radiuscore.wire.authenticator import verify_reply
from radiuscore.wire.codes import Code
from radiuscore.wire.packet import MAX_LENGTH

START_S: Final = 60.0
TRY_S: Final = 0.02


@dataclass(frozen=True)
class Serving:
    """A server that answers: its first process, and its ports on 127.0.0.1."""

    pid: int
    auth: int
    acct: int


@asynccontextmanager
async def serving(population: Population, prefix: Sequence[str] = (), workers: int = 1) -> AsyncIterator[Serving]:
    """Start the server, give it once it has accepted a login, and stop it. ``prefix`` goes before its command."""
    auth, acct, api = free_port(), free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DATABASE_URL": population.dsn,
            "ENCRYPTION_KEYS": population.encryption_keys,
            "JWT_SECRET_KEY": "of a benchmark, and long enough to be one",
            "DATA_DIR": folder,
            "RADIUS_HOST": "127.0.0.1",
            "RADIUS_AUTH_PORT": str(auth),
            "RADIUS_ACCT_PORT": str(acct),
            "API_PORT": str(api),
            "RADIUS_WORKERS": str(workers),
        }
        process = await asyncio.create_subprocess_exec(
            *prefix,
            sys.executable,
            "-m",
            "mgmt",
            "serve",
            env=environment,
            cwd=folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await first_accept(auth, process)
            yield Serving(process.pid, auth, acct)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def first_accept(port: int, process: asyncio.subprocess.Process) -> None:
    """Ask until the server accepts a login."""
    ask = Router(customers=1).login(0, Method.PAP, sign=True).octets
    deadline = time.monotonic() + START_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        while process.returncode is None and time.monotonic() < deadline:
            try:
                sock.send(ask)
                async with asyncio.timeout(TRY_S):
                    reply = await asyncio.get_running_loop().sock_recv(sock, MAX_LENGTH)
            except (TimeoutError, ConnectionRefusedError):
                await asyncio.sleep(TRY_S)
                continue
            if not verify_reply(reply, ask, SHARED) or reply[0] != Code.ACCESS_ACCEPT:
                raise SystemExit("the first login was rejected")
            return
    raise SystemExit(f"the server gave no answer within {START_S:.0f} s, or ended with {process.returncode}")


def free_port() -> int:
    """Return a port that is free for UDP and TCP at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
