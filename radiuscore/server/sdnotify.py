"""What systemd is told by a service of Type=notify: ready, stopping, alive. Without systemd nothing is sent."""

import os
import socket
from collections.abc import MutableMapping
from typing import Final

_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Sends states to the socket systemd named. ``watchdog_s`` is how often it wants to hear of us, if at all."""

    def __init__(self, path: str | None, watchdog_s: float | None) -> None:
        self._path = path
        self.watchdog_s: Final = watchdog_s

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> "Notifier":
        """Read where to send to. The variables are taken out, so that no child speaks in our name."""
        path, watchdog_us, watchdog_pid = (environ.pop(name, None) for name in _VARIABLES)
        meant = watchdog_pid in (None, str(os.getpid()))
        seconds = int(watchdog_us) / 1_000_000 if watchdog_us and watchdog_us.isdigit() and meant else None
        return cls(path, seconds)

    def send(self, *states: str) -> None:
        """Send states such as ``READY=1``. A systemd that does not listen is not worth an error."""
        if self._path is None:
            return
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                sock.sendto("\n".join(states).encode(), address)
            except OSError:
                return
