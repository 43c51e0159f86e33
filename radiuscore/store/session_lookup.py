"""Which session a program means that knows only an id: ours, or the one a router made up, which is not unique."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from radiuscore.aaa.names import key_of_text
from radiuscore.aaa.records import IspId, NasId
from radiuscore.store.pool import Connection

_CLOCK_STEP: Final = timedelta(seconds=1)
_LAST_MILLISECOND: Final = 253_402_300_000_000  # a datetime's last year is 9999

FIND_BY_ID: Final = """
SELECT isp_id, nas_id, acct_session_id, username, username_key, id
  FROM accounting.sessions
 WHERE isp_id = ANY ($1::int[])
   AND id = $2
"""

FIND_BY_ACCT_SESSION_ID: Final = """
SELECT s.isp_id, s.nas_id, s.acct_session_id, s.username, s.username_key, s.id
  FROM unnest($1::int[], $2::bigint[]) AS nas (isp_id, nas_id)
  JOIN accounting.sessions AS s ON s.isp_id = nas.isp_id AND s.nas_id = nas.nas_id
 WHERE s.acct_session_id = $3
"""

# A session's id tells when it was made, so only one partition and a few rows of its index are read.
FIND_LOGIN: Final = """
SELECT isp_id, nas_id, acct_session_id, username
  FROM accounting.auth_log
 WHERE isp_id = ANY ($1::int[])
   AND at BETWEEN $2 AND $3
   AND session_uuid = $4
 LIMIT 1
"""


class SessionName(NamedTuple):
    """What a session is called: the key of its row, its username as text, and its id."""

    isp_id: IspId
    nas_id: NasId
    acct_session_id: str
    username: str
    username_key: str
    id: UUID | None


async def find_by_id(db: Connection, isps: Collection[IspId], session_id: UUID) -> list[SessionName]:
    """Return the live sessions with this id: one, unless a router gave one Class to several."""
    return [SessionName(*row) for row in await db.fetch(FIND_BY_ID, list(isps), session_id)]


async def find_by_acct_session_id(
    db: Connection, nases: Collection[tuple[IspId, NasId]], acct_session_id: str
) -> list[SessionName]:
    """Return the live sessions that these NASes call by this Acct-Session-Id: one probe of the key for each NAS."""
    isp_ids, nas_ids = [isp_id for isp_id, _ in nases], [nas_id for _, nas_id in nases]
    rows = await db.fetch(FIND_BY_ACCT_SESSION_ID, isp_ids, nas_ids, acct_session_id)
    return [SessionName(*row) for row in rows]


async def find_login(db: Connection, isps: Collection[IspId], session_id: UUID) -> SessionName | None:
    """Return the session that an Access-Accept prepared, from the log of logins: its Start has not come yet.

    Its Acct-Session-Id is the router's, if it sent one, else the id itself.
    """
    made_at = _made_at(session_id)
    if made_at is None:
        return None
    row = await db.fetchrow(FIND_LOGIN, list(isps), made_at - _CLOCK_STEP, made_at + _CLOCK_STEP, session_id)
    if row is None:
        return None
    isp_id, nas_id, acct_session_id, username = row
    return SessionName(isp_id, nas_id, acct_session_id or str(session_id), username, key_of_text(username), session_id)


def _made_at(session_id: UUID) -> datetime | None:
    """Return the time in a UUID of version 7, and ``None`` for one that is none of ours."""
    milliseconds = session_id.int >> 80
    if session_id.version != 7 or milliseconds > _LAST_MILLISECOND:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
