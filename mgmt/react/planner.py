"""The leader's planner: from every change of the configuration, and from time to time, to wishes for live sessions.

It compares states and needs no events: what happened while no leader was there is found by the look at everything with
which it begins, and which it repeats.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from time import time
from typing import Final

import asyncpg

from mgmt.react.agenda import Agenda, CustomersStep, IspStep
from mgmt.react.directory import Directory
from mgmt.react.judging import due_of, judge_session, session_of
from mgmt.store import reactions
from mgmt.store.reactions import SessionId, Wish
from radiuscore.aaa.changes import Change, Snapshot
from radiuscore.store.changes import AT_ONCE, CHANNEL, follow
from radiuscore.store.granted import Grant, GrantedSession, find_of_customers, list_of_isp, note_granted
from radiuscore.store.pool import DirectConnection, Pool
from radiuscore.store.sealing import Keyring

LOOK_EVERY_S: Final = 300.0
PAGE: Final = 2000  # sessions read at once
SLICE: Final = 250  # sessions judged at once: some 10 ms
PAUSE_S: Final = 2.0  # after a failure
NEWS_S: Final = 5.0  # how long the configuration may take to be current

_OUTAGES: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_NOTIFY: Final = "SELECT pg_notify($1, '')"
_LOG: Final = logging.getLogger(__name__)


class Planner:
    """Plans for all ISPs while `run` runs. ``directory`` is current then, and others may read it.

    ``control`` and ``accounting`` are pools of the role ``radiuscore_system``; ``connect`` makes the connection on
    which changes are followed. ``now`` is seconds since 1970.
    """

    def __init__(
        self,
        control: Pool,
        accounting: Pool,
        connect: Callable[[], Awaitable[DirectConnection]],
        keyring: Keyring,
        *,
        now: Callable[[], float] = time,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.directory: Final = Directory()
        self.loaded: Final = asyncio.Event()
        self._control = control
        self._accounting = accounting
        self._connect = connect
        self._keyring = keyring
        self._now = now
        self._look_every_s = look_every_s
        self._agenda = Agenda()
        self._heard = asyncio.Event()

    async def run(self) -> None:
        """Plan until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="configuration")
            tasks.create_task(self._plan_for_ever(), name="planner")
            tasks.create_task(self._look_for_ever(), name="looks")

    async def _follow(self) -> None:
        async with aclosing(follow(self._connect, self._keyring)) as news:
            async for part in news:
                if isinstance(part, Snapshot):
                    self.directory.load(part)
                    self._look()
                    self.loaded.set()
                else:
                    for change in part.changes:
                        self._apply(change)
                    if len(part.changes) == AT_ONCE:  # more of the same follows
                        continue
                self._heard.set()

    def _apply(self, change: Change) -> None:
        concerned = self.directory.apply(change)
        if concerned is None:
            return
        if concerned.customers is None:
            self._agenda.mark_isp(concerned.isp_id, patient=False)
        else:
            self._agenda.mark_customers(concerned.isp_id, concerned.customers)

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._look_every_s)
            self._look()

    def _look(self) -> None:
        for isp_id in self.directory.isp_ids():
            self._agenda.mark_isp(isp_id, patient=True)

    async def _plan_for_ever(self) -> None:
        while True:
            step = await self._agenda.next()
            try:
                wishes = await self._plan(step)
            except (*_OUTAGES, TimeoutError) as error:
                self._agenda.put_back(step)
                _LOG.warning("reactions wait for the database: %s", error or type(error).__name__)
                await asyncio.sleep(PAUSE_S)
            except Exception:  # noqa: BLE001  # this loop owns the planning: nobody else can log it
                _LOG.exception("some sessions could not be compared with what is due", extra={"isp_id": step.isp_id})
                await asyncio.sleep(PAUSE_S)
            else:
                if wishes:
                    _LOG.info("sessions are to change", extra={"isp_id": step.isp_id, "count": wishes})

    async def _plan(self, step: CustomersStep | IspStep) -> int:
        """Do one step and return how many wishes came of it."""
        if isinstance(step, CustomersStep):
            async with self._accounting.acquire() as db:
                sessions = await find_of_customers(db, step.isp_id, step.customers)
            return await self._wish(sessions, patient=False)
        async with self._accounting.acquire() as db:
            sessions = await list_of_isp(db, step.isp_id, step.after, PAGE)
        if sessions:
            await self._be_current()
        wishes = await self._wish(sessions, patient=step.patient)
        if len(sessions) == PAGE:
            self._agenda.put_back(step._replace(after=sessions[-1]))
        return wishes

    async def _be_current(self) -> None:
        """Wait for news that were read after now: who came online after a change is not judged by what was before it.

        Without a change that concerned them nothing says that the directory is as new as the sessions that were read.
        The first news may have been on their way already.
        """
        for _ in range(2):
            self._heard.clear()
            await self._control.execute(_NOTIFY, CHANNEL)
            async with asyncio.timeout(NEWS_S):
                await self._heard.wait()

    async def _wish(self, sessions: Sequence[GrantedSession], *, patient: bool) -> int:
        count = 0
        for start in range(0, len(sessions), SLICE):
            some = sessions[start : start + SLICE]
            async with self._control.acquire() as db:
                wished = await reactions.find_wishes(db, some[0].isp_id, [session.id for session in some])
                wishes, known = self._judge(some, wished)
                if wishes:
                    count += await reactions.wish(db, wishes, patient=patient)
            if known:
                async with self._accounting.acquire() as db:
                    await note_granted(db, known, only_unknown=True)
        return count

    def _judge(
        self, sessions: Sequence[GrantedSession], wished: dict[SessionId, bytes]
    ) -> tuple[list[Wish], list[Grant]]:
        now = self._now()
        wishes: dict[SessionId, Wish] = {}
        known: list[Grant] = []
        for session in sessions:
            named = session_of(session)
            need = judge_session(session, due_of(session, self.directory, now), wished.get(named))
            if need.wish is not None:
                wishes[named] = need.wish
            if need.known is not None:
                known.append(need.known)
        return list(wishes.values()), known
