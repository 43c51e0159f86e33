"""One process that the supervisor keeps running: started with its orders, watched, replaced when it dies or hangs."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from radiuscore.server.lifeline import READY

HANG_S: Final = 10.0  # without a heartbeat; it beats once a second
START_S: Final = 120.0  # until the first READY, a large snapshot may hold up the event loop for longer
FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 5.0
HEALTHY_S: Final = 10.0  # who lived so long is replaced at once
CHECK_S: Final = 0.5

_log: Final = logging.getLogger(__name__)


class Child:
    """One slot. ``orders`` makes the line for standard input, given the generation and the heartbeat's descriptor.

    ``fds`` are handed down. ``ready`` is set while the process says that it does its work. ``must_beat``: whether a
    process that has never said anything is taken for hung once `START_S` have passed.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        orders: Callable[[int, int], bytes],
        fds: Sequence[int],
        *,
        must_beat: bool,
        on_ready: Callable[[], None],
    ) -> None:
        self.name: Final = name
        self.ready = False
        self.generation = 0
        self._argv = argv
        self._orders = orders
        self._fds = tuple(fds)
        self._must_beat = must_beat
        self._on_ready = on_ready
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._last_beat: float | None = None

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        return None if self._process is None else self._process.pid

    async def keep(self) -> None:
        """Run the process, and another one whenever it ends, until `stop`."""
        pause = 0.0
        while not self._stopping.is_set():
            started = self._loop.time()
            why = await self._run()
            if self._stopping.is_set():
                return
            self.generation += 1
            lived = self._loop.time() - started
            pause = 0.0 if lived >= HEALTHY_S else min(max(2 * pause, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            fields = {"child": self.name, "why": why, "lived_s": round(lived, 1), "again_in_s": pause}
            _log.warning("a process ended and is replaced", extra=fields)
            await self._pause(pause)

    def stop(self) -> None:
        """Ask the process to finish what it has; do not replace it."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once; do not replace it."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _run(self) -> str:
        """Run one process to its end; return what ended it."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        try:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._argv,
                    stdin=asyncio.subprocess.PIPE,
                    pass_fds=(*self._fds, write_end),
                    start_new_session=True,  # Ctrl-C in a terminal is the supervisor's, who then drains in order
                )
                assert process.stdin is not None
                process.stdin.write(self._orders(self.generation, write_end))
            except OSError as error:
                return f"cannot be started: {error.strerror}"
            finally:
                os.close(write_end)
            self._process = process
            self._last_beat = None
            self._loop.add_reader(read_end, self._on_beat, read_end)
            if self._stopping.is_set():
                self._signal(signal.SIGTERM)
            _log.info("a process was started", extra={"child": self.name, "pid": process.pid})
            return await self._watch(process)
        finally:
            self._signal(signal.SIGKILL)  # it has ended already, unless we were cancelled
            self.ready = False
            self._process = None
            self._loop.remove_reader(read_end)
            os.close(read_end)

    async def _watch(self, process: asyncio.subprocess.Process) -> str:
        """Wait for the end of a process, and bring it about when it hangs."""
        started = self._loop.time()
        hung = ""
        while True:
            try:
                async with asyncio.timeout(CHECK_S):
                    return hung or _describe(await process.wait())
            except TimeoutError:
                silent = self._loop.time() - (self._last_beat or started)
                if not hung and silent > self._patience():
                    hung = f"hung: no heartbeat for {silent:.0f} s"
                    self._signal(signal.SIGKILL)

    def _patience(self) -> float:
        if self.ready:
            return HANG_S
        return START_S if self._must_beat or self._last_beat is not None else float("inf")

    def _on_beat(self, read_end: int) -> None:
        try:
            octets = os.read(read_end, 4096)
        except BlockingIOError:
            return
        if not octets:
            self._loop.remove_reader(read_end)
            return
        self._last_beat = self._loop.time()
        if READY in octets and not self.ready:
            self.ready = True
            self._on_ready()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                return


def _describe(returncode: int) -> str:
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"signal {signal.Signals(-returncode).name}"
    except ValueError:
        return f"signal {-returncode}"
