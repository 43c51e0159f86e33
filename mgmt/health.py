"""Whether this node does its work, in words: the workers, their replicas, the database."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from time import monotonic
from typing import Any, Final

import asyncpg

from radiuscore.server.channel_server import WorkerReport

PROBE_S: Final = 2.0
OLD_REPLICA_S: Final = 10.0  # it is renewed every 2 s while the database answers
_AGE: Final = "radius_replica_age_seconds"
_SPOOLED: Final = "radius_accounting_spool_records"
_SPOOL_AGE: Final = "radius_accounting_spool_age_seconds"
_SPOOL_BROKEN: Final = "radius_accounting_spool_broken"


class Readiness(StrEnum):
    """``DEGRADED`` serves customers, but something is missing."""

    READY = "ready"
    DEGRADED = "degraded"
    NOT_READY = "not ready"


@dataclass(frozen=True, slots=True)
class State:
    """What `Health.state` found. ``replica_age_s`` is the oldest worker's; ``reasons`` is empty when all is well."""

    status: Readiness
    workers_ready: int
    workers_wanted: int
    replica_age_s: float | None
    database: str
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what a client is shown."""
        return asdict(self)


class Health:
    """Watches the database with ``probe``, which raises when it does not answer, and judges the workers' reports."""

    def __init__(
        self, reports: Callable[[], Mapping[int, WorkerReport]], workers: int, probe: Callable[[], Awaitable[object]]
    ) -> None:
        self._reports = reports
        self._workers = workers
        self._probe = probe
        self._fault: str | None = "not asked yet"
        self._away_since = monotonic()

    async def watch(self) -> None:
        """Probe the database every two seconds, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PROBE_S)

    async def look(self) -> None:
        """Probe the database once."""
        try:
            async with asyncio.timeout(PROBE_S):
                await self._probe()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if self._fault is None:
                self._away_since = monotonic()
            self._fault = "no answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        else:
            self._fault = None

    def state(self) -> State:
        """Return how this node is now."""
        alive = [report for report in self._reports().values() if report.fresh and report.ready]
        ages = [age for report in alive for age in report.gauges.get(_AGE, {}).values()]
        oldest = max(ages, default=None)
        reasons = tuple(self._reasons(len(alive), oldest))
        status = Readiness.NOT_READY if not alive else Readiness.DEGRADED if reasons else Readiness.READY
        age_s = None if oldest is None else round(oldest, 1)
        return State(status, len(alive), self._workers, age_s, self._fault or "ok", reasons)

    def _reasons(self, alive: int, oldest: float | None) -> list[str]:
        reasons = []
        if alive == 0:
            reasons.append("no worker answers: none has loaded its replica, or all were just replaced")
        elif alive < self._workers:
            reasons.append(f"{alive} of {self._workers} workers answer")
        if oldest is not None and oldest > OLD_REPLICA_S:
            reasons.append(f"the replica is {oldest:.0f} s old: newer changes are not in force")
        if self._fault is not None:
            away_s = monotonic() - self._away_since
            reasons.append(
                f"the database does not work since {away_s:.0f} s ({self._fault}): "
                "logins go on, accounting is kept in the local spool"
            )
        return reasons + self._spool_reasons()

    def _spool_reasons(self) -> list[str]:
        gauges = [report.gauges for report in self._reports().values() if report.fresh]
        records = sum(sum(one.get(_SPOOLED, {}).values()) for one in gauges)
        age_s = max((age for one in gauges for age in one.get(_SPOOL_AGE, {}).values()), default=0)
        reasons = []
        if any(sum(one.get(_SPOOL_BROKEN, {}).values()) for one in gauges):
            reasons.append("the local spool takes nothing: without the database accounting is not acknowledged")
        if records:
            reasons.append(f"{records:.0f} accounting records wait in the local spool, the oldest for {age_s:.0f} s")
        return reasons
