"""The management process's end of the workers' channel: the last report of each worker, their events, and commands."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final, TypeAlias

import orjson

from radiuscore.server.channel import MAX_LINE, Message, encode, reachable
from radiuscore.server.metrics import Samples
from radiuscore.server.trace import TraceRequest

STALE_S: Final = 5.0  # a worker reports once a second

_log: Final = logging.getLogger(__name__)

OnEvent: TypeAlias = Callable[[int, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker last said of itself. ``received_at`` is in seconds of the monotonic clock.

    ``ready`` says whether it has its replica and answers.
    """

    worker: int
    pid: int
    ready: bool
    received_at: float
    counters: Samples
    gauges: Samples

    @property
    def fresh(self) -> bool:
        """Whether the worker was alive a moment ago."""
        return monotonic() - self.received_at < STALE_S


class ChannelServer:
    """Listens for workers. ``reports`` has the last report of each worker slot, also of one that has died since.

    ``on_event`` is called with the worker's number and each of its events.
    """

    def __init__(self, path: Path, on_event: OnEvent) -> None:
        self.reports: Final[dict[int, WorkerReport]] = {}
        self._path = path
        self._on_event = on_event
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._traces: dict[str, TraceRequest] = {}

    async def start(self) -> None:
        """Begin to listen; a socket file that a predecessor left is replaced."""
        with reachable(self._path) as name:
            self._server = await asyncio.start_unix_server(self._serve, name, limit=MAX_LINE)
            self._path.chmod(0o600)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is None:
            return
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        await self._server.wait_closed()
        self._server = None

    def trace(self, request: TraceRequest) -> None:
        """Have all workers, also those that come later, send the packets of one NAS or one user as events."""
        self._forget_expired_traces()
        self._traces[request.id] = request
        self._tell_all(request.command())

    def untrace(self, trace_id: str) -> None:
        """End a trace before its time."""
        if self._traces.pop(trace_id, None) is not None:
            self._tell_all({"type": "untrace", "id": trace_id})

    def drain(self) -> None:
        """Have all workers finish what they have and end. The supervisor replaces them."""
        self._tell_all({"type": "drain"})

    def _tell_all(self, command: Message) -> None:
        line = encode(command)
        for writer in self._writers:
            writer.write(line)

    def _forget_expired_traces(self) -> None:
        self._traces = {trace_id: trace for trace_id, trace in self._traces.items() if not trace.expired}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._forget_expired_traces()
        try:
            for trace in self._traces.values():
                writer.write(encode(trace.command()))
            while line := await reader.readline():
                self._take(orjson.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("a worker's channel was closed: it said what is not understood", exc_info=error)
        except OSError as error:
            _log.debug("a worker's channel broke", exc_info=error)
        finally:
            self._writers.discard(writer)
            writer.close()

    def _take(self, message: dict[str, Any]) -> None:
        worker = int(message["worker"])
        match message["type"]:
            case "report":
                self.reports[worker] = WorkerReport(
                    worker=worker,
                    pid=message["pid"],
                    ready=message["ready"],
                    received_at=monotonic(),
                    counters=message["counters"],
                    gauges=message["gauges"],
                )
            case "events":
                for event in message["events"]:
                    self._on_event(worker, event)
