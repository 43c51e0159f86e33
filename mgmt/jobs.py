"""What the leader does again and again: one task per job, each idempotent, each logging its own failures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

FIRST_PAUSE_S: Final = 5.0  # after a failure; doubled each time, up to the job's own interval or this
LONGEST_PAUSE_S: Final = 300.0

_LOG: Final = logging.getLogger(__name__)


class Job(NamedTuple):
    """One job: ``run`` returns how many things it did. ``every_s`` is from the end of one run to the next."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[int]]


async def run_jobs(jobs: Sequence[Job]) -> None:
    """Run all jobs until cancelled."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(repeat(job), name=job.name)


async def repeat(job: Job) -> None:
    """Run one job until cancelled; a failure is logged with its traceback and tried again, later each time."""
    failures = 0
    while True:
        try:
            done = await job.run()
        except Exception:  # noqa: BLE001  # this loop owns the job: nobody else can log it
            failures += 1
            _LOG.exception("a job failed", extra={"job": job.name, "failures": failures})
        else:
            failures = 0
            if done:
                _LOG.info("a job is done", extra={"job": job.name, "count": done})
        await asyncio.sleep(pause_s(job, failures))


def pause_s(job: Job, failures: int) -> float:
    """Return how long a job waits for its next run."""
    if failures == 0:
        return job.every_s
    return min(FIRST_PAUSE_S * 2.0 ** (failures - 1), max(LONGEST_PAUSE_S, job.every_s))
