"""What a login must have before its Accept, had from the accounting database: a slot, addresses of central pools.

Only logins that claim something come here; they wait as tasks, on a few connections that are opened when first needed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from radiuscore.aaa.claims import Claim, Claimed
from radiuscore.aaa.decisions import RejectReason
from radiuscore.aaa.pools import NO_LEASES, NO_POOLS, AddressPool, LeasedAddress, Leases
from radiuscore.server.link import DatabaseAway, DatabaseLink
from radiuscore.state.leasememory import LeaseMemory
from radiuscore.state.replica import Replica
from radiuscore.store import leases, slots
from radiuscore.store.pool import Connection
from radiuscore.store.slots import Ended

TIMEOUT_S: Final = 0.5  # for one login's statements, which take 1 ms each
PATIENCE_S: Final = 1.0  # for a connection that is free, when many log in together
PAUSE_S: Final = 1.0  # while the database is away: how often one login waits for it again
CONFIRM_EVERY_S: Final = 60.0
CONFIRM_TIMEOUT_S: Final = 10.0
WARN_EVERY_S: Final = 60.0

_log: Final = logging.getLogger(__name__)


class Reservations:
    """Reserves for one worker. Calling it is what `ReservingPolicy` needs; `run` is a task of its owner.

    ``reserved``, ``refused`` (no slot or no address is left), ``unguarded`` (the database was away: accepted without
    a slot, or with the addresses of last time) and ``unanswered`` (or not at all) count logins.
    """

    def __init__(self, links: Sequence[DatabaseLink], replica: Replica) -> None:
        self._links = links
        self._replica = replica
        self._idle = list(links)
        self._turn = asyncio.Semaphore(len(links))  # who has waited longest is next, which no queue promises
        self._book = leases.LeaseBook()
        self._memory = LeaseMemory()
        self._loop = asyncio.get_running_loop()
        self._away_until: float | None = None
        self._warn_from = 0.0
        self.reserved = self.refused = self.unguarded = self.unanswered = 0

    async def __call__(self, claim: Claim) -> Claimed:
        """Return what a login got, or why it is refused.

        Without the database a strict limit is soft: keeping customers out for a fault of ours would be worse than one
        session too many. Two customers with one address, though, both have none, so an address is given only where it
        is known to be this device's still; else there is no answer, because another server may reach the database.
        """
        if self._is_worth_asking():
            try:
                return await self._claim(claim)
            except DatabaseAway:
                self._away_until = self._loop.time() + PAUSE_S
            except TimeoutError:
                pass  # too many wait for a connection, which says nothing of the database
        return self._without_database(claim)

    async def run(self) -> None:
        """Confirm once a minute what is remembered, until cancelled. What is not confirmed ends by itself."""
        while True:
            await asyncio.sleep(CONFIRM_EVERY_S)
            try:
                await self.confirm()
            except (DatabaseAway, TimeoutError):
                continue

    async def confirm(self) -> None:
        """Read until when the remembered devices have their addresses, and forget those that lost one."""
        devices = self._memory.sessions()
        if not devices:
            return
        now = self._loop.time()
        given = [(Ended(isp_id, customer_id, UUID(bytes=session)), count)
                 for session, ((isp_id, customer_id, *_), count) in devices.items()]  # fmt: skip
        async with self._connection(CONFIRM_TIMEOUT_S) as db:
            seconds = await leases.find_held(db, given)
        for session, (device, _) in devices.items():
            left = seconds.get(UUID(bytes=session))
            self._memory.renew(device, session, None if left is None else now + left)

    async def close(self) -> None:
        """Close the connections."""
        for link in self._links:
            await link.close()

    def _is_worth_asking(self) -> bool:
        """Tell whether a login should wait for the database. While it is away, one in a second finds out."""
        now = self._loop.time()
        if self._away_until is None:
            return True
        if now < self._away_until:
            return False
        self._away_until = now + PAUSE_S
        return True

    async def _claim(self, claim: Claim) -> Leases | RejectReason:
        began = self._loop.time()
        async with self._connection(TIMEOUT_S) as db:
            claimed = await self._reserve(db, claim)
        self._away_until = None
        if isinstance(claimed, RejectReason):
            self.refused += 1
        else:
            self.reserved += 1
            if claim.pools != NO_POOLS:
                self._memory.remember(claim, claimed, began)
        return claimed

    @asynccontextmanager
    async def _connection(self, timeout_s: float) -> AsyncIterator[Connection]:
        """Lend a connection. Raises `DatabaseAway`, and `TimeoutError` where all are taken for too long."""
        away_until = self._away_until
        async with asyncio.timeout(PATIENCE_S):
            await self._turn.acquire()
        link = self._idle.pop()
        try:
            if self._away_until is not None and self._away_until != away_until:
                raise DatabaseAway("others found out meanwhile")
            async with link.use(timeout_s) as db:
                yield db
        finally:
            self._idle.append(link)
            self._turn.release()

    async def _reserve(self, db: Connection, claim: Claim) -> Leases | RejectReason:
        """Take the slot, then the addresses; where one of these is not to be had, give back what was taken."""
        if claim.limit is not None and not await slots.reserve(db, claim):
            return RejectReason.TOO_MANY_SESSIONS
        if claim.pools == NO_POOLS:
            return NO_LEASES
        isp = self._replica.find_isp(claim.isp_id)
        fixed: Mapping[LeasedAddress, int] = isp.fixed if isp is not None else {}
        exhausted, given = await self._book.lease_all(db, claim, fixed)
        if exhausted is None:
            return given
        session = [Ended(claim.isp_id, claim.customer_id, UUID(bytes=claim.session_uuid))]
        await slots.free(db, session)
        await leases.reclaim(db, session)
        self._warn(exhausted)
        return RejectReason.POOL_EXHAUSTED

    def _warn(self, pool: AddressPool) -> None:
        if self._loop.time() >= self._warn_from:
            self._warn_from = self._loop.time() + WARN_EVERY_S
            _log.warning("a central pool has no free address left", extra={"isp_id": pool.isp_id, "pool": pool.name})

    def _without_database(self, claim: Claim) -> Claimed:
        if claim.pools == NO_POOLS:
            self.unguarded += 1
            return NO_LEASES
        remembered = self._memory.recall(claim, self._loop.time())
        if remembered is None:
            self.unanswered += 1
        else:
            self.unguarded += 1
        return remembered
