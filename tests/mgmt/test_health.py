"""What /readyz says, from reports and a database that are given."""

from time import monotonic
from typing import Any

import pytest

from mgmt.health import Health, Readiness
from radiuscore.server.channel_server import WorkerReport


def report(worker: int = 0, *, ready: bool = True, silent_s: float = 0.0, age_s: float = 0.5) -> WorkerReport:
    gauges: Any = {"radius_replica_age_seconds": {"": age_s}}
    return WorkerReport(worker, 100 + worker, ready, monotonic() - silent_s, {}, gauges)


async def health(*reports: WorkerReport, error: BaseException | None = None, workers: int = 2) -> Health:
    async def probe() -> None:
        if error is not None:
            raise error

    made = Health(lambda: {one.worker: one for one in reports}, workers, probe)
    await made.look()
    return made


async def test_all_is_well() -> None:
    state = (await health(report(0), report(1, age_s=1.25))).state()

    assert state.status is Readiness.READY
    assert (state.workers_ready, state.workers_wanted, state.replica_age_s, state.database) == (2, 2, 1.2, "ok")
    assert state.reasons == ()


@pytest.mark.parametrize(
    ("reports", "error", "status", "reason"),
    [
        ([], None, Readiness.NOT_READY, "no worker answers"),
        ([{"ready": False}], None, Readiness.NOT_READY, "no worker answers"),
        ([{"silent_s": 6.0}], None, Readiness.NOT_READY, "no worker answers"),
        ([{}], None, Readiness.DEGRADED, "1 of 2 workers answer"),
        ([{}, {"age_s": 31.0}], None, Readiness.DEGRADED, "the replica is 31 s old"),
        ([{}, {}], ConnectionRefusedError("refused"), Readiness.DEGRADED, "(refused): logins go on"),
        ([{}, {}], TimeoutError(), Readiness.DEGRADED, "(no answer): logins go on"),
    ],
)
async def test_what_is_missing_is_said(
    reports: list[dict[str, Any]], error: BaseException | None, status: Readiness, reason: str
) -> None:
    made = [report(worker, **fields) for worker, fields in enumerate(reports)]
    state = (await health(*made, error=error)).state()

    assert state.status is status
    assert len(state.reasons) == 1
    assert reason in state.reasons[0]


async def test_a_database_that_was_never_asked_is_not_called_well() -> None:
    async def probe() -> None:
        raise AssertionError("not asked in this test")

    assert Health(dict, 1, probe).state().database == "not asked yet"
