"""A network between us and a database that can stop delivering without closing anything."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit

from radiuscore.store.pool import split_hosts


class Proxy:
    """A TCP address before the server that can go silent, as a network that drops everything does."""

    def __init__(self, dsn: str) -> None:
        [(self._real, _)] = split_hosts(dsn).items()
        self._dsn = dsn
        self._silent = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._serve, sock=self._listener)
        url = urlsplit(self._dsn)
        login = url.netloc.rpartition("@")[0]
        return f"postgresql://{login}@127.0.0.1:{self._listener.getsockname()[1]}{url.path}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def go_silent(self) -> None:
        self._silent.set()

    def come_back(self) -> None:
        """Take new connections again; the old ones stay dead."""
        self._silent = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent = self._silent
        if self._real.startswith("/"):
            theirs = await asyncio.open_unix_connection(f"{self._real}/.s.PGSQL.5432")
        else:
            host, _, port = self._real.partition(":")
            theirs = await asyncio.open_connection(host, int(port or 5432))
        ends = ((reader, theirs[1]), (theirs[0], writer))
        for source, target in ends:
            task = asyncio.create_task(self._pump(source, target, silent))
            self._tasks.add(task)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, silent: asyncio.Event) -> None:
        try:
            while octets := await source.read(65536):
                if silent.is_set():
                    await asyncio.Event().wait()
                target.write(octets)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()
