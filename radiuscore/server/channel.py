"""From each worker to the management process: one Unix socket, one JSON object per line.

Upward: once a second a report (counters, gauges), and events in batches. Downward only: trace on or off, drain. A
worker never waits: what does not fit into the socket is dropped and counted, and a lost connection is made anew.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from radiuscore.server.faultlog import FaultLog

SOCKET_NAME: Final = "management.sock"
MAX_LINE: Final = 4 << 20  # octets
MAX_BUFFERED: Final = 1 << 20  # octets in this process beside the kernel's; a stalled reader costs no more
EVENTS_EVERY_S: Final = 0.1
MAX_EVENTS: Final = 1000  # per batch
RECONNECT_S: Final = 0.5

Message: TypeAlias = Mapping[str, Any]
"""``{"type": "report" | "events" | "trace" | "untrace" | "drain", ...}``"""

_log: Final = logging.getLogger(__name__)
_LONGEST_PATH: Final = 100  # sockaddr_un takes 107 octets


def encode(message: Message) -> bytes:
    """Return a message as one line. What JSON does not know (addresses, enums) becomes text."""
    return orjson.dumps(message, default=str, option=orjson.OPT_APPEND_NEWLINE)


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a name for a Unix socket that is short enough for the kernel, however deep its directory is."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class Channel(asyncio.Protocol):
    """A worker's end. `run` is a task of its owner.

    ``on_command`` is called with each message from management, ``on_lost`` when there is nobody left to serve: what
    was asked for is forgotten then, and asked for again by whoever comes. ``dropped`` counts the
    reports and events that did not fit or had nobody to go to.
    """

    def __init__(
        self, path: Path, worker: int, on_command: Callable[[Message], None], on_lost: Callable[[], None]
    ) -> None:
        self._path = path
        self._worker = worker
        self._on_command = on_command
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._lost = asyncio.Event()
        self._incoming = b""
        self._events: list[Message] = []
        self._faults = FaultLog(_log, "a command of the management process could not be carried out")
        self.dropped = 0

    @property
    def connected(self) -> bool:
        """Whether somebody listens."""
        return self._transport is not None

    async def run(self) -> None:
        """Stay connected until cancelled."""
        try:
            while True:
                self._lost.clear()
                try:
                    with reachable(self._path) as name:
                        await self._loop.create_unix_connection(lambda: self, name)
                except OSError:
                    await asyncio.sleep(RECONNECT_S)
                else:
                    await self._lost.wait()
        finally:
            self.flush()
            if self._transport is not None:
                self._transport.close()

    def report(self, body: Message) -> bool:
        """Send a report; tell whether it fitted."""
        return self._send({"type": "report", "worker": self._worker, **body})

    def event(self, body: Message) -> None:
        """Send an event together with those of the next tenth of a second."""
        if self._transport is None or len(self._events) >= MAX_EVENTS:
            self.dropped += 1
            return
        if not self._events:
            self._loop.call_later(EVENTS_EVERY_S, self.flush)
        self._events.append(body)

    def flush(self) -> None:
        """Send the events that wait for company."""
        events, self._events = self._events, []
        if events and not self._send({"type": "events", "worker": self._worker, "events": events}):
            self.dropped += len(events) - 1  # the message itself is counted already

    def _send(self, message: Message) -> bool:
        transport = self._transport
        if transport is not None:
            line = encode(message)
            if transport.get_write_buffer_size() + len(line) <= MAX_BUFFERED:
                transport.write(line)
                return True
        self.dropped += 1
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._incoming = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost.set()
        self._on_lost()

    def data_received(self, data: bytes) -> None:
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        for line in lines:
            try:
                self._on_command(orjson.loads(line))
            except Exception as error:  # noqa: BLE001  # one command that trips us must not end the connection
                self._faults.write(error)
