"""The leader's watch over quotas: usage as accounting counted it, the action that follows, and its end.

It judges whoever has used something since it last looked, and everybody who is under an action: a top-up, another plan
or a new period ends that without a single octet. What it writes is a change like any other, so that a customer who is
online is throttled, walled in or let out by the same reaction as after a change by hand.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import time
from typing import Final, NamedTuple, TypeAlias

from mgmt.react.directory import Directory
from mgmt.store.quotas import Action, Warned, list_restricted, list_top_ups, note_warned, set_actions
from radiuscore.aaa.quota import NO_USAGE, Period, QuotaLevel, QuotaVerdict, TopUp, Usage, judge_quota, period_at
from radiuscore.aaa.records import CustomerId, Isp, IspId, QuotaAction, ServicePlan
from radiuscore.store.pool import Connection, Pool
from radiuscore.store.usage import PeriodOfUsage, find_changed_periods, find_periods

EVERY_S: Final = 10.0
OVERLAP_S: Final = 60.0  # usage is dated when it is written and seen when that is committed
LONGEST_PERIOD_S: Final = 32 * 86_400.0
_SLICE: Final = 1000  # customers: some 10 ms

_LOG: Final = logging.getLogger(__name__)

Key: TypeAlias = tuple[IspId, CustomerId]


class Account(NamedTuple):
    """A customer who has a quota: his plan, his ISP, the period of now, and the action in force with its end."""

    isp: Isp
    plan: ServicePlan
    period: Period
    action: QuotaAction | None
    until: float | None


class QuotaWatch:
    """Judges quotas whenever `run` is called. ``directory`` must be current; pools are of ``radiuscore_system``."""

    def __init__(
        self, control: Pool, accounting: Pool, directory: Directory, *, now: Callable[[], float] = time
    ) -> None:
        self._control = control
        self._accounting = accounting
        self._directory = directory
        self._now = now
        self._looked_at: float | None = None
        self._warned: dict[Key, float] = {}

    async def run(self) -> int:
        """Judge once and return for how many customers another action is in force now."""
        began = asyncio.get_running_loop().time()
        within_s = LONGEST_PERIOD_S if self._looked_at is None else began - self._looked_at + OVERLAP_S
        now = self._now()
        async with self._accounting.acquire() as db:
            rows = await find_changed_periods(db, within_s)
        changed = 0
        for start in range(0, len(rows), _SLICE):
            changed += await self._judge(self._current(rows[start : start + _SLICE], now), now)
            await asyncio.sleep(0)
        changed += await self._judge_restricted(now)
        self._looked_at = began
        return changed

    async def _judge_restricted(self, now: float) -> int:
        """Judge those who are under an action, whether they have used anything or not."""
        async with self._control.acquire() as db:
            keys = await list_restricted(db)
        accounts = {key: account for key in keys if (account := self._find_account(key, now)) is not None}
        without_quota = [Action(*key, None, None) for key in keys if key not in accounts and self._is_known(key)]
        wanted = [(*key, account.plan.quota_period, account.period.first_day) for key, account in accounts.items()]
        async with self._accounting.acquire() as db:
            rows = await find_periods(db, wanted)
        usage = dict.fromkeys(accounts, NO_USAGE) | self._current(rows, now)
        changed = await self._judge(usage, now)
        async with self._control.acquire() as db:
            return changed + len(await set_actions(db, without_quota))

    def _current(self, rows: Sequence[PeriodOfUsage], now: float) -> dict[Key, Usage]:
        """Return the usage that is of the period in which its customer's quota is counted now."""
        usage: dict[Key, Usage] = {}
        for row in rows:
            key = row.isp_id, row.customer_id
            account = self._find_account(key, now)
            if account is not None and (row.period, row.period_start) == (
                account.plan.quota_period,
                account.period.first_day,
            ):
                usage[key] = Usage(row.input_octets, row.output_octets, row.session_time)
        return usage

    async def _judge(self, usage: Mapping[Key, Usage], now: float) -> int:
        accounts = {key: account for key in usage if (account := self._find_account(key, now)) is not None}
        verdicts = {key: _verdict(account, (), usage[key], now) for key, account in accounts.items()}
        reached = [key for key, verdict in verdicts.items() if verdict.level is not QuotaLevel.NONE]
        restricted = [key for key, account in accounts.items() if account.action is not None]
        if not reached and not restricted:
            return 0
        async with self._control.acquire() as db:
            for key, top_ups in (await list_top_ups(db, reached, now)).items():
                verdicts[key] = _verdict(accounts[key], top_ups, usage[key], now)
            changed = await set_actions(db, list(_news(accounts, verdicts)))
            await self._warn(db, [key for key in reached if verdicts[key].level is not QuotaLevel.NONE], accounts, now)
        return len(changed)

    async def _warn(self, db: Connection, keys: Sequence[Key], accounts: Mapping[Key, Account], now: float) -> None:
        """Tell once of everybody who has reached 80 % in this period, whichever leader it was that saw it."""
        began = {key: accounts[key].period.begins_at for key in keys if key in accounts}
        news = [Warned(*key, at) for key, at in began.items() if self._warned.get(key) != at]
        for isp_id, customer_id in await note_warned(db, news, now):
            _LOG.info("a customer has used 80 % of the quota", extra={"isp_id": isp_id, "customer_id": customer_id})
        self._warned |= {one[:2]: one.period_began for one in news}

    def _find_account(self, key: Key, now: float) -> Account | None:
        """Return a customer's account; ``None`` where there is no such customer, or no quota."""
        isp = self._directory.find_isp(key[0])
        entry = self._directory.find_customer(*key)
        if isp is None or entry is None or entry.customer.plan_id is None:
            return None
        reply = isp.plans.get(entry.customer.plan_id)
        if reply is None or (reply.plan.data_quota_octets is None and reply.plan.time_quota_s is None):
            return None
        extras = entry.customer.extras
        in_force = (None, None) if extras is None else (extras.quota_state, extras.quota_until)
        return Account(isp.isp, reply.plan, period_at(reply.plan, isp.isp.zone, now), *in_force)

    def _is_known(self, key: Key) -> bool:
        return self._directory.find_customer(*key) is not None


def _verdict(account: Account, top_ups: Sequence[TopUp], usage: Usage, now: float) -> QuotaVerdict:
    verdict = judge_quota(account.plan, account.isp.zone, top_ups, usage, now)
    assert verdict is not None
    return verdict


def _news(accounts: Mapping[Key, Account], verdicts: Mapping[Key, QuotaVerdict]) -> Iterator[Action]:
    """Yield the actions that are not those in force."""
    for key, verdict in verdicts.items():
        action, until = verdict.action, verdict.until if verdict.action is not None else None
        if (action, until) != (accounts[key].action, accounts[key].until):
            yield Action(*key, action, until)
