"""A real `radiuscore serve` on a database of its own, and Debian's radclient to talk to it."""

import asyncio
import os
import random
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import asyncpg
import pytest

START_S = 30.0

Db: TypeAlias = "asyncpg.Connection[Any]"


@dataclass
class Server:
    """A running server: its process, its ports, and where its output goes."""

    process: asyncio.subprocess.Process
    auth_port: int
    acct_port: int
    api_port: int
    data_dir: Path
    log: Path

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and body of an HTTP GET."""
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.api_port}{path}") as answer:
            return answer.status, await answer.text()

    async def metric(self, name: str) -> float:
        """Return the sum over all series of a metric; 0 where it has none."""
        _, text = await self.get("/metrics")
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))

    async def children(self, module: str) -> list[int]:
        """Return the process ids of the children that run a module."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_bytes().split(b"\0")
                stat = path.with_name("stat").read_text().rpartition(")")[2].split()
                if module.encode() in words and int(stat[1]) == self.process.pid:
                    found.append(int(path.parent.name))
        return sorted(found)

    async def stop(self) -> int:
        """End it politely; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 30)


def free_ports(count: int) -> list[int]:
    """Return ports that neither UDP nor TCP uses on any address now.

    Below those that the kernel gives to whoever asks for any: another program's connection must not take one meanwhile.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(10_000, 32_000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp, suppress(OSError):
            udp.bind(("", port))
            tcp.bind(("", port))
            ports.add(port)
    return list(ports)


@asynccontextmanager
async def run_server(data_dir: Path, environment: dict[str, str]) -> AsyncIterator[Server]:
    """Run `radiuscore serve` until the block ends; it is ready when the block begins."""
    auth, acct, api = free_ports(3)[:3]
    log = data_dir.with_suffix(".log")
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": str(data_dir.parent),
        "DATA_DIR": str(data_dir),
        "JWT_SECRET_KEY": "a key of the tests, long enough to be one",
        "RADIUS_AUTH_PORT": str(auth),
        "RADIUS_ACCT_PORT": str(acct),
        "API_PORT": str(api),
        "RADIUS_WORKERS": "2",
    } | environment
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mgmt", "serve", cwd=data_dir.parent, env=settings, stdout=output, stderr=output
        )
    auth, acct, api = (int(settings[name]) for name in ("RADIUS_AUTH_PORT", "RADIUS_ACCT_PORT", "API_PORT"))
    server = Server(process, auth, acct, api, data_dir, log)
    try:
        await until_ready(server)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_ready(server: Server) -> None:
    """Wait until `/readyz` says so; fail with the server's output when it ends or takes too long."""
    deadline = asyncio.get_running_loop().time() + START_S
    while asyncio.get_running_loop().time() < deadline:
        if server.process.returncode is not None:
            break
        with suppress(aiohttp.ClientError):
            status, body = await server.get("/readyz")
            if status == 200 and '"ready"' in body:
                return
        await asyncio.sleep(0.05)
    pytest.fail(f"the server did not become ready:\n{server.log.read_text()[-4000:]}")


async def until(ask: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool], within_s: float = 10.0) -> Any:
    """Ask until the answer is enough; fail with the last one."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        answer = await ask()
        if enough(answer):
            return answer
        assert asyncio.get_running_loop().time() < deadline, answer
        await asyncio.sleep(0.05)


@pytest.fixture
async def start_server(
    database: str, encryption_keys: str, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """A function that starts a server on the test's database; `name` keeps several apart."""
    async with AsyncExitStack() as stack:

        async def start(name: str = "server", **environment: str) -> Server:
            settings = {"DATABASE_URL": database, "ENCRYPTION_KEYS": encryption_keys} | environment
            return await stack.enter_async_context(run_server(tmp_path / name, settings))

        yield start


@dataclass(frozen=True)
class Answer:
    """What radclient saw: the packet it got (its printed form), or nothing."""

    printed: str

    @property
    def code(self) -> str | None:
        found = re.search(r"Received (\S+) Id", self.printed)
        return found[1] if found else None

    def values(self, name: str) -> list[str]:
        received = self.printed[self.printed.find("Received") :]
        return [value.strip('"') for value in re.findall(rf"^\s+{name}(?::\d+)? = (.*)$", received, re.MULTILINE)]


@pytest.fixture
def radclient() -> Callable[..., Awaitable[Answer]]:
    """A function that sends one request with Debian's radclient: `auth`, `acct` or `status`, and attributes."""
    program = shutil.which("radclient")
    if program is None:
        pytest.skip("radclient is not installed (Debian: freeradius-utils)")

    async def send(
        port: int, kind: str, secret: bytes, *attributes: str, host: str = "127.0.0.1", source: str | None = None
    ) -> Answer:
        own = [f"Packet-Src-IP-Address = {source}"] if source else []
        process = await asyncio.create_subprocess_exec(
            program, "-x", "-r", "2", "-t", "1", f"{host}:{port}", kind, secret.decode(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate("\n".join([*attributes, *own]).encode())
        return Answer(output.decode())

    return send
