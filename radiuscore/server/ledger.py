"""Where accounting is made durable: the accounting database. `SpoolingLedger` puts a local spool before it."""

from collections.abc import Sequence
from typing import Final, Protocol

from radiuscore.aaa.accounting import AccountingEvent
from radiuscore.server.accounting_queue import is_restart
from radiuscore.server.holdings import Holdings
from radiuscore.server.link import DatabaseLink
from radiuscore.store.sessions import record, restart_of_nas

PATIENT_S: Final = 3.0  # with nothing to fall back on; a NAS gives up after 1 to 10 s


class Ledger(Protocol):
    """Makes accounting events durable. Appending an event again changes nothing."""

    async def append(self, events: Sequence[AccountingEvent]) -> None:
        """Return once all events are durable. At most one of them per session.

        Raises `DatabaseAway` when it cannot be done now; any other error means that one of the events is at fault.
        """
        ...


class DatabaseLedger:
    """The accounting database: one statement for all sessions, one commit. ``node`` is where the events arrived.

    ``holdings`` follow what is recorded.
    """

    def __init__(self, link: DatabaseLink, node: str, holdings: Holdings | None = None) -> None:
        self._link = link
        self._node = node
        self._holdings = holdings

    async def append(self, events: Sequence[AccountingEvent], timeout_s: float = PATIENT_S) -> None:
        """Return once all events are committed; raises `DatabaseAway` where that takes longer (a batch: 2 to 20 ms)."""
        restarts = [event for event in events if is_restart(event)]
        sessions = [event for event in events if not is_restart(event)]
        async with self._link.use(timeout_s) as db:
            ended = await restart_of_nas(db, restarts) if restarts else []
            recorded = await record(db, sessions, node=self._node) if sessions else []
            if self._holdings is not None:
                await self._holdings.follow(db, sessions, recorded + ended)

    async def probe(self, timeout_s: float) -> None:
        """Connect if need be, and return once the database answers. Raises `DatabaseAway`."""
        async with self._link.use(timeout_s) as db:
            await db.execute("SELECT 1")
