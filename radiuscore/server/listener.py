"""One socket of one port: read a batch, have the engine answer each datagram, send the batch's replies in one call.

From datagram to reply nothing is awaited and no task is made. Answers that must wait (a record to become durable, a
handler that awaits) are sent as they become ready, those of one turn of the event loop together.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from time import monotonic, perf_counter, time
from typing import Final, Protocol, TypeAlias

from radiuscore.engine.counters import Counters
from radiuscore.engine.exchange import NotDurable, Pending
from radiuscore.server.faultlog import FaultLog
from radiuscore.server.histogram import Histogram
from radiuscore.server.packetinfo import Datagram, DatagramSocket
from radiuscore.state.moment import Moment
from radiuscore.wire.errors import Discard

Outcome: TypeAlias = bytes | Discard | Pending
Handle: TypeAlias = Callable[[bytes, bytes, bytes, Moment], Outcome]
NoteDiscard: TypeAlias = Callable[[bytes, Discard, float], None]

_log: Final = logging.getLogger(__name__)


class Answers(Protocol):
    """What a listener needs of one port of the engine."""

    def handle(self, datagram: bytes, source: bytes, local: bytes, now: Moment) -> Outcome:
        """Return the reply, why there is none, or an answer that must wait."""
        ...

    @property
    def counters(self) -> Counters:
        """The port's counters; a datagram that is lost to a fault of ours is counted there as well."""
        ...


class Listener:
    """Serves one socket until it is drained. ``note_discard`` is told of each silence: source, reason, monotonic time.

    ``handle`` may be exchanged at any time (packet tracing does). ``broken`` is done when the socket is.
    """

    def __init__(self, sock: DatagramSocket, port: Answers, note_discard: NoteDiscard) -> None:
        self.handle: Handle = port.handle
        self.durations: Final = Histogram()
        self.refused = 0
        self._socket = sock
        self._port = port
        self._note_discard = note_discard
        self._loop = asyncio.get_running_loop()
        self.broken: Final[asyncio.Future[None]] = self._loop.create_future()
        self._in_flight: set[asyncio.Future[object]] = set()
        self._ready: list[Datagram] = []
        self._idle = asyncio.Event()
        self._faults = FaultLog(_log, "a datagram could not be handled")

    def start(self) -> None:
        """Begin to read; what has queued in the kernel is answered first."""
        self._loop.add_reader(self._socket.fileno(), self._on_readable)

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return len(self._in_flight)

    def kernel_drops(self) -> int:
        """Return how many datagrams the kernel dropped because this socket was not read in time."""
        return self._socket.kernel_drops()

    def stop_reading(self) -> None:
        """Leave what arrives from now on to whoever holds the socket as well; what is in flight goes on."""
        self._loop.remove_reader(self._socket.fileno())

    async def drained(self) -> None:
        """Wait until every request that was read has its answer. Safe to cancel."""
        while self._in_flight or self._ready:
            self._idle.clear()
            await self._idle.wait()

    def close(self) -> None:
        """Give up what is in flight and close this process's descriptor."""
        self.stop_reading()
        for future in tuple(self._in_flight):
            future.cancel()
        self._socket.close()

    def _on_readable(self) -> None:
        began = perf_counter()
        try:
            arrived = self._socket.receive()
        except OSError as error:
            self._break(error)
            return
        now = Moment(monotonic(), time())
        handle = self.handle
        replies: list[Datagram] = []
        for octets, source, local, scope in arrived:
            try:
                outcome = handle(octets, source, local, now)
            except Exception as error:  # noqa: BLE001  # this loop owns the datagram: its neighbours must be answered
                self._faults.write(error)
                self._port.counters.discards[Discard.INTERNAL_ERROR] += 1
                outcome = Discard.INTERNAL_ERROR
            if isinstance(outcome, bytes):
                replies.append((outcome, source, local, scope))
            elif isinstance(outcome, Discard):
                self._note_discard(source, outcome, now.monotonic)
            else:
                self._wait(outcome, (b"", source, local, scope), began)
        if replies:
            self.refused += self._socket.send(replies)
            self.durations.observe(perf_counter() - began, len(replies))

    def _wait(self, pending: Pending, request: Datagram, began: float) -> None:
        future = asyncio.ensure_future(pending.awaitable)
        self._in_flight.add(future)
        future.add_done_callback(partial(self._on_done, pending, request, began))

    def _on_done(self, pending: Pending, request: Datagram, began: float, future: "asyncio.Future[object]") -> None:
        self._in_flight.discard(future)
        outcome = self._outcome_of(pending, future)
        _, source, local, scope = request
        if isinstance(outcome, bytes):
            if not self._ready:
                self._loop.call_soon(self._flush)
            self._ready.append((outcome, source, local, scope))
            self.durations.observe(perf_counter() - began, 1)
        else:
            self._note_discard(source, outcome, monotonic())
            self._idle.set()

    def _outcome_of(self, pending: Pending, future: "asyncio.Future[object]") -> bytes | Discard:
        if future.cancelled():
            return pending.fail(Discard.DRAINING)
        error = future.exception()
        if isinstance(error, NotDurable):
            return pending.fail()
        if error is not None:
            self._faults.write(error)
            return pending.fail(Discard.INTERNAL_ERROR)
        try:
            return pending.finish(future.result())
        except Exception as fault:  # noqa: BLE001  # as in `_on_readable`
            self._faults.write(fault)
            return pending.fail(Discard.INTERNAL_ERROR)

    def _flush(self) -> None:
        """Send what became ready in this turn of the event loop."""
        replies, self._ready = self._ready, []
        self.refused += self._socket.send(replies)
        self._idle.set()

    def _break(self, error: OSError) -> None:
        self.stop_reading()
        if not self.broken.done():
            self.broken.set_exception(error)
