"""What one port counts: plain integers, read once a second by whoever exports them."""

from collections import defaultdict

from radiuscore.aaa.records import IspId, NasId
from radiuscore.wire.errors import Discard


class Counters:
    """Requests by code, replies by code, discards by reason, rejects by reason.

    ``device_discards`` tells an ISP what its own device did wrong; it has an entry only for devices that are known, and
    of many at one address for those that come first there, so that a bad packet costs the same everywhere.
    """

    __slots__ = ("device_discards", "discards", "duplicates", "not_stored", "rejects", "replies", "requests")

    def __init__(self) -> None:
        self.requests: defaultdict[int, int] = defaultdict(int)
        self.replies: defaultdict[int, int] = defaultdict(int)
        self.discards: defaultdict[Discard, int] = defaultdict(int)
        self.device_discards: defaultdict[tuple[IspId, NasId, Discard], int] = defaultdict(int)
        self.rejects: defaultdict[str, int] = defaultdict(int)
        self.duplicates = 0
        self.not_stored = 0
