"""RouterOS's SSH: one line of console per channel, an exit status that says nothing, log lines in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from tests.mikrotik.standin.console import Console
from tests.mikrotik.standin.state import Router


class SshServer:
    """Serves one router. ``fault`` is what goes wrong with commands; ``scripts`` false is a console without them."""

    def __init__(self, router: Router, *, fault: str = "", scripts: bool = True) -> None:
        self.router = router
        self.fault = fault
        self.scripts = scripts
        self.port = 0
        self.lines: list[str] = []
        self.users: list[str] = []
        self.connections: list[asyncssh.SSHServerConnection] = []

    def hang_up(self) -> None:
        """Close every connection, as a router does that restarts."""
        for connection in self.connections:
            connection.abort()

    async def handle(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        line = process.command or ""
        self.lines.append(line)
        match self.fault:
            case "silent":
                await process.wait_closed()
            case "cut":
                process.stdout.write(Console(self.router).run(line).encode()[:60])
                process.channel.get_connection().abort()
            case "endless":
                while not process.is_closing():
                    process.stdout.write(b"A" * 65536)
                    await process.stdout.drain()
                    await asyncio.sleep(0)
            case _:
                if not self.scripts and line.startswith(":"):
                    process.stdout.write(b"syntax error (line 1 column 2)\r\n")
                else:
                    process.stdout.write(Console(self.router).run(line).encode())
        process.exit(0)


class _Login(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._server.users.append(username)
        router = self._server.router
        name, plus, _ = username.partition("+")
        good = name == router.username and password == router.password and plus == "+" and "ssh" in router.policies
        router.logins += good
        return good


@asynccontextmanager
async def serve_ssh(
    router: Router, key: asyncssh.SSHKey, *, fault: str = "", scripts: bool = True, old: bool = False
) -> AsyncIterator[SshServer]:
    """Serve SSH on a free port of 127.0.0.1; ``old`` knows only what routers of long ago do."""
    server = SshServer(router, fault=fault, scripts=scripts)
    acceptor = await asyncssh.create_server(
        lambda: _Login(server),
        "127.0.0.1",
        0,
        server_host_keys=[key],
        process_factory=server.handle,
        encoding=None,
        kex_algs=["diffie-hellman-group1-sha1"] if old else (),
        encryption_algs=["3des-cbc"] if old else (),
    )
    server.port = acceptor.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        acceptor.close()
