"""How long things took: plain integers in fixed buckets, cheap enough for every batch of datagrams."""

from bisect import bisect_left
from typing import Final

BOUNDS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds of the buckets in seconds, from 0.1 ms to 1 s; one more bucket takes what is longer."""


class Histogram:
    """Counts durations. ``counts`` has one number per bucket, not cumulated; ``total_us`` is their sum."""

    __slots__ = ("counts", "total_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total_us = 0

    def observe(self, seconds: float, times: int) -> None:
        """Count ``times`` things that each took ``seconds``."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += times
        self.total_us += round(seconds * 1_000_000) * times
