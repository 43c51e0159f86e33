"""What one session needs, from what it was granted and what the configuration says now. Pure."""

from typing import Final, NamedTuple

from mgmt.react.directory import Directory
from mgmt.store.reactions import Kind, SessionId, Wish
from radiuscore.aaa.decisions import Reject, RejectReason
from radiuscore.aaa.due import Use, due_attributes
from radiuscore.aaa.names import parse_mac
from radiuscore.aaa.reaction import Change, Disconnect, plan_reaction
from radiuscore.store.granted import Grant, GrantedSession

GONE: Final = b""  # what a session should have that should not be
CHANGED: Final = "service_changed"


class Need(NamedTuple):
    """What a session needs: a ``wish`` to be fulfilled, and that it be ``known`` what it is taken to have."""

    wish: Wish | None = None
    known: Grant | None = None


_NOTHING: Final = Need()


def due_of(session: GrantedSession, directory: Directory, at: float) -> bytes | Reject:
    """Return what a session should have at a moment (seconds since 1970)."""
    isp = directory.find_isp(session.isp_id)
    entry = directory.find_customer(session.isp_id, session.customer_id)
    if isp is None or entry is None:
        return Reject(RejectReason.UNKNOWN_USER)
    customer = entry.customer
    plan = isp.plans.get(customer.plan_id) if customer.plan_id is not None else None
    if plan is None:
        return Reject(RejectReason.NO_PLAN)
    mac = parse_mac(session.calling_station_id) if customer.extras is not None and session.calling_station_id else None
    return due_attributes(isp.isp, customer, plan, entry.reply, Use(session.nas_id, mac, session.began), at)


def judge_session(session: GrantedSession, due: bytes | Reject, wished: bytes | None) -> Need:
    """Return what a session needs that should have ``due``; ``wished`` is what an unfinished wish will give it.

    A session of which nothing is known (its Start was lost, or is older than this server) is taken to have what is due:
    to tell every router of every session anew would be a storm, and wrong only where something changed meanwhile.
    """
    if session.granted == due and wished is None:
        return _NOTHING
    known = None
    if session.granted is None and isinstance(due, bytes):
        known = Grant(*session[:5], due)
        session = session._replace(granted=due)
    target = due if isinstance(due, bytes) else GONE
    match plan_reaction(session.granted or b"", due):
        case Disconnect(why):
            cause = str(due.reason) if isinstance(due, Reject) else CHANGED
            return Need(_wish(session, Kind.DISCONNECT, cause, why, target), known)
        case Change():
            return Need(_wish(session, Kind.COA, CHANGED, None, target), known)
    if wished is None or wished == target:
        return Need(None, known)
    return Need(_wish(session, Kind.COA, CHANGED, None, target), known)  # in place of what is not wanted any more


def session_of(session: GrantedSession) -> SessionId:
    """Return how reactions name a session."""
    return SessionId(session.id, session.nas_id, session.acct_session_id)


def _wish(session: GrantedSession, kind: Kind, cause: str, why: str | None, due: bytes) -> Wish:
    return Wish(
        session.isp_id,
        session.nas_id,
        session.customer_id,
        session.id,
        session.acct_session_id,
        session.node,
        kind,
        cause,
        why,
        due,
    )
