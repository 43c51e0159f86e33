"""What happened: sessions, refused logins, changes."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from mgmt.api.schemas.insight import (
    AuditPage,
    AuditQuery,
    AuditShown,
    RejectPage,
    RejectQuery,
    RejectShown,
    SessionPage,
    SessionQuery,
    SessionShown,
)
from mgmt.call import Answer, Call
from mgmt.problems import Problem
from mgmt.store import auditlog
from mgmt.store import session_records as store
from radiuscore.aaa.names import username_key

HISTORY: Final = timedelta(days=31)


async def list_sessions(call: Call, query: SessionQuery) -> Answer:
    """List sessions, the newest first."""
    position = call.position(query.cursor)
    started, after = (None, None) if position is None else (_moment(position[0]), UUID(position[1]))
    filters = (
        call.isp_filter(query.isp_id),
        started,
        after,
        query.acct_session_id,
        None if query.username is None else username_key(query.username),
        query.customer_id,
        query.device_id,
        query.end,
        query.limit + 1,
    )
    rows = []
    async with call.accounting() as db:
        if query.active is not False:
            rows += await db.fetch(store.LIST_LIVE, *filters)
        if query.active is not True:
            rows += await db.fetch(store.LIST_CLOSED, *filters, query.begin or datetime.now(UTC) - HISTORY)
    rows.sort(key=lambda row: (row["started_at"], row["id"]), reverse=True)
    page, cursor = call.page(rows, query.limit, "started_at", "id")
    return Answer(SessionPage(items=[SessionShown.model_validate(dict(row)) for row in page], next=cursor))


async def get_session(call: Call) -> Answer:
    """Show a session."""
    session_id, isp_id = UUID(call.request.match_info["id"]), call.principal.isp_id
    async with call.accounting() as db:
        row = await db.fetchrow(store.FIND_LIVE, isp_id, session_id)
        if row is None:
            row = await db.fetchrow(store.FIND_CLOSED, isp_id, session_id)
    if row is None:
        raise Problem("not_found")
    return Answer(SessionShown.model_validate(dict(row)))


async def list_rejects(call: Call, query: RejectQuery) -> Answer:
    """List logins that were refused, the newest first, each with its reason."""
    position = call.position(query.cursor)
    last = (None, None, None, None) if position is None else (_moment(position[0]), *position[1:])
    async with call.accounting() as db:
        rows = await db.fetch(
            store.LIST_REJECTS,
            call.isp_filter(query.isp_id),
            *last,
            query.username,
            query.reason,
            query.customer_id,
            query.device_id,
            query.begin,
            query.end,
            query.limit + 1,
        )
    page, cursor = call.page(rows, query.limit, "at", "isp_id", "device_id", "username")
    return Answer(RejectPage(items=[RejectShown.model_validate(dict(row)) for row in page], next=cursor))


async def list_audit(call: Call, query: AuditQuery) -> Answer:
    """List who changed what, the newest first."""
    position = call.position(query.cursor)
    async with call.listing() as db:
        rows = await auditlog.find(
            db,
            call.isp_filter(query.isp_id),
            before=None if position is None else int(position[0]),
            action=query.action,
            target=(query.target_type, query.target_id),
            user_id=query.user_id,
            between=(query.begin, query.end),
            limit=query.limit + 1,
        )
    page, cursor = call.page(rows, query.limit, "id")
    return Answer(AuditPage(items=[AuditShown.model_validate(dict(row)) for row in page], next=cursor))


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(text)
