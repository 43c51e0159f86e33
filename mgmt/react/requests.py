"""What staff and programs ask to be done to live sessions: queued for the node that can do it, and waited for.

Tenancy is the transaction's: the functions are given `Pools` and see one ISP's rows.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from mgmt.services import Pools
from mgmt.store import reactions
from mgmt.store.reactions import UNFINISHED, Kind, Reaction, Request
from radiuscore.aaa.dynauth import LiveSession, coa_attributes
from radiuscore.aaa.records import CustomerId, IspId
from radiuscore.store.session_queries import Session, find_online, find_session
from radiuscore.wire.packet import Pair, encode_attributes

LONGEST_WAIT_S: Final = 10.0  # a router that does not answer is given up after 7
_LOOK_S: Final = 0.05


async def request_disconnect(
    control: Pools, accounting: Pools, isp_id: IspId, session_id: UUID, *, requested_by: int | None, cause: str
) -> int | None:
    """Have a session ended and return the reaction's id; ``None`` where the ISP has no such session that is up.

    ``requested_by`` is a user's id, ``None`` for an API key; ``cause`` is a word for the record (``manual``).
    """
    session = await _find(accounting, isp_id, session_id)
    if session is None:
        return None
    return (await _ask(control, [session], Kind.DISCONNECT, b"", requested_by, cause))[0]


async def request_disconnects(
    control: Pools, accounting: Pools, isp_id: IspId, customer_id: CustomerId, *, requested_by: int | None, cause: str
) -> list[int]:
    """Have all sessions ended that a customer has up, and return the reactions' ids."""
    async with accounting.transaction(isp_id) as db:
        sessions = await find_online(db, isp_id, customer_id)
    return await _ask(control, sessions, Kind.DISCONNECT, b"", requested_by, cause)


async def request_coa(
    control: Pools,
    accounting: Pools,
    isp_id: IspId,
    session_id: UUID,
    changes: Sequence[Pair],
    *,
    requested_by: int | None,
    cause: str,
) -> int | None:
    """Have attributes of a session changed and return the reaction's id; ``None`` as in `request_disconnect`.

    The change lives in the session alone: the next login gets what the plan says. Raises `ValueError`, which names the
    attribute, for what RouterOS does not change while a session is up, and `CannotIdentify` (one too) where the router
    has not reported enough of the session.
    """
    session = await _find(accounting, isp_id, session_id)
    if session is None:
        return None
    coa_attributes(_as_named(session), changes)
    return (await _ask(control, [session], Kind.COA, encode_attributes(changes), requested_by, cause))[0]


async def wait_for(
    control: Pools, isp_id: IspId, ids: Collection[int], within_s: float = LONGEST_WAIT_S
) -> list[Reaction]:
    """Return these reactions once all are finished, or as they are after so many seconds.

    No connection is held meanwhile.
    """
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        async with control.transaction(isp_id) as db:
            found = await reactions.find(db, isp_id, ids)
        if not any(one.state in UNFINISHED for one in found) or asyncio.get_running_loop().time() >= deadline:
            return found
        await asyncio.sleep(_LOOK_S)


async def _find(accounting: Pools, isp_id: IspId, session_id: UUID) -> Session | None:
    async with accounting.transaction(isp_id) as db:
        session = await find_session(db, isp_id, session_id)
    return session if session is not None and session.state != "closed" else None


async def _ask(
    control: Pools, sessions: Sequence[Session], kind: Kind, attributes: bytes, requested_by: int | None, cause: str
) -> list[int]:
    if not sessions:
        return []
    async with control.transaction(sessions[0].isp_id) as db:
        return [
            await reactions.ask(
                db,
                Request(
                    session.isp_id,
                    session.nas_id,
                    session.customer_id,
                    session.id,
                    session.acct_session_id,
                    session.node,
                    kind,
                    cause,
                    attributes,
                    requested_by,
                ),
            )
            for session in sessions
        ]


def _as_named(session: Session) -> LiveSession:
    return LiveSession(
        session.isp_id,
        session.nas_id,
        session.username,
        session.acct_session_id,
        session.framed_ip_address,
        session.nas_ip_address,
    )
