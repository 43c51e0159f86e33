"""A node's sender: takes the reactions that only this node's routers answer, carries them out, writes what came of it.

Wishes are states, so to be told twice does no harm: a sender that dies between the router's answer and its own writing
leaves a reaction that is taken again, compared again and found fulfilled. Routers do not hold up each other, and one
that does not answer is asked less at once.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import asyncpg

from mgmt.react.errand import (
    Errand,
    SendChange,
    Settled,
    errand_of,
    final_state,
    live_session,
    retry_after_s,
    tried,
)
from mgmt.react.waking import listen
from mgmt.store import reactions
from mgmt.store.reactions import Kind, Room, Taken, Tried
from mikrotik import AddressGuard
from radiuscore.aaa.changes import NasChange
from radiuscore.aaa.dynauth import ReactionResult, coa_attributes, disconnect_attributes
from radiuscore.aaa.records import IspId, NasId
from radiuscore.server.dynauth import WAITS_S, DynAuthClient, IpAddress, NotSent, Target, registered_in, target_of
from radiuscore.server.dynauthsocket import ClientClosed
from radiuscore.state.nastable import NasTable
from radiuscore.store import leases, slots
from radiuscore.store.endings import end_disconnected
from radiuscore.store.granted import Grant, TargetSession, find_targets, note_granted
from radiuscore.store.pool import DirectConnection, Pool
from radiuscore.store.sealing import Keyring
from radiuscore.store.slots import Ended
from radiuscore.store.snapshot import read_nases

POLL_S: Final = 2.0
PAUSE_S: Final = 2.0  # after a failure of the database
MAX_IN_FLIGHT: Final = 256
PER_NAS: Final = 16  # requests of one router at once: it works them off one by one
PER_SILENT_NAS: Final = 2

_OUTAGES: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
_LOG: Final = logging.getLogger(__name__)


class Sender:
    """Sends for one node while `run` runs. Pools are of the role ``radiuscore_system``.

    ``connect`` makes the connection that is listened on. ``guard`` says where anything may be sent to at all. ``sent``
    counts tries by kind and result; an empty result is one that could not be sent.
    """

    def __init__(
        self,
        node: str,
        control: Pool,
        accounting: Pool,
        connect: Callable[[], Awaitable[DirectConnection]],
        keyring: Keyring,
        guard: AddressGuard,
        *,
        waits_s: tuple[float, ...] = WAITS_S,
    ) -> None:
        self.sent: Final[Counter[tuple[Kind, str]]] = Counter()
        self._node = node
        self._control = control
        self._accounting = accounting
        self._connect = connect
        self._keyring = keyring
        self._guard = guard
        self._nases = NasTable()
        self.client: Final = DynAuthClient(self._may_send_to, waits_s=waits_s)
        self._wake = asyncio.Event()
        self._busy: defaultdict[NasId, int] = defaultdict(int)
        self._silent: set[NasId] = set()

    async def run(self) -> None:
        """Send until cancelled; what is under way then is taken again later, by whoever runs next."""
        async with self.client, asyncio.TaskGroup() as tasks:
            tasks.create_task(listen(self._connect, reactions.CHANNEL, self._wake), name="reactions wake-up")
            while True:
                self._wake.clear()
                try:
                    errands = await self._take()
                except _OUTAGES as error:
                    _LOG.warning("reactions wait for the database: %s", error or type(error).__name__)
                    await asyncio.sleep(PAUSE_S)
                    continue
                for taken, session in errands:
                    self._busy[taken.device_id] += 1
                    tasks.create_task(self._carry_out(taken, session), name=f"reaction {taken.id}")
                if not errands:
                    await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _take(self) -> list[tuple[Taken, TargetSession | None]]:
        """Take as much as there is room for, with the sessions and devices as they are now."""
        room = self._room()
        if room.total <= 0:
            return []
        async with self._control.acquire() as db:
            taken = await reactions.take(db, self._node, room)
            if not taken:
                return []
            devices = {(one.isp_id, one.device_id) for one in taken}
            for change in await read_nases(db, self._keyring, devices, ()):
                assert isinstance(change, NasChange)
                self._nases.apply(change)
        keys = [(one.isp_id, one.device_id, one.acct_session_id, one.session_id) for one in taken]
        async with self._accounting.acquire() as db:
            found = {
                (session.isp_id, session.nas_id, session.acct_session_id, session.id): session
                for session in await find_targets(db, keys)
            }
        return [(one, found.get(key)) for one, key in zip(taken, keys, strict=True)]

    def _room(self) -> Room:
        of_devices = {
            device: (PER_SILENT_NAS if device in self._silent else PER_NAS) - self._busy.get(device, 0)
            for device in {*self._busy, *self._silent}
        }
        return Room(MAX_IN_FLIGHT - sum(self._busy.values()), PER_NAS, of_devices)

    async def _carry_out(self, taken: Taken, session: TargetSession | None) -> None:
        """Do one reaction. What fails for reasons of ours is taken again when its lease is over."""
        try:
            await self._do(taken, session, errand_of(taken, session))
        except (*_OUTAGES, ClientClosed) as error:
            _LOG.warning("what came of a reaction could not be written: %s", error or type(error).__name__)
        except Exception:  # noqa: BLE001  # this task is nobody else's: the others go on
            _LOG.exception("a reaction failed", extra={"isp_id": taken.isp_id, "reaction": taken.id})
        finally:
            self._busy[taken.device_id] -= 1
            if not self._busy[taken.device_id]:
                del self._busy[taken.device_id]
            self._wake.set()

    async def _do(self, taken: Taken, session: TargetSession | None, errand: Errand) -> None:
        if isinstance(errand, Settled):
            async with self._control.acquire() as db:
                await reactions.finish(db, taken, *errand)
            return
        assert session is not None
        outcome = await self._send(taken, session, errand)
        if isinstance(errand, SendChange) and taken.due is not None and outcome.result is ReactionResult.REFUSED:
            refused = outcome
            outcome = await self._send(taken, session, None)
            outcome = outcome._replace(
                error_cause=outcome.error_cause or refused.error_cause, detail=outcome.detail or refused.detail
            )
        await self._write_session(taken, session, outcome.result)
        await self._write(taken, outcome)

    async def _send(self, taken: Taken, session: TargetSession, errand: Errand | None) -> Tried:
        """Ask the NAS once, for a change or for the session's end, and return what came of it."""
        kind = Kind.COA if isinstance(errand, SendChange) else Kind.DISCONNECT
        try:
            target = self._target(session)
            if isinstance(errand, SendChange):
                ask = partial(self.client.change, target, coa_attributes(live_session(session), errand.attributes))
            else:
                ask = partial(self.client.disconnect, target, disconnect_attributes(live_session(session)))
            outcome = await ask()
        except (NotSent, ValueError) as error:  # ValueErrors are CannotIdentify, PacketTooLong, and what no CoA changes
            self.sent[kind, ""] += 1
            return Tried(kind, None, None, f"Nothing was sent: {error}.")
        self.sent[kind, outcome.result] += 1
        self._note(taken.isp_id, taken.device_id, outcome.result)
        return tried(kind, outcome.result, outcome.error_cause, outcome.badly_signed)

    def _target(self, session: TargetSession) -> Target:
        """Return where to ask. Raises `NotSent`."""
        entry = self._nases.get(session.isp_id, session.nas_id)
        if entry is None:
            raise NotSent("the device is gone, or has no secret that can be read")
        if session.nas_address is None:
            raise NotSent("nobody knows from where the router has reported")
        return target_of(entry, session.nas_address, session.local_address)

    def _may_send_to(self, isp_id: IspId, nas_id: NasId, address: IpAddress) -> bool:
        """Tell whether an address is the device's, and one that this installation sends to."""
        return registered_in(self._nases)(isp_id, nas_id, address) and self._guard.allows(address)

    def _note(self, isp_id: IspId, nas_id: NasId, result: ReactionResult) -> None:
        """Ask a router that says nothing less at once, and the next time with its other secret, if it has two."""
        if result is not ReactionResult.NO_ANSWER:
            self._silent.discard(nas_id)
            return
        self._silent.add(nas_id)
        entry = self._nases.get(isp_id, nas_id)
        if entry is not None:
            entry.secrets.reverse()

    async def _write_session(self, taken: Taken, session: TargetSession, result: ReactionResult | None) -> None:
        """Write what the answer says of the session: what it has now, or that it is over."""
        match result:
            case ReactionResult.APPLIED if taken.due is not None:
                async with self._accounting.acquire() as db:
                    await note_granted(db, [Grant(*session[:5], taken.due)])
            case ReactionResult.DISCONNECTED | ReactionResult.ALREADY_GONE:
                async with self._accounting.acquire() as db, db.transaction():
                    closed = await end_disconnected(
                        db, session.isp_id, session.nas_id, session.acct_session_id, session.id
                    )
                    if closed and session.customer_id is not None:
                        ended = Ended(session.isp_id, session.customer_id, session.id)
                        await slots.free(db, [ended])
                        await leases.reclaim(db, [ended])

    async def _write(self, taken: Taken, outcome: Tried) -> None:
        pause_s = retry_after_s(taken, outcome.result)
        async with self._control.acquire() as db:
            if pause_s is None:
                await reactions.finish(db, taken, final_state(outcome.result), outcome)
            else:
                await reactions.postpone(db, taken, outcome, pause_s)
        if outcome.result in (ReactionResult.REFUSED, ReactionResult.NO_ANSWER, None):
            about: dict[str, object] = {
                "isp_id": taken.isp_id,
                "device_id": taken.device_id,
                "customer_id": taken.customer_id,
                "acct_session_id": taken.acct_session_id,
                "result": outcome.result,
                "why": outcome.detail,
            }
            _LOG.warning("a live session could not be changed", extra=about)
