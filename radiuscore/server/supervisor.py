"""The process that starts the others: opens the sockets, runs the workers and management, replaces, drains.

It handles no packet and knows no database, so there is little it can die of. When it does, its children see their pipe
close and end.
"""

import asyncio
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final, NamedTuple

from radiuscore.server.child import Child
from radiuscore.server.config import InheritedSocket, Orders, ServeConfig
from radiuscore.server.datapath import RECEIVE_BUFFER, CannotServe, DataPath, open_data_path
from radiuscore.server.sdnotify import Notifier

DRAIN_S: Final = 15.0  # a worker gives up an accounting record after 10
MANAGEMENT_DRAIN_S: Final = 10.0
WORKER_ARGV: Final = (sys.executable, "-P", "-m", "radiuscore.server.worker")

_log: Final = logging.getLogger(__name__)


class Ports(NamedTuple):
    """The UDP ports that are served."""

    auth: int
    acct: int


class Supervisor:
    """Runs one server. ``management_argv`` is the program of the management process, if there is to be one.

    `open` and `run` raise `CannotServe` with one sentence; `run` returns when everything has ended in good order.
    """

    def __init__(
        self,
        config: ServeConfig,
        management_argv: Sequence[str] | None = None,
        *,
        worker_argv: Sequence[str] = WORKER_ARGV,
        notifier: Notifier | None = None,
    ) -> None:
        self._config = config
        self._management_argv = management_argv
        self._worker_argv = worker_argv
        self._notifier = notifier or Notifier.from_environment()
        self._path: DataPath | None = None
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._was_ready = False
        self._ended = False
        self._workers: list[Child] = []
        self._management: list[Child] = []

    def open(self) -> Ports:
        """Open the sockets, if they are not open yet, and return the ports. A second server is refused here."""
        if self._path is None:
            config = self._config
            self._path = open_data_path(config.hosts, config.auth_port, config.acct_port, config.workers)
            self._log_shortcomings(self._path)
        return Ports(self._path.auth_port, self._path.acct_port)

    async def ready(self) -> Ports:
        """Wait until every worker answers, and return the ports. Raises `CannotServe` when it will not come to that."""
        while not self._was_ready and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._was_ready:
            raise CannotServe("The server was stopped before it was ready.")
        return self.open()

    def stop(self) -> None:
        """Drain: workers stop reading, finish what they have and end, then management does. Asked twice: at once."""
        if self._stop.is_set():
            for child in self._children:
                child.kill()
        self._stop.set()

    def worker_pids(self) -> list[int | None]:
        """Return the process id of each worker slot; ``None`` where one is being replaced."""
        return [worker.pid for worker in self._workers]

    @property
    def management_pid(self) -> int | None:
        """The process id of the management process, while there is one."""
        return self._management[0].pid if self._management else None

    @property
    def _children(self) -> list[Child]:
        return self._workers + self._management

    async def run(self) -> None:
        """Serve until `stop`, SIGTERM or SIGINT; a second signal hastens the end."""
        with ExitStack() as stack:
            try:
                self.open()
                assert self._path is not None
                path = stack.enter_context(self._path)
                _make_private(self._config)
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(number, self.stop)
                    stack.callback(asyncio.get_running_loop().remove_signal_handler, number)
                self._make_children(path, stack)
                await self._serve(path)
            finally:
                self._ended = True
                self._changed.set()

    def _log_shortcomings(self, path: DataPath) -> None:
        if path.skipped:
            _log.info("this machine has no IPv6", extra={"skipped": ", ".join(path.skipped)})
        if path.receive_buffer < RECEIVE_BUFFER:
            fields = {"octets": path.receive_buffer, "cure": f"sysctl -w net.core.rmem_max={RECEIVE_BUFFER}"}
            _log.info("the kernel gives less room for a storm of requests than we ask for", extra=fields)

    def _make_children(self, path: DataPath, stack: ExitStack) -> None:
        for slot, row in enumerate(path.of_worker):
            memory = _open_memory(f"counters of worker {slot}")
            stack.callback(os.close, memory)
            sockets = tuple(InheritedSocket(one.sock.fileno(), one.server) for one in row)
            self._workers.append(
                Child(
                    f"worker {slot}",
                    self._worker_argv,
                    self._orders(path, slot, memory, sockets),
                    (memory, *(one.fd for one in sockets)),
                    must_beat=True,
                    on_ready=self._on_worker_ready,
                )
            )
        if self._management_argv is not None:
            orders = self._orders(path, None, None, ())
            self._management.append(
                Child("management", self._management_argv, orders, (), must_beat=False, on_ready=lambda: None)
            )

    def _orders(
        self, path: DataPath, slot: int | None, memory: int | None, sockets: tuple[InheritedSocket, ...]
    ) -> Callable[[int, int], bytes]:
        config = self._config if slot is None else replace(self._config, for_management={})

        def make(generation: int, heartbeat_fd: int) -> bytes:
            return Orders(
                config, slot, generation, path.auth_port, path.acct_port, heartbeat_fd, memory, sockets
            ).to_line()

        return make

    async def _serve(self, path: DataPath) -> None:
        workers = [asyncio.create_task(worker.keep(), name=worker.name) for worker in self._workers]
        management = [asyncio.create_task(child.keep(), name=child.name) for child in self._management]
        watchdog = asyncio.create_task(self._feed_watchdog(), name="watchdog")
        try:
            await self._stopped_or_failed(workers + management)
            _log.info("draining")
            self._notifier.send("STOPPING=1")
            path.close()
            await self._end(self._workers, workers, DRAIN_S)
            await self._end(self._management, management, MANAGEMENT_DRAIN_S)
        finally:
            watchdog.cancel()
            for child in self._children:
                child.kill()
            await asyncio.gather(*workers, *management, watchdog, return_exceptions=True)

    async def _stopped_or_failed(self, tasks: "list[asyncio.Task[None]]") -> None:
        """Wait for `stop`. A task of ours that ends before is a bug: its error goes to the caller."""
        stopped = asyncio.create_task(self._stop.wait())
        try:
            done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            stopped.cancel()

    async def _end(self, children: Sequence[Child], tasks: "Sequence[asyncio.Task[None]]", seconds: float) -> None:
        """Have children finish what they have; end those that do not in time."""
        for child in children:
            child.stop()
        alarm = asyncio.get_running_loop().call_later(seconds, self._end_late, children)
        try:
            await asyncio.gather(*tasks)
        finally:
            alarm.cancel()

    def _end_late(self, children: Sequence[Child]) -> None:
        late = [child for child in children if child.pid is not None]
        _log.warning("a process does not finish and is ended", extra={"children": ", ".join(c.name for c in late)})
        for child in late:
            child.kill()

    def _on_worker_ready(self) -> None:
        if self._was_ready or not all(worker.ready for worker in self._workers):
            return
        self._was_ready = True
        self._changed.set()
        ports = self.open()
        _log.info("serving", extra={"auth_port": ports.auth, "acct_port": ports.acct, "workers": len(self._workers)})
        self._notifier.send("READY=1", f"STATUS=RADIUS on UDP {ports.auth} and {ports.acct}")

    async def _feed_watchdog(self) -> None:
        if self._notifier.watchdog_s is None:
            return
        while True:
            self._notifier.send("WATCHDOG=1")
            await asyncio.sleep(self._notifier.watchdog_s / 2)


def _make_private(config: ServeConfig) -> None:
    """Make the run directory if there is none. One that somebody else made keeps its mode."""
    try:
        config.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotServe(f"The directory {config.run_dir} cannot be made: {error.strerror}.") from error


def _open_memory(name: str) -> int:
    """Return a descriptor of memory that outlives a worker and ends with us."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
