"""The leader's part of reactions: the planner, and beside it the jobs that judge quotas and tidy up."""

import asyncio
from collections.abc import Awaitable, Callable

from mgmt.jobs import Job, run_jobs
from mgmt.react import quota
from mgmt.react.planner import Planner
from mgmt.react.quota import QuotaWatch
from mgmt.store import reactions
from radiuscore.store.pool import Connection, DirectConnection, Pool
from radiuscore.store.sealing import Keyring

EXPIRE_EVERY_S = 60.0
FORGET_EVERY_S = 3600.0


async def lead_reactions(
    control: Pool, accounting: Pool, connect: Callable[[], Awaitable[DirectConnection]], keyring: Keyring
) -> None:
    """Plan until cancelled. Safe on two nodes at once for a moment: wishes are states, and each is written once."""
    planner = Planner(control, accounting, connect, keyring)
    watch = QuotaWatch(control, accounting, planner.directory)

    async def judge_quotas() -> int:
        await planner.loaded.wait()
        return await watch.run()

    jobs = (
        Job("judge quotas", quota.EVERY_S, judge_quotas),
        Job("give up late reactions", EXPIRE_EVERY_S, _over(control, reactions.expire)),
        Job("forget old reactions", FORGET_EVERY_S, _over(control, reactions.forget)),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(planner.run(), name="reactions")
        tasks.create_task(run_jobs(jobs), name="jobs of reactions")


def _over(pool: Pool, run: Callable[[Connection], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
    """Return a job that is one call of the store."""

    async def work() -> int:
        async with pool.acquire() as db:
            return await run(db)

    return work
