"""Which session a call means, by what it said: exactly one, or the call fails. It is never guessed."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from radiuscore.aaa.names import text_of
from radiuscore.aaa.records import IspId, Nas, NasId
from radiuscore.engine.policy_replica import Login
from radiuscore.server.link import DatabaseLink
from radiuscore.service.answers import CallFailed, Fault
from radiuscore.service.calls import UsageReport
from radiuscore.state.nastable import NasTable
from radiuscore.state.replica import Replica
from radiuscore.store.pool import Connection
from radiuscore.store.session_lookup import SessionName, find_by_acct_session_id, find_by_id, find_login

MAX_LOGINS: Final = 20_000  # whose sessions are known here before anything of them is stored
LOOKUP_TIMEOUT_S: Final = 5.0


class SessionFinder:
    """Finds sessions in the accounting database, and those that a login has just prepared in memory."""

    def __init__(self, link: DatabaseLink, nases: NasTable, replica: Replica) -> None:
        self._link = link
        self._nases = nases
        self._replica = replica
        self._turn = asyncio.Lock()
        self._prepared: LRUCache[UUID, SessionName] = LRUCache(MAX_LOGINS)

    def prepare(self, login: Login, session_id: UUID) -> None:
        """Note the session that an accepted login will be; until somebody names it otherwise, its id is its name."""
        request = login.request
        self._prepared[session_id] = SessionName(
            request.nas.isp_id, request.nas.id, str(session_id), request.username, request.username_key, session_id
        )

    async def find(self, report: UsageReport, nases: Sequence[Nas] | None) -> SessionName:
        """Return the session that a report means, among those at ``nases`` if it named some.

        A router's id that is not known yet begins a session if the report says where and whose.
        Raises `CallFailed` and `DatabaseAway`.
        """
        found = await self._look_up(report, nases)
        if report.username_key is not None:
            found = [session for session in found if session.username_key == report.username_key]
        if len(found) > 1:
            raise CallFailed(
                Fault.AMBIGUOUS_SESSION,
                f"{len(found)} sessions have the id {report.session_id!r}: say nas_ip, isp_id or username.",
            )
        if found:
            return found[0]
        if nases is None or report.username is None or report.username_key is None:
            raise CallFailed(
                Fault.UNKNOWN_SESSION,
                f"No session has the id {report.session_id!r}. A router's id needs nas_ip and username to begin one.",
            )
        nas = nases[0]
        return SessionName(nas.isp_id, nas.id, report.session_id, text_of(report.username), report.username_key, None)

    async def _look_up(self, report: UsageReport, nases: Sequence[Nas] | None) -> list[SessionName]:
        """Return every session that has the report's id, at these devices or, with ``None``, at any."""
        devices = self._devices(report.isp_id) if nases is None else {(nas.isp_id, nas.id) for nas in nases}
        session_id = _uuid(report.session_id)
        async with self._turn, self._link.use(LOOKUP_TIMEOUT_S) as db:
            if session_id is not None:
                isps = self._isps(report.isp_id) if nases is None else {isp_id for isp_id, _ in devices}
                ours = await self._find_ours(db, isps, session_id)
                if nases is not None:
                    ours = [session for session in ours if (session.isp_id, session.nas_id) in devices]
                if ours:
                    return ours
            return await find_by_acct_session_id(db, devices, report.session_id)

    async def _find_ours(self, db: Connection, isps: set[IspId], session_id: UUID) -> list[SessionName]:
        stored = await find_by_id(db, isps, session_id)
        if stored:
            return stored
        prepared = self._prepared.get(session_id) or await find_login(db, isps, session_id)
        return [prepared] if prepared is not None and prepared.isp_id in isps else []

    def _devices(self, isp_id: IspId | None) -> set[tuple[IspId, NasId]]:
        return {key for key in self._nases.device_ids() if isp_id in (None, key[0])}

    def _isps(self, isp_id: IspId | None) -> set[IspId]:
        return set(self._replica.isp_ids()) if isp_id is None else {isp_id}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
