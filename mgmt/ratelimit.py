"""How many requests the API takes: per ISP, per admin, and per address of those whom it does not know.

Counted in this process, so each node of a cluster gives the whole rate.
"""

import math
from collections.abc import Mapping
from time import time
from typing import NamedTuple

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from mgmt.problems import Problem
from mgmt.roles import Principal
from radiuscore.settings import RequestRate


class Standing(NamedTuple):
    """What is left of somebody's rate, and in how many seconds it is whole again."""

    limit: int
    remaining: int
    reset_s: int

    @property
    def headers(self) -> Mapping[str, str]:
        """What an answer tells of it."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


class RequestLimiter:
    """One rate for everybody, counted apart."""

    def __init__(self, rate: RequestRate) -> None:
        self._item = RateLimitItemPerSecond(rate.requests, rate.seconds)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def admit(self, whom: str) -> Standing:
        """Count one request. Raises `Problem` where the rate is used up."""
        admitted = self._limiter.hit(self._item, whom)
        window = self._limiter.get_window_stats(self._item, whom)
        reset_s = max(0, math.ceil(window.reset_time - time()))
        standing = Standing(self._item.amount, max(0, window.remaining), reset_s)
        if not admitted:
            headers = {**standing.headers, "Retry-After": str(max(1, reset_s))}
            raise Problem("too_many_requests", f"{standing.limit} in {self._item.get_expiry()} s", headers=headers)
        return standing


def counted_as(principal: Principal) -> str:
    """Return under which name a principal's requests are counted: an ISP's people and programs share one rate."""
    return f"user:{principal.user_id}" if principal.isp_id is None else f"isp:{principal.isp_id}"
