"""What a worker has counted, kept where its successor finds it, so that a restart never lowers an exported counter.

The memory belongs to the supervisor. It has two halves, written in turn, each with a checksum: a worker that is killed
in the middle of writing leaves the other half whole. No file is made and no disk is waited for.
"""

import os
from struct import Struct
from typing import Final
from zlib import crc32

import orjson

from radiuscore.server.metrics import Samples

HALF: Final = 1 << 18  # octets; the samples of one worker are some thousands
_HEAD: Final = Struct("=QII")  # which writing this is, length, checksum


class CounterMemory:
    """One worker's counters behind a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._writing = 0

    def load(self) -> Samples:
        """Return what the predecessor saved last; nothing if there was none."""
        found = max((self._read(half) for half in (0, 1)), key=lambda pair: pair[0])
        self._writing, octets = found
        samples: Samples = orjson.loads(octets) if octets else {}
        return samples

    def save(self, samples: Samples) -> None:
        """Keep the counters. Must be done before they are reported."""
        octets = orjson.dumps(samples)
        if len(octets) > HALF - _HEAD.size:
            raise ValueError(f"{len(octets)} octets of counters do not fit")
        self._writing += 1
        os.pwrite(self._fd, _HEAD.pack(self._writing, len(octets), crc32(octets)) + octets, self._writing % 2 * HALF)

    def _read(self, half: int) -> tuple[int, bytes]:
        stored = os.pread(self._fd, HALF, half * HALF)
        if len(stored) < _HEAD.size:
            return 0, b""
        writing, length, checksum = _HEAD.unpack_from(stored)
        octets = stored[_HEAD.size : _HEAD.size + length]
        return (writing, octets) if crc32(octets) == checksum else (0, b"")
