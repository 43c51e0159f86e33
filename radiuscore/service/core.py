"""One ISP server without sockets: the replica, its policy and the writers of a worker, asked by calls.

Everything here runs in one event loop. A login reads memory only; accounting returns when it is durable.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from hmac import compare_digest
from typing import Final
from uuid import UUID

from radiuscore.aaa.changes import NasChange, Snapshot
from radiuscore.aaa.decisions import Reject
from radiuscore.aaa.records import IspId, Nas
from radiuscore.aaa.requests import CALLING_STATION_ID, USER_NAME, AccessRequest
from radiuscore.engine.exchange import NotDurable
from radiuscore.engine.policy_replica import Login, ReplicaPolicy
from radiuscore.server.accounting_writer import AccountingWriter
from radiuscore.server.deferred_writer import LoginLog
from radiuscore.server.ledger import DatabaseLedger
from radiuscore.server.link import DatabaseAway, DatabaseLink
from radiuscore.service.answers import CallFailed, Fault, Result, attributes_of, rejection
from radiuscore.service.calls import Address, Attempt, UsageReport
from radiuscore.service.database import APPLICATION_NAME, Database
from radiuscore.service.finder import SessionFinder
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.store import authlog
from radiuscore.store.changes import Changes, follow
from radiuscore.store.pool import SYSTEM_ROLE, Connection, connect
from radiuscore.wire.codes import Code
from radiuscore.wire.packet import AUTHENTICATOR_LENGTH, Packet

CLOSE_TIMEOUT_S: Final = 10.0


class TenantService:
    """Answers logins and stores accounting for every ISP of a database, while `run` runs.

    ``loaded`` is set when the configuration is there: from then on calls may come.
    """

    def __init__(self, database: Database) -> None:
        node = socket.gethostname()
        connector = partial(connect, role=SYSTEM_ROLE, application_name=APPLICATION_NAME, command_timeout=None)
        accounting = partial(connector, database.accounting_dsn)
        self.loaded: Final = asyncio.Event()
        self._nases = NasTable()
        self._replica = Replica()
        self._news = partial(follow, partial(connector, database.dsn), database.keyring)
        self._links = [DatabaseLink(accounting, what) for what in ("accounting", "the auth log", "a session's name")]
        self._writer = AccountingWriter(DatabaseLedger(self._links[0], node))
        self._logins = LoginLog(self._links[1], partial(_write_logins, node))
        self._finder = SessionFinder(self._links[2], self._nases, self._replica)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the configuration current and write what is reported, until ``stop``; then write the rest."""
        try:
            async with asyncio.TaskGroup() as parts:
                tasks = [parts.create_task(part) for part in (self._follow(), self._writer.run(), self._logins.run())]
                await stop.wait()
                with contextlib.suppress(TimeoutError):  # what is not written then was not acknowledged either
                    async with asyncio.timeout(CLOSE_TIMEOUT_S):
                        await self._writer.drained()
                        await self._logins.flush()
                for task in tasks:
                    task.cancel()
        finally:
            for link in self._links:
                await link.close()

    def authenticate(self, attempt: Attempt) -> Result:
        """Decide a login by the rules that packets are decided by: no SQL, no await. Raises `CallFailed`."""
        nas = self._devices_at(attempt.nas_ip, attempt.isp_id)[0]
        logins: list[Login] = []
        decision = ReplicaPolicy(self._replica, logins.append, self._writer.submit).access(_request_of(attempt, nas))
        (login,) = logins
        self._logins.offer(login)
        if isinstance(decision, Reject):
            return rejection(decision)
        assert login.session_uuid is not None
        session_id = UUID(bytes=login.session_uuid)
        self._finder.prepare(login, session_id)
        return True, {
            "customer_id": login.customer_id,
            "isp_id": nas.isp_id,
            "nas_id": nas.id,
            "session_id": str(session_id),
            "attributes": attributes_of(decision),
        }

    async def account(self, report: UsageReport) -> Result:
        """Store what is said of a session, and return once it is durable. Raises `CallFailed`."""
        nases = None if report.nas_ip is None else self._devices_at(report.nas_ip, report.isp_id)
        policy = ReplicaPolicy(self._replica, self._logins.offer, self._writer.submit)
        try:
            session = await self._finder.find(report, nases)
            await policy.accounting(report.event_of(session))
        except (DatabaseAway, NotDurable):
            raise CallFailed(
                Fault.DATABASE_UNAVAILABLE, "The database did not take the record. Call again: it counts once."
            ) from None
        return True, {
            "session_id": str(session.id or session.acct_session_id),
            "acct_session_id": session.acct_session_id,
            "isp_id": session.isp_id,
            "nas_id": session.nas_id,
        }

    async def _follow(self) -> None:
        async with aclosing(self._news()) as news:
            async for one in news:
                match one:
                    case Snapshot():
                        self._nases.load(one.nases)
                        self._replica.load(one)
                    case Changes(changes):
                        for change in changes:
                            if isinstance(change, NasChange):
                                self._nases.apply(change)
                            else:
                                self._replica.apply(change)
                self.loaded.set()

    def _devices_at(self, address: Address, isp_id: IspId | None) -> list[Nas]:
        """Return the devices at an address, all of one ISP; the first to have proved that it is there comes first."""
        candidates = self._nases.find(address.packed)
        nases = [entry.nas for entry in candidates.entries] if candidates is not None else []
        if isp_id is not None:
            nases = [nas for nas in nases if nas.isp_id == isp_id]
        if not nases:
            raise CallFailed(Fault.UNKNOWN_NAS, f"No device with a RADIUS secret is known at {address}.")
        if len({nas.isp_id for nas in nases}) > 1:
            raise CallFailed(Fault.AMBIGUOUS_NAS, f"Several ISPs have a device at {address}: say isp_id.")
        return nases


class _Spoken:
    """A password as it is. It is proved like that of a PAP login, which a router would have hidden on its way."""

    method = "pap"

    def __init__(self, password: bytes) -> None:
        self._password = password

    def proves(self, password: bytes) -> bool:
        return compare_digest(self._password, password)


def _request_of(attempt: Attempt, nas: Nas) -> AccessRequest:
    """Return a login as the request that the device would have sent."""
    first = {USER_NAME: attempt.username}
    if attempt.calling_station_id is not None:
        first[CALLING_STATION_ID] = attempt.calling_station_id.encode()
    packet = Packet(Code.ACCESS_REQUEST, 0, bytes(AUTHENTICATOR_LENGTH), tuple(first.items()))
    request = AccessRequest(packet, first, nas, (), time.time())
    request.credential = _Spoken(attempt.password)
    return request


async def _write_logins(node: str, db: Connection, logins: Sequence[Login]) -> None:
    await authlog.write(db, [login.row() for login in logins], node=node)
