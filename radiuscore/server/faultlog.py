"""Tracebacks of our own faults: at most one a second from each place, for a packet can be sent ten thousand times."""

import logging
from time import monotonic
from typing import Final

INTERVAL_S: Final = 1.0


class FaultLog:
    """Logs faults of one kind with their traceback, and says how many it left out since."""

    def __init__(self, logger: logging.Logger, message: str) -> None:
        self._logger = logger
        self._message = message
        self._next = 0.0
        self._left_out = 0

    def write(self, error: BaseException, **fields: object) -> None:
        """Log a fault with what it happened to, unless one was logged a moment ago."""
        now = monotonic()
        if now < self._next:
            self._left_out += 1
            return
        if self._left_out:
            fields["left_out"] = self._left_out
        self._next, self._left_out = now + INTERVAL_S, 0
        self._logger.error(self._message, exc_info=error, extra=fields)
