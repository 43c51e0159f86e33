"""One log line per silence that somebody should know of: at most one a minute for a source and reason, and few in all.

Counting is the engine's; this only keeps a flood of bad datagrams, from one source or from a thousand forged ones, out
of the log.
"""

import logging
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final

from radiuscore.state.nastable import NasTable
from radiuscore.wire.errors import Discard

WINDOW_S: Final = 60.0
MAX_LINES: Final = 100  # per window and process; forged sources must not fill a disk

_log: Final = logging.getLogger("radiuscore.discards")
_QUIET: Final = frozenset({Discard.DUPLICATE_IN_FLIGHT, Discard.NOT_HANDLED})
"""What a patient NAS does as well, and what another server may know better."""


class DiscardLog:
    """Logs discards. ``owner_of`` returns the log fields of the device at an address, none if it is nobody's."""

    def __init__(self, owner_of: Callable[[bytes], Mapping[str, object]]) -> None:
        self._owner_of = owner_of
        self._counts: dict[tuple[bytes, Discard], int] = {}
        self._previous: dict[tuple[bytes, Discard], int] = {}
        self._others = 0
        self._until = 0.0

    def note(self, source: bytes, reason: Discard, now: float) -> None:
        """Log that a datagram of ``source`` (port and address) was discarded, unless that was said a moment ago.

        ``now`` is in seconds of the monotonic clock.
        """
        if now >= self._until:
            self._turn(now)
        key = source[2:], reason
        count = self._counts.get(key, 0)
        if not count and len(self._counts) >= MAX_LINES:
            self._others += 1
            return
        self._counts[key] = count + 1
        if not count:
            self._write(key, self._previous.get(key, 1) - 1)

    def _turn(self, now: float) -> None:
        if self._others:
            _log.warning("discarded datagrams of more sources than are logged", extra={"count": self._others})
        self._previous, self._counts, self._others = self._counts, {}, 0
        self._until = now + WINDOW_S

    def _write(self, key: tuple[bytes, Discard], repeated: int) -> None:
        address, reason = key
        fields = {"source": str(ip_address(address)), "reason": reason.value, **self._owner_of(address)}
        if repeated:
            fields["repeated"] = repeated
        _log.log(logging.DEBUG if reason in _QUIET else logging.WARNING, "discarded a datagram", extra=fields)


def device_at(nases: NasTable, address: bytes) -> Mapping[str, object]:
    """Return the log fields of the device at an address of 4 or 16 octets, if it is one's alone."""
    candidates = nases.find(address)
    if candidates is None or candidates.sole is None:
        return {}
    nas = candidates.sole.nas
    return {"isp_id": nas.isp_id, "nas_id": nas.id, "nas": nas.name or str(ip_address(address))}
