"""A child's side of its tie to the supervisor: orders from standard input, a heartbeat back, and an end when it is cut.

Every child of the supervisor uses this, the workers and the management process alike.
"""

import asyncio
import os
import signal
from typing import Final

from radiuscore.server.config import Orders

BEAT_EVERY_S: Final = 1.0
ALIVE: Final = b"."
READY: Final = b"R"
_READ: Final = 65536


def read_orders(fd: int = 0) -> Orders:
    """Read the one line the supervisor writes; the pipe stays open as its sign of life.

    Raises `EOFError` where no supervisor is at the other end.
    """
    line = b""
    while not line.endswith(b"\n"):
        octets = os.read(fd, _READ)
        if not octets:
            raise EOFError("the supervisor is gone")
        line += octets
    return Orders.from_line(line)


class Lifeline:
    """Beats while the event loop turns. ``ended`` is set when this process should drain and exit.

    That is at SIGTERM or SIGINT, and when the supervisor's end of the pipe is closed, however it died.
    """

    def __init__(self, orders: Orders, fd: int = 0) -> None:
        self.ended: Final = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._heartbeat_fd = orders.heartbeat_fd
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> "Lifeline":
        os.set_blocking(self._heartbeat_fd, False)
        os.set_blocking(self._fd, False)
        self._loop.add_reader(self._fd, self._on_input)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.ended.set)
        self._beat()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._fd)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)

    def ready(self) -> None:
        """Tell the supervisor that this process does its work now."""
        self._write(READY)

    def _beat(self) -> None:
        self._write(ALIVE)
        self._timer = self._loop.call_later(BEAT_EVERY_S, self._beat)

    def _write(self, octet: bytes) -> None:
        try:
            os.write(self._heartbeat_fd, octet)
        except BlockingIOError:
            pass  # a supervisor that does not read has nothing to learn from one beat more
        except OSError:
            self.ended.set()

    def _on_input(self) -> None:
        try:
            cut = not os.read(self._fd, _READ)
        except BlockingIOError:
            return
        except OSError:
            cut = True
        if cut:
            self._loop.remove_reader(self._fd)
            self.ended.set()
